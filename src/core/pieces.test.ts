import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Pieces } from './pieces.ts';

test('what goes in comes out, in order, whatever its pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5000), { maxLength: 40 }), (sizes) => {
      const pieces = new Pieces();
      const all: Buffer[] = [];
      for (const [i, size] of sizes.entries()) {
        const bytes = Buffer.alloc(size + 2, i + 1);
        pieces.add(bytes, 1, size + 1);
        all.push(Buffer.from(bytes.subarray(1, size + 1)));
        bytes.fill(0);
      }
      const whole = Buffer.concat(all);
      assert.equal(pieces.size, whole.length);
      assert.ok(Buffer.concat(pieces.all).equals(whole));
      assert.ok(Buffer.concat(pieces.take()).equals(whole));
      assert.equal(pieces.size, 0);
      pieces.add(Buffer.from('again'), 0, 5);
      assert.equal(Buffer.concat(pieces.take()).toString(), 'again');
    }),
  );
});

test('a hundred thousand bytes that come one by one are a few pieces', () => {
  const pieces = new Pieces();
  for (let i = 0; i < 100_000; i++) pieces.add(Buffer.from('x'), 0, 1);
  assert.ok(pieces.all.length < 20, String(pieces.all.length));
});
