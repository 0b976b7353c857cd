import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { phraseOf } from './error-answer.ts';
import { type ErrorRow, errors, SluiceError } from './errors.ts';

const rows = Object.entries<ErrorRow>(errors);

/** RFC 9209 §2.3, all error types it registers. */
const PROXY_ERRORS = new Set(
  `dns_timeout dns_error destination_not_found destination_unavailable destination_ip_prohibited destination_ip_unroutable
  connection_refused connection_terminated connection_timeout connection_read_timeout connection_write_timeout
  connection_limit_reached tls_protocol_error tls_certificate_error tls_alert_received http_request_error
  http_request_denied http_response_incomplete http_response_header_section_size http_response_header_size
  http_response_body_size http_response_trailer_section_size http_response_trailer_size http_response_transfer_coding
  http_response_content_coding http_response_timeout http_upgrade_failed http_protocol_error proxy_internal_response
  proxy_internal_error proxy_configuration_error proxy_loop_detected`.split(/\s+/),
);

describe('errors', () => {
  test('codes are words of a log line, texts are sentences', () => {
    for (const [code, { about }] of rows) {
      assert.match(code, /^[a-z]+(?:-[a-z]+)*$/);
      assert.match(about, /^(?:[A-Z]|sluice ).*\.$/, code);
    }
  });

  test('the status says who is to blame: 4xx the client, 5xx us or the origin; and we have a phrase for it', () => {
    for (const [code, { side, status }] of rows) {
      if (side === 'client') assert.ok((status >= 400 && status < 500) || status === 501 || status === 505, code);
      else if (code === 'origin-overloaded') assert.equal(status, 503, code);
      else if (side === 'origin') assert.ok(status === 502 || status === 504, code);
      else assert.ok([403, 404, 500, 503, 504, 507].includes(status), code);
      if (status !== 499) assert.notEqual(phraseOf(status), '', code);
    }
  });

  test('only what an origin failed at is asked again; always, only if nothing was done', () => {
    for (const [code, { side, retry }] of rows) {
      if (retry !== 'never')
        assert.ok(side === 'origin' || ['origin-removed', 'program-not-started'].includes(code), code);
      assert.equal(
        retry === 'always',
        /^(?:connect-|name-|program-(?:missing|not-started)|origin-overloaded)/.test(code),
        code,
      );
    }
  });

  test('error types of Proxy-Status are registered ones; nobody is told that he has left', () => {
    for (const [code, { proxy, status }] of rows) {
      assert.equal(proxy === '-', status === 499, code);
      if (proxy !== '-') assert.ok(PROXY_ERRORS.has(proxy), `${code}: ${proxy}`);
    }
  });

  test('every code is in docs/errors.md', (t) => {
    const page = join(import.meta.dirname, '..', '..', 'docs', 'errors.md');
    if (!existsSync(page)) return t.skip('docs/errors.md is not here');
    const text = readFileSync(page, 'utf8');
    for (const [code, { status }] of rows) assert.ok(text.includes(`| \`${code}\` | ${status} |`), code);
  });

  test('the error class has the row, and says what happened', () => {
    const cause = new Error('cause');
    const error = new SluiceError('connect-refused', '10.0.0.1:80', cause);
    assert.equal(error.name, 'SluiceError');
    assert.equal(error.code, 'connect-refused');
    assert.equal(error.row, errors['connect-refused']);
    assert.equal(error.cause, cause);
    assert.match(error.message, /refused the connection.*\(10\.0\.0\.1:80\)$/);
    assert.equal(new SluiceError('no-route').message, errors['no-route'].about);
  });
});
