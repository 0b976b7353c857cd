import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { errorAnswer, phraseOf } from './error-answer.ts';
import { type ErrorCode, errors } from './errors.ts';

const codes = Object.keys(errors) as ErrorCode[];

/** A browser's. */
const HTML = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

describe('error answers', () => {
  test('plain text without a wish, or with one we cannot fulfil', () => {
    for (const accept of ['', '*/*', 'image/png', 'application/pdf']) {
      const { status, lines, body } = errorAnswer('no-route', accept, 'abc-1');
      assert.equal(status, 404);
      assert.match(lines, /^Content-Type: text\/plain; charset=utf-8\r$/m);
      assert.equal(body, '404 Not Found: no-route (request abc-1)\n');
    }
  });

  test('JSON for who accepts JSON', () => {
    for (const accept of ['application/json', 'application/problem+json', 'text/plain;q=0.5, application/JSON']) {
      const { lines, body } = errorAnswer('backlog-full', accept, 'abc-1');
      assert.match(lines, /^Content-Type: application\/json\r$/m);
      assert.deepEqual(JSON.parse(body), {
        status: 503,
        error: 'backlog-full',
        message: 'Service Unavailable',
        id: 'abc-1',
      });
    }
    assert.deepEqual(Object.keys(JSON.parse(errorAnswer('internal', 'application/json', '').body) as object), [
      'status',
      'error',
      'message',
    ]);
  });

  test('HTML for browsers', () => {
    const { lines, body } = errorAnswer('connect-refused', HTML, 'abc-1');
    assert.match(lines, /^Content-Type: text\/html; charset=utf-8\r$/m);
    assert.match(body, /^<!doctype html>.*<title>502 Bad Gateway<\/title>.*connect-refused \(request abc-1\)/);
  });

  test('every code in every form: complete field lines, its status, RFC 9209, nothing of the inside', () => {
    for (const code of codes) {
      for (const accept of ['', 'application/json', HTML]) {
        const { status, lines, body } = errorAnswer(code, accept, 'id-1');
        assert.equal(status, errors[code].status);
        assert.match(lines, /^(?:[A-Za-z-]+: [\x20-\x7e]+\r\n)+$/);
        assert.match(lines, /^Cache-Control: no-store\r$/m);
        if (errors[code].proxy === '-') assert.doesNotMatch(lines, /proxy-status/i);
        else assert.ok(lines.includes(`Proxy-Status: sluice; error=${errors[code].proxy}; details="${code}"\r\n`));
        assert.ok(body.includes(code) && body.endsWith('\n'));
        // One character is one byte: the length that is stated is that of the string.
        assert.match(body, /^[\x20-\x7e]+\n$/);
        assert.ok(!body.includes(errors[code].about), 'the explanation is for the operator');
      }
    }
  });

  test('an id that could be markup, a line or somebody else’s text is left out', () => {
    for (const id of ['<script>', '"', 'a b', 'a\r\nX: y', "'", '&amp;', 'é', 'x'.repeat(201)]) {
      for (const accept of ['', 'application/json', HTML]) {
        const { lines, body } = errorAnswer('no-route', accept, id);
        assert.equal(body, errorAnswer('no-route', accept, '').body, JSON.stringify(id));
        assert.ok(!lines.includes('X: y'));
      }
    }
  });

  test('Retry-After only when there is something to say; Allow with 405', () => {
    assert.match(errorAnswer('backlog-full', '', '', 7).lines, /^Retry-After: 7\r$/m);
    assert.doesNotMatch(errorAnswer('backlog-full', '', '').lines, /retry-after/i);
    assert.match(errorAnswer('method-refused', '', '').lines, /^Allow: GET, HEAD, POST,.*\r$/m);
    assert.doesNotMatch(errorAnswer('no-route', '', '').lines, /^Allow/m);
  });

  test('a status of which we know no phrase has none', () => {
    assert.equal(phraseOf(404), 'Not Found');
    assert.equal(phraseOf(299), '');
  });
});
