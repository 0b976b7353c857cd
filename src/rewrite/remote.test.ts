import assert from 'node:assert/strict';
import test from 'node:test';
import { Networks } from '../core/networks.ts';
import { exchangeOf } from '../../test/support/exchange.ts';
import { remoteOf } from './remote.ts';

const proxies = new Networks(['10.0.0.0/8', 'fd00::/8', 'unix']);

const remote = (address: string, ...head: string[]): string =>
  remoteOf(exchangeOf({ address, trusted: true, proxies }, 'GET / HTTP/1.1', ...head));

test('the last address that is not a trusted proxy is who asks', () => {
  assert.equal(remote('10.0.0.1', 'X-Forwarded-For: 192.0.2.7'), '192.0.2.7');
  assert.equal(remote('10.0.0.1', 'X-Forwarded-For: 192.0.2.7, 10.0.0.2'), '192.0.2.7');
  assert.equal(remote('10.0.0.1', 'X-Forwarded-For: 192.0.2.7', 'X-Forwarded-For: 10.0.0.3,10.0.0.2'), '192.0.2.7');
  assert.equal(remote('unix:', 'X-Forwarded-For: 2001:db8::1'), '2001:db8::1');
  assert.equal(remote('10.0.0.1', 'X-Forwarded-For: 10.9.9.9, 10.0.0.2'), '10.9.9.9', 'all are trusted: the first');
});

test('what nobody vouches for is not believed', () => {
  // A client wrote the first one itself; the proxy added where that came from.
  assert.equal(remote('10.0.0.1', 'X-Forwarded-For: 127.0.0.1, 192.0.2.66'), '192.0.2.66');
  assert.equal(remote('10.0.0.1', 'X-Forwarded-For: 192.0.2.7, unknown, 10.0.0.2'), '10.0.0.2');
  assert.equal(remote('10.0.0.1', 'X-Forwarded-For: , ,'), '10.0.0.1');
  assert.equal(remote('10.0.0.1', 'X-Forwarded-For: 192.0.2.7" onclick'), '10.0.0.1');
  assert.equal(remote('10.0.0.1'), '10.0.0.1');
});

test('ports and brackets are taken off', () => {
  assert.equal(remote('10.0.0.1', 'X-Forwarded-For: 192.0.2.7:4711'), '192.0.2.7');
  assert.equal(remote('10.0.0.1', 'X-Forwarded-For: [2001:db8::1]:4711'), '2001:db8::1');
  assert.equal(remote('10.0.0.1', 'X-Forwarded-For: [2001:db8::1]'), '2001:db8::1');
});
