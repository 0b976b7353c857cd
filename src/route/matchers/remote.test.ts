import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Request } from '../../core/request.ts';
import { remote } from './remote.ts';

const matches = (patterns: string | string[], address: string): boolean =>
  remote.compile(remote.schema.parse(patterns)).matches(new Request(), address);

test('addresses and networks, IPv4 also as IPv6 sockets tell it', () => {
  assert.equal(matches('192.0.2.1', '192.0.2.1'), true);
  assert.equal(matches('192.0.2.1', '::ffff:192.0.2.1'), true);
  assert.equal(matches('192.0.2.0/24', '::ffff:192.0.2.200'), true);
  assert.equal(matches('192.0.2.0/24', '192.0.3.1'), false);
  assert.equal(matches(['10.0.0.0/8', '2001:db8::/32'], '2001:db8:1::2'), true);
});

test('clients of a unix socket', () => {
  assert.equal(matches('unix', 'unix:'), true);
  assert.equal(matches(['10.0.0.0/8', 'loopback'], 'unix:'), false);
});

test('explains', () => {
  const matcher = remote.compile(['private', '192.0.2.1']);
  assert.equal(matcher.explain(new Request(), '192.0.2.2'), 'remote is 192.0.2.2, not in "private" or "192.0.2.1"');
});

test('refuses what is no network', () => {
  for (const wrong of ['', 'localhost', '10.0.0', '10.0.0.0/33', '10.0.0.1/8', '::/129']) {
    assert.equal(remote.schema.safeParse(wrong).success, false, wrong);
  }
});
