import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestOf } from '../../../test/support/request.ts';
import { host } from './host.ts';

function matches(patterns: string | string[], ...head: string[]): boolean {
  return host.compile(host.schema.parse(patterns)).matches(requestOf(...head), '');
}

const hosts = (patterns: string | string[], value: string): boolean =>
  matches(patterns, 'GET / HTTP/1.1', `Host: ${value}`);

test('a name, whatever its case, port and final dot', () => {
  for (const value of ['example.com', 'EXAMPLE.Com', 'example.com:8080', 'example.com.', 'Example.com.:80']) {
    assert.equal(hosts('example.com', value), true, value);
  }
  for (const value of ['www.example.com', 'example.com.evil', 'example.comx', 'xexample.com', 'example', '']) {
    assert.equal(hosts('example.com', value), false, value);
  }
});

test('every name below, at any depth, but not the name itself', () => {
  for (const value of ['a.example.com', 'a.b.example.com', 'A.EXAMPLE.COM:80', 'a.example.com.']) {
    assert.equal(hosts('*.example.com', value), true, value);
  }
  for (const value of ['example.com', '.example.com', 'aexample.com', 'a.example.com.evil']) {
    assert.equal(hosts('*.example.com', value), false, value);
  }
});

test('patterns are normal forms too', () => {
  assert.equal(hosts('EXAMPLE.com.', 'example.com'), true);
  assert.equal(hosts('bücher.example', 'xn--bcher-kva.example'), true);
  assert.equal(hosts('*.Bücher.example', 'a.xn--bcher-kva.example'), true);
  assert.equal(hosts('[::1]', '[::1]:8080'), true);
  assert.equal(hosts('127.0.0.1', '127.0.0.1:80'), true);
});

test('one of several', () => {
  const patterns = ['example.com', '*.example.org', 'localhost'];
  assert.equal(hosts(patterns, 'localhost'), true);
  assert.equal(hosts(patterns, 'a.example.org'), true);
  assert.equal(hosts(patterns, 'example.org'), false);
});

test('the host of an absolute target counts more than Host', () => {
  assert.equal(matches('a.example', 'GET http://a.example/ HTTP/1.1', 'Host: b.example'), true);
  assert.equal(matches('b.example', 'GET http://a.example/ HTTP/1.1', 'Host: b.example'), false);
});

test('without Host nothing matches', () => {
  assert.equal(matches('*.example.com', 'GET / HTTP/1.0'), false);
});

test('explains', () => {
  const matcher = host.compile(['a.example', '*.b.example']);
  assert.equal(
    matcher.explain(requestOf('GET / HTTP/1.1', 'Host: B.example:80'), ''),
    'host is "b.example", not "a.example" or "*.b.example"',
  );
});

test('refuses what could never match', () => {
  for (const wrong of [
    '',
    '*',
    '*.',
    'a.*.b',
    'a..b',
    'a b',
    'a/b',
    'a:80',
    '-a.b',
    'http://a',
    '~a',
    '*a.b',
    '[x]',
    'a@b',
  ]) {
    assert.equal(host.schema.safeParse(wrong).success, false, wrong);
  }
});
