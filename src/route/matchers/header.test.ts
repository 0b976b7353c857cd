import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestOf } from '../../../test/support/request.ts';
import { header } from './header.ts';

type Patterns = Parameters<typeof header.schema.parse>[0];

const matches = (patterns: Patterns, ...fields: string[]): boolean =>
  header.compile(header.schema.parse(patterns)).matches(requestOf('GET / HTTP/1.1', ...fields), '');

test('a value, whatever the case of the name', () => {
  assert.equal(matches({ 'X-Kind': 'a' }, 'x-kind: a'), true);
  assert.equal(matches({ 'x-kind': 'a' }, 'X-KIND:   a'), true);
  assert.equal(matches({ 'X-Kind': 'a' }, 'X-Kind: A'), false);
  assert.equal(matches({ 'X-Kind': 'a' }, 'X-Kind: a, b'), false);
  assert.equal(matches({ 'X-Kind': 'a' }), false);
});

test('a name that sluice knows by number', () => {
  assert.equal(matches({ accept: '~html' }, 'Accept: text/html'), true);
  assert.equal(matches({ 'User-Agent': true }, 'user-agent: curl'), true);
});

test('there or not there', () => {
  assert.equal(matches({ 'X-A': true }, 'X-A:'), true);
  assert.equal(matches({ 'X-A': true }), false);
  assert.equal(matches({ 'X-A': false }), true);
  assert.equal(matches({ 'X-A': false }, 'x-a: 1'), false);
});

test('one of several lines is enough', () => {
  assert.equal(matches({ 'X-A': '2' }, 'X-A: 1', 'X-A: 2'), true);
  assert.equal(matches({ 'X-A': '~^2$' }, 'X-A: 1', 'X-A: 2'), true);
});

test('all names have to match', () => {
  assert.equal(matches({ 'X-A': '1', 'X-B': true }, 'X-A: 1', 'X-B: 2'), true);
  assert.equal(matches({ 'X-A': '1', 'X-B': true }, 'X-A: 1'), false);
});

test('a field that was dropped is not there', () => {
  const request = requestOf('GET / HTTP/1.1', 'X-A: 1');
  request.fields.delete('x-a');
  assert.equal(header.compile({ 'x-a': { kind: 'present' } }).matches(request, ''), false);
});

test('explains the first that does not match', () => {
  const matcher = header.compile(header.schema.parse({ 'X-A': '1', 'X-B': '~^2', 'X-C': true, 'X-D': false }));
  const why = (...fields: string[]): string => matcher.explain(requestOf('GET / HTTP/1.1', ...fields), '');
  assert.equal(why(), 'header x-a is absent, not "1"');
  assert.equal(why('X-A: 1', 'X-B: 3', 'X-B: 4'), 'header x-b is "3" and "4", not ~^2');
  assert.equal(why('X-A: 1', 'X-B: 2'), 'header x-c is absent, not present');
  assert.equal(why('X-A: 1', 'X-B: 2', 'X-C:', 'X-D: 5'), 'header x-d is "5", not absent');
});

test('refuses names and values that no field has', () => {
  for (const wrong of [{ 'a b': true }, { '': true }, { 'a:': true }, { a: 1 }, { a: '~(' }, { a: null }]) {
    assert.equal(header.schema.safeParse(wrong).success, false, JSON.stringify(wrong));
  }
});
