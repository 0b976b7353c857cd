import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestOf } from '../../../test/support/request.ts';
import { method } from './method.ts';

const matches = (patterns: string | string[], given: string): boolean =>
  method.compile(method.schema.parse(patterns)).matches(requestOf(`${given} / HTTP/1.1`), '');

test('one or several, case-sensitive', () => {
  assert.equal(matches('POST', 'POST'), true);
  assert.equal(matches('POST', 'post'), false);
  assert.equal(matches(['POST', 'PUT'], 'PUT'), true);
  assert.equal(matches(['POST', 'PUT'], 'PATCH'), false);
});

test('GET stands for HEAD too, HEAD only for itself', () => {
  assert.equal(matches('GET', 'HEAD'), true);
  assert.equal(matches('HEAD', 'GET'), false);
});

test('methods nobody has heard of', () => {
  assert.equal(matches('PURGE', 'PURGE'), true);
  assert.equal(matches('M-SEARCH', 'M-SEARCH'), true);
});

test('explains', () => {
  assert.equal(method.compile(['GET']).explain(requestOf('PUT / HTTP/1.1'), ''), 'method is PUT, not "GET" or "HEAD"');
});

test('refuses what could never match', () => {
  for (const wrong of ['', 'get', 'G ET', 'GET,PUT', 'CONNECT', 'TRACE']) {
    assert.equal(method.schema.safeParse(wrong).success, false, wrong);
  }
});
