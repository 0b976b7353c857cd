import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, tally, times, underLoad, weighted, without } from '../../test/support/origins.ts';
import type { Origin } from '../core/origin.ts';
import type { Balancer } from './balancer.ts';
import { leastBusy } from './least-busy.ts';

function make(origins: readonly Origin[]): Balancer {
  const balancer = leastBusy.create({}, { random: () => 0 });
  balancer.update(origins);
  return balancer;
}

function busy(weights: number[], inFlight: number[]): Origin[] {
  const origins = weighted(...weights);
  for (const [i, one] of origins.entries()) one.inFlight = inFlight[i];
  return origins;
}

test('the fewest in flight wins', () => {
  const origins = busy([1, 1, 1], [3, 1, 2]);
  assert.equal(make(origins).pick(ask()), origins[1]);
  assert.equal(make(origins).pick(without(origins[1])), origins[2]);
});

test('in flight is counted per weight', () => {
  const origins = busy([1, 10], [2, 15]);
  assert.equal(make(origins).pick(ask()), origins[1]);
});

test('open connections do not count', () => {
  const origins = busy([1, 1], [1, 0]);
  origins[1].connections = 50;
  assert.equal(make(origins).pick(ask()), origins[1]);
});

test('ties rotate', () => {
  const origins = busy([1, 1, 1, 1], [2, 0, 0, 0]);
  const balancer = make(origins);
  const names = Array.from({ length: 6 }, () => balancer.pick(ask()));
  assert.deepEqual(names, [...origins.slice(1), ...origins.slice(1)]);
});

test('ties rotate by weight: one request at a time still honours it', () => {
  const origins = weighted(3, 1);
  assert.deepEqual(tally(make(origins), origins, times(400)), [300, 100]);
});

test('a tie between different weights is seen', () => {
  const origins = busy([1, 3, 1], [1, 3, 2]);
  assert.deepEqual(tally(make(origins), origins, times(8)), [2, 6, 0]);
});

test('under load, work is shared by weight', () => {
  const origins = weighted(1, 2, 3, 4);
  const counts = underLoad(make(origins), origins, 50, 20_000);
  for (const [i, count] of counts.entries()) assert.ok(Math.abs(count / 2000 / (i + 1) - 1) < 0.05, counts.join(' '));
});

test('what finishes faster gets more', () => {
  const origins = weighted(1, 1);
  const balancer = make(origins);
  const counts = [0, 0];
  for (let tick = 0; tick < 1000; tick++) {
    const chosen = balancer.pick(ask()) as Origin;
    chosen.acquire();
    counts[origins.indexOf(chosen)]++;
    // The first answers within a tick, the second takes ten.
    if (origins[0].inFlight > 0) origins[0].release();
    if (tick % 10 === 9 && origins[1].inFlight > 0) origins[1].release();
  }
  assert.ok(counts[0] > 5 * counts[1], counts.join(' '));
});
