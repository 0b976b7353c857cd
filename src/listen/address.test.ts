import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressProblem, parseListenAddress, showListenAddress } from './address.ts';

const tcp = (host: string, port: number) => ({ kind: 'tcp' as const, host, port });

test('every form of an address', () => {
  const good: [string, ReturnType<typeof parseListenAddress>, string][] = [
    ['8080', tcp('', 8080), '*:8080'],
    [':8080', tcp('', 8080), '*:8080'],
    ['*:8080', tcp('', 8080), '*:8080'],
    ['0', tcp('', 0), '*:0'],
    ['127.0.0.1:65535', tcp('127.0.0.1', 65_535), '127.0.0.1:65535'],
    ['LocalHost:80', tcp('localhost', 80), 'localhost:80'],
    ['my-host_1.example.:80', tcp('my-host_1.example.', 80), 'my-host_1.example.:80'],
    ['[::1]:80', tcp('::1', 80), '[::1]:80'],
    ['[fe80::1%eth0]:80', tcp('fe80::1%eth0', 80), '[fe80::1%eth0]:80'],
    ['unix:/run/s.sock', { kind: 'unix', path: '/run/s.sock', mode: -1 }, 'unix:/run/s.sock'],
    ['unix:s.sock', { kind: 'unix', path: 's.sock', mode: -1 }, 'unix:s.sock'],
  ];
  for (const [text, address, shown] of good) {
    assert.deepEqual(parseListenAddress(text), address, text);
    assert.ok(address !== undefined);
    assert.equal(showListenAddress(address), shown);
  }
});

test('what is none, and why', () => {
  const bad: [string, RegExp][] = [
    ['', /port is missing/],
    ['localhost', /localhost:8080/],
    ['localhost:', /expected PORT/],
    ['*', /port is missing/],
    ['65536', /0 to 65535/],
    ['localhost:65536', /0 to 65535/],
    ['8080:80', /expected PORT/],
    ['127.0.0.256:80', /expected PORT/],
    ['127.1:80', /expected PORT/],
    ['a b:80', /expected PORT/],
    ['[::1]', /expected PORT/],
    ['[::g]:80', /expected PORT/],
    ['[127.0.0.1x]:80', /expected PORT/],
    ['::1:80', /in brackets/],
    ['http://localhost:80', /leave http:\/\/ out/],
    ['/run/s.sock', /unix:\/run\/s.sock/],
    ['unix:', /path of the socket is missing/],
    [`unix:/${'x'.repeat(103)}`, /at most 103 bytes/],
  ];
  for (const [text, why] of bad) {
    assert.equal(parseListenAddress(text), undefined, text);
    assert.match(addressProblem(text), why, text);
  }
});
