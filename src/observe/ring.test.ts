import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ring } from './ring.ts';

function filled(size: number, ...items: number[]): Ring<number> {
  const ring = new Ring<number>(size);
  for (const item of items) ring.add(item);
  return ring;
}

test('the last so many, oldest first', () => {
  assert.deepEqual(filled(3).oldestFirst(), []);
  assert.deepEqual(filled(3, 1, 2).oldestFirst(), [1, 2]);
  assert.deepEqual(filled(3, 1, 2, 3).oldestFirst(), [1, 2, 3]);
  assert.deepEqual(filled(3, 1, 2, 3, 4).oldestFirst(), [2, 3, 4]);
  assert.deepEqual(filled(3, 1, 2, 3, 4, 5, 6, 7).oldestFirst(), [5, 6, 7]);
  assert.deepEqual(filled(1, 1, 2).oldestFirst(), [2]);
  assert.deepEqual(filled(0, 1, 2).oldestFirst(), []);
});

test('another size keeps the newest, and goes on', () => {
  for (const size of [0, 1, 2, 3, 4, 10]) {
    const ring = filled(3, 1, 2, 3, 4);
    ring.resize(size);
    assert.deepEqual(ring.oldestFirst(), [2, 3, 4].slice(Math.max(0, 3 - size)));
    for (let item = 5; item < 20; item++) ring.add(item);
    assert.deepEqual(
      ring.oldestFirst(),
      [2, 3, 4, ...Array.from({ length: 15 }, (_, i) => i + 5)].slice(18 - Math.min(size, 18)),
    );
  }
});
