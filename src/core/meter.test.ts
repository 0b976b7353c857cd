import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Board } from './board.ts';
import { errors } from './errors.ts';
import { ERROR_SLOTS, HISTOGRAM, METER, RETRY_REASONS } from './meter.ts';

test('every number has a slot of its own, and a row has room for all', () => {
  const sizes: Partial<Record<keyof typeof METER, number>> = {
    answers: 6,
    retries: RETRY_REASONS.length,
    total: HISTOGRAM,
    first: HISTOGRAM,
    connect: HISTOGRAM,
    queue: HISTOGRAM,
    errors: ERROR_SLOTS.size,
  };
  const taken = (Object.keys(METER) as (keyof typeof METER)[]).flatMap((name) =>
    Array.from({ length: sizes[name] ?? 1 }, (_, i) => METER[name] + i),
  );
  assert.equal(new Set(taken).size, taken.length, taken.join(' '));
  assert.ok(Math.max(...taken) < new Board().meter.length);
  assert.equal(ERROR_SLOTS.size, Object.keys(errors).length);
});
