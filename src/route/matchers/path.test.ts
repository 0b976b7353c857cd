import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestOf } from '../../../test/support/request.ts';
import { path } from './path.ts';

type Patterns = Parameters<typeof path.schema.parse>[0];

function matches(patterns: Patterns, target: string): boolean {
  return path.compile(path.schema.parse(patterns)).matches(requestOf(`GET ${target} HTTP/1.1`), '');
}

test('exactly', () => {
  for (const target of ['/a/b', '/a/b?c', '/a//b', '/a/./b', '/x/../a/b', '/%61/b', 'http://x/a/b']) {
    assert.equal(matches('/a/b', target), true, target);
  }
  for (const target of ['/a', '/a/b/', '/a/b/c', '/A/b', '/a%2Fb', '/'])
    assert.equal(matches('/a/b', target), false, target);
});

test('a prefix of whole segments, and the prefix itself', () => {
  for (const target of ['/api', '/api/', '/api/x', '/api/x/y?z', '/api//x', '/%61pi/x', '/x/../api']) {
    assert.equal(matches('/api/*', target), true, target);
  }
  for (const target of ['/', '/ap', '/apix', '/api.json', '/API/x', '/x/api', '/api/../x']) {
    assert.equal(matches('/api/*', target), false, target);
  }
});

test('/* is every path', () => {
  for (const target of ['/', '/a', '/a/b', 'http://x']) assert.equal(matches('/*', target), true, target);
});

test('patterns are decoded like requests', () => {
  assert.equal(matches('/caf%C3%A9', '/caf%c3%a9'), true);
  assert.equal(matches('/café', '/caf%C3%A9'), true);
  assert.equal(matches('/a b/*', '/a%20b/c'), true);
});

test('an escaped slash is no slash', () => {
  assert.equal(matches('/a/*', '/a%2fb'), false);
  assert.equal(matches('/a/*', '/a/b%2f..%2f..%2fc'), true);
});

test('regular expressions, in each of their forms, found anywhere unless anchored', () => {
  for (const pattern of ['~^/v\\d+/', { regex: '^/v\\d+/' }, /^\/v\d+\//]) {
    assert.equal(matches(pattern, '/v2/x'), true);
    assert.equal(matches(pattern, '/x/v2/'), false);
    assert.equal(matches(pattern, '/x/..//%76%32/'), true);
  }
  assert.equal(matches('~\\.(css|js)$', '/a/b.css?x'), true);
  assert.equal(matches(/^\/API/i, '/api'), true);
});

test('a regular expression that stops others takes linear time', () => {
  const matcher = path.compile(path.schema.parse('~^/(a+)+$'));
  const request = requestOf(`GET /${'a'.repeat(50_000)}b HTTP/1.1`);
  const begun = performance.now();
  assert.equal(matcher.matches(request, ''), false);
  assert.ok(performance.now() - begun < 10_000);
});

test('one of several', () => {
  const patterns = ['/a', '/b/*', '~c$'];
  for (const target of ['/a', '/b', '/b/x', '/xc']) assert.equal(matches(patterns, target), true, target);
  assert.equal(matches(patterns, '/d'), false);
});

test('neither * nor a way above the root is a path', () => {
  assert.equal(matches('/*', '*'), false);
  assert.equal(matches('/*', '/..'), false);
});

test('explains', () => {
  const matcher = path.compile(path.schema.parse(['/a', '/b/*', '~^/c']));
  assert.equal(matcher.explain(requestOf('GET /x/../d HTTP/1.1'), ''), 'path is "/d", not "/a" or "/b/*" or "~^/c"');
  assert.equal(matcher.explain(requestOf('GET /../a HTTP/1.1'), ''), 'path leads above the root');
});

test('refuses what could never match', () => {
  for (const wrong of [
    '',
    'a',
    '*',
    '/a*',
    '/*/a',
    '/a?b',
    '/a#b',
    '/a//b',
    '/a/../b',
    '/./a',
    '/..',
    '/a//*',
    '/a/./*',
    '~',
    '~(',
  ]) {
    assert.equal(path.schema.safeParse(wrong).success, false, wrong);
  }
  for (const wrong of [/(?<!a)b/, /(a)\1/, { regex: '' }, { regx: 'a' }, 1, []]) {
    assert.equal(path.schema.safeParse(wrong).success, false);
  }
});
