import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { distance, nearest } from './nearest.ts';

test('distance counts insertions, deletions, replacements and swaps of neighbours', () => {
  const known: [string, string, number][] = [
    ['', '', 0],
    ['', 'abc', 3],
    ['abc', 'abc', 0],
    ['kitten', 'sitting', 3],
    ['ab', 'ba', 1],
    ['balance', 'blaance', 1],
    ['abcd', 'acbd', 1],
    ['ca', 'abc', 3],
  ];
  for (const [a, b, expected] of known) assert.equal(distance(a, b), expected, `${a} ${b}`);
});

test('distance is symmetric, zero only for equals, and no more than the longer text', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const away = distance(a, b);
      assert.equal(away, distance(b, a));
      assert.equal(away === 0, a === b);
      assert.ok(away <= Math.max(a.length, b.length));
    }),
  );
});

test('the nearest name, if one is near', () => {
  const names = ['origins', 'balance', 'maxConnections', 'queue', 'to', 'log'];
  const known: [string, string | undefined][] = [
    ['orgins', 'origins'],
    ['ORIGINS', 'origins'],
    ['max_connections', 'maxConnections'],
    ['max-conections', 'maxConnections'],
    ['que', 'queue'],
    ['max', 'maxConnections'],
    ['blaance', 'balance'],
    ['weight', undefined],
    ['lag', 'log'],
    ['at', undefined],
    ['', undefined],
  ];
  for (const [given, meant] of known) assert.equal(nearest(given, names), meant, given);
  assert.equal(nearest('x', []), undefined);
});
