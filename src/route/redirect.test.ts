import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestOf } from '../../test/support/request.ts';
import { compileRedirect, redirectProblem } from './redirect.ts';

const HOST = 'Host: example.com';

test('placeholders are filled in with what the client sent, not with what it means', () => {
  const request = requestOf('GET /a%2Fb/../c?d=%26&e HTTP/1.1', HOST);
  const expected: [string, string][] = [
    ['/new', '/new'],
    ['https://{host}{uri}', 'https://example.com/a%2Fb/../c?d=%26&e'],
    ['https://{host}{path}', 'https://example.com/a%2Fb/../c'],
    ['/search?q={query}', '/search?q=d=%26&e'],
    ['/old{path}?{query}#top', '/old/a%2Fb/../c?d=%26&e#top'],
  ];
  for (const [to, location] of expected) assert.equal(compileRedirect(to)(request), location, to);
});

test('the absolute form of a target counts like the origin form', () => {
  const request = requestOf('GET http://shop.example.com:81/a?b HTTP/1.1', HOST);
  assert.equal(compileRedirect('https://{host}{uri}')(request), 'https://shop.example.com/a?b');
});

test('a path of the client cannot name another host', () => {
  for (const target of ['//evil.example/x', '///evil.example/x', '/\\evil.example/x', '/\\/evil.example/x']) {
    assert.match(compileRedirect('{uri}')(requestOf(`GET ${target} HTTP/1.1`, HOST)), /^\/evil/, target);
    assert.match(compileRedirect('{path}?x')(requestOf(`GET ${target} HTTP/1.1`, HOST)), /^\/evil/, target);
  }
});

test('what is not ASCII in the config is sent as escapes of UTF-8', () => {
  assert.equal(compileRedirect('/caf\u00e9/{query}')(requestOf('GET /?x HTTP/1.1', HOST)), '/caf%C3%A9/x');
});

test('targets that are good', () => {
  for (const to of ['/', '/a', '{uri}', '{path}/', 'http://a', 'HTTPS://a.example:8443/{path}?{query}']) {
    assert.equal(redirectProblem(to), undefined, to);
  }
});

test('targets that are not', () => {
  for (const to of [
    '',
    'a',
    '//a',
    'ftp://a',
    'https://',
    'javascript:alert(1)',
    '{host}',
    '/a b',
    '/{',
    '/\n',
    '{query}',
  ]) {
    assert.notEqual(redirectProblem(to), undefined, to);
  }
  assert.equal(redirectProblem('/{constructor}')?.within, '{constructor}');
});
