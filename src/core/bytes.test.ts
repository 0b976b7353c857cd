import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FIELD_VALUE, HEX_VALUE, HOST_CHARACTER, isFieldValue, isToken, TARGET, TOKEN } from './bytes.ts';

const ALPHANUMERIC = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The bytes that a table allows, as latin1 text. */
function allowed(table: Uint8Array): string {
  assert.equal(table.length, 256);
  return Buffer.from([...table.keys()].filter((code) => table[code] === 1)).latin1Slice();
}

function sorted(text: string): string {
  return text.split('').toSorted().join('');
}

describe('bytes', () => {
  test('token: RFC 9110 §5.6.2', () => {
    assert.equal(allowed(TOKEN), sorted(`!#$%&'*+-.^_\`|~${ALPHANUMERIC}`));
  });

  test('field-value: visible bytes, obs-text, space and tab: RFC 9110 §5.5', () => {
    for (let code = 0; code < 256; code++) {
      const wanted = code === 9 || (code >= 0x20 && code <= 0x7e) || code >= 0x80;
      assert.equal(FIELD_VALUE[code] === 1, wanted, `0x${code.toString(16)}`);
    }
  });

  test('target: visible ASCII without a fragment', () => {
    for (let code = 0; code < 256; code++) {
      assert.equal(TARGET[code] === 1, code > 0x20 && code < 0x7f && code !== 0x23, `0x${code.toString(16)}`);
    }
  });

  test('host: reg-name without the colon, no delimiter of a URL', () => {
    assert.equal(allowed(HOST_CHARACTER), sorted(`-._~%!$&'()*+,;=${ALPHANUMERIC}`));
  });

  test('hex digits in both cases, and nothing else', () => {
    for (let code = 0; code < 256; code++) {
      const text = String.fromCharCode(code);
      assert.equal(HEX_VALUE[code], /[0-9a-f]/i.test(text) ? Number.parseInt(text, 16) : 255, `0x${code.toString(16)}`);
    }
  });

  test('whole strings', () => {
    for (const good of ['a', 'X-Request-Id', '!#$', '0']) assert.ok(isToken(good), good);
    for (const bad of ['', 'a b', 'a:', 'a\r', 'é', 'Ā', 'a\u0000', '"']) assert.ok(!isToken(bad), JSON.stringify(bad));
    for (const good of ['', 'a b', '\t', 'é', '"\\"']) assert.ok(isFieldValue(good), JSON.stringify(good));
    // U+010A and U+010D end in the bytes LF and CR: cut to latin1 they would end the line.
    for (const bad of ['a\r\nb', '\n', '\u0000', '\u007f', 'Ċ', 'č', '€'])
      assert.ok(!isFieldValue(bad), JSON.stringify(bad));
  });
});
