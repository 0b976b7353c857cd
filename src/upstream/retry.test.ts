import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { isIdempotent } from '../core/methods.ts';
import { RetryBudget } from './retry.ts';

/** How many retries are allowed at this moment. */
function left(budget: RetryBudget): number {
  let count = 0;
  while (budget.spend()) count++;
  return count;
}

describe('retry budget', () => {
  test('a quiet proxy may retry ten times a second', () => {
    const clock = manualClock();
    const budget = new RetryBudget(0.2, clock);
    assert.equal(left(budget), 10);
    clock.advance(99);
    assert.equal(left(budget), 0);
    clock.advance(1);
    assert.equal(left(budget), 1);
    clock.advance(1000);
    assert.equal(left(budget), 10);
  });

  test('a busy one a share of its requests', () => {
    const clock = manualClock();
    const budget = new RetryBudget(0.2, clock);
    left(budget);
    for (let i = 0; i < 1000; i++) budget.request();
    const allowed = left(budget);
    assert.ok(allowed >= 199 && allowed <= 200, String(allowed));
  });

  test('under a storm at most that share is added, beside the floor', () => {
    const clock = manualClock();
    const budget = new RetryBudget(0.2, clock);
    let retries = 0;
    for (let i = 0; i < 10_000; i++) {
      budget.request();
      if (budget.spend()) retries++;
      clock.advance(1);
    }
    assert.ok(retries >= 2000 && retries <= 2111, String(retries));
  });

  test('what is saved is bounded, by requests and by calm', () => {
    const clock = manualClock();
    const busy = new RetryBudget(0.2, clock);
    for (let i = 0; i < 1_000_000; i++) busy.request();
    assert.equal(left(busy), 1000);
    clock.advance(24 * 3_600_000);
    assert.equal(left(busy), 1000);
  });

  test('a share of nothing leaves the floor', () => {
    const budget = new RetryBudget(0, manualClock());
    for (let i = 0; i < 1000; i++) budget.request();
    assert.equal(left(budget), 10);
  });
});

test('idempotent methods, RFC 9110 §9.2.2, in their case only', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'QUERY', 'PROPFIND']) {
    assert.ok(isIdempotent(method), method);
  }
  for (const method of ['POST', 'PATCH', 'CONNECT', 'LOCK', 'get', '']) assert.ok(!isIdempotent(method), method);
});
