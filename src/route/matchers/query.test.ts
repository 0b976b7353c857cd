import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestOf } from '../../../test/support/request.ts';
import { query } from './query.ts';

type Patterns = Parameters<typeof query.schema.parse>[0];

const matches = (patterns: Patterns, target: string): boolean =>
  query.compile(query.schema.parse(patterns)).matches(requestOf(`GET ${target} HTTP/1.1`), '');

test('a value, decoded', () => {
  assert.equal(matches({ a: 'x y' }, '/?a=x+y'), true);
  assert.equal(matches({ a: 'x y' }, '/?a=x%20y'), true);
  assert.equal(matches({ ä: '&' }, '/?%C3%A4=%26'), true);
  assert.equal(matches({ a: 'x' }, '/?%61=%78'), true);
  assert.equal(matches({ a: 'x' }, '/?A=x'), false);
  assert.equal(matches({ a: 'x' }, '/?a=xy'), false);
});

test('there or not there', () => {
  assert.equal(matches({ a: true }, '/?a'), true);
  assert.equal(matches({ a: '' }, '/?a'), true);
  assert.equal(matches({ a: true }, '/?b=a'), false);
  assert.equal(matches({ a: false }, '/'), true);
  assert.equal(matches({ a: false }, '/?b&a='), false);
});

test('one of several is enough, and all names have to match', () => {
  assert.equal(matches({ a: '~^2$' }, '/?a=1&a=2'), true);
  assert.equal(matches({ a: '1', b: '2' }, '/?b=2&a=1'), true);
  assert.equal(matches({ a: '1', b: '2' }, '/?a=1'), false);
});

test('what looks like parameters in the path is not looked at', () => {
  assert.equal(matches({ a: true }, '/a=1'), false);
  assert.equal(matches({ a: '1' }, '/x%3Fa=1'), false);
  assert.equal(matches({ a: '1?b' }, '/x?a=1?b'), true);
});

test('explains', () => {
  const matcher = query.compile(query.schema.parse({ a: '1' }));
  assert.equal(matcher.explain(requestOf('GET /?a=2&a=3 HTTP/1.1'), ''), 'query parameter a is "2" and "3", not "1"');
  assert.equal(matcher.explain(requestOf('GET / HTTP/1.1'), ''), 'query parameter a is absent, not "1"');
});
