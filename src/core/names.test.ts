import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as names from './names.ts';

/** `HTTP2_SETTINGS` → `http2-settings`. */
const KNOWN = Object.entries(names).flatMap(([constant, id]) =>
  typeof id === 'number' && id !== names.OTHER ? [{ name: constant.toLowerCase().replaceAll('_', '-'), id }] : [],
);

describe('names', () => {
  test('every name is known by its number, each number once, all below 32', () => {
    assert.ok(KNOWN.length >= 29);
    assert.equal(new Set(KNOWN.map(({ id }) => id)).size, KNOWN.length);
    for (const { name, id } of KNOWN) {
      assert.ok(id > 0 && id < 32, 'the hop-by-hop pass has one bit per number');
      assert.equal(names.identifyText(name), id, name);
    }
  });

  test('in any case', () => {
    for (const { name, id } of KNOWN) {
      assert.equal(names.identifyText(name.toUpperCase()), id);
      assert.equal(names.identifyText(name.replace(/^./, (one) => one.toUpperCase())), id);
      assert.equal(
        names.identifyText(name.replaceAll(/.(?=.)/g, (one, i: number) => (i % 2 === 0 ? one.toUpperCase() : one))),
        id,
      );
    }
  });

  test('with any one byte changed to any other: unknown, or another name', () => {
    const byName = new Map(KNOWN.map(({ name, id }) => [name, id]));
    for (const { name } of KNOWN) {
      const bytes = Buffer.from(name);
      for (let i = 0; i < bytes.length; i++) {
        const original = bytes[i];
        for (let code = 0; code < 256; code++) {
          bytes[i] = code;
          // Only A to Z fold: `[` is not `{`, CR is not `-`, and 0x10 is not `0`.
          const folded = bytes.latin1Slice().replace(/[A-Z]/g, (one) => one.toLowerCase());
          assert.equal(
            names.identify(bytes, 0, bytes.length),
            byName.get(folded) ?? names.OTHER,
            `${name} ${i} ${code}`,
          );
        }
        bytes[i] = original;
      }
    }
  });

  test('one byte more or less, or the underscore of CGI: unknown', () => {
    for (const { name } of KNOWN) {
      for (const other of [`${name}x`, `x${name}`, `${name} `, name.replaceAll('-', '_')]) {
        if (other !== name) assert.equal(names.identifyText(other), names.OTHER, other);
      }
    }
    assert.equal(names.identifyText(''), names.OTHER);
    assert.equal(names.identifyText('x'.repeat(31)), names.OTHER);
    assert.equal(names.identifyText('x'.repeat(32)), names.OTHER);
    assert.equal(names.identifyText('x'.repeat(10_000)), names.OTHER);
  });

  test('only the given range of the buffer counts', () => {
    const buffer = Buffer.from('xhosty');
    assert.equal(names.identify(buffer, 1, 5), names.HOST);
    assert.equal(names.identify(buffer, 0, 4), names.OTHER);
    assert.equal(names.identify(buffer, 1, 6), names.OTHER);
  });
});
