import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, seeded, tally, times, underLoad, weighted, without } from '../../test/support/origins.ts';
import type { Origin } from '../core/origin.ts';
import type { Balancer } from './balancer.ts';
import { randomTwo } from './random-two.ts';

function make(origins: readonly Origin[]): Balancer {
  const balancer = randomTwo.create({}, seeded());
  balancer.update(origins);
  return balancer;
}

test('the less busy of two different origins', () => {
  const origins = weighted(1, 1, 1, 1);
  for (const [i, inFlight] of [5, 3, 4, 2].entries()) origins[i].inFlight = inFlight;
  // There are six pairs: three hold the least busy, two of the others the next one, and the last pair is left.
  const counts = tally(make(origins), origins, times(6000));
  for (const [i, due] of [0, 2000, 1000, 3000].entries()) assert.ok(Math.abs(counts[i] - due) < 200, counts.join(' '));
});

test('of two origins always the less busy', () => {
  const origins = weighted(50, 1);
  origins[0].inFlight = 101;
  origins[1].inFlight = 2;
  assert.deepEqual(tally(make(origins), origins, times(1000)), [0, 1000]);
});

test('an idle origin is taken without a second look', () => {
  let looks = 0;
  const balancer = make(weighted(1, 1, 1, 1));
  balancer.pick(ask({ usable: () => ++looks > 0 }));
  assert.equal(looks, 1);
});

test('load counts per weight', () => {
  const origins = weighted(10, 1);
  origins[0].inFlight = 8;
  origins[1].inFlight = 1;
  assert.deepEqual(tally(make(origins), origins, times(50)), [50, 0]);
});

test('the busiest of all is never chosen', () => {
  const origins = weighted(1, 1, 1, 1, 1);
  for (const one of origins) one.inFlight = 1;
  origins[3].inFlight = 2;
  assert.equal(tally(make(origins), origins, times(2000))[3], 0);
});

test('one usable among a hundred is found', () => {
  const origins = weighted(...Array.from({ length: 100 }, () => 1));
  const only = ask({ usable: (one) => one === origins[57] });
  assert.equal(tally(make(origins), origins, times(200, only))[57], 200);
});

test('a neighbour of unusable ones gets no more than its share', () => {
  const origins = weighted(1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1);
  const counts = tally(make(origins), origins, times(8000, without(...origins.slice(0, 7))));
  for (const [i, wanted] of [1600, 3200, 1600, 1600].entries())
    assert.ok(Math.abs(counts[7 + i] / wanted - 1) < 0.1, counts.join(' '));
});

test('one usable is not walked past for a second that is not there', () => {
  const origins = weighted(1, 1, 1);
  for (const one of origins) one.inFlight = 5;
  assert.equal(make(origins).pick(without(origins[0], origins[2])), origins[1]);
});

test('under load, work is shared by weight', () => {
  const origins = weighted(1, 2, 3, 4);
  const counts = underLoad(make(origins), origins, 100, 40_000);
  for (const [i, count] of counts.entries()) assert.ok(Math.abs(count / 4000 / (i + 1) - 1) < 0.1, counts.join(' '));
});

test('two choices keep queues short where one would not', () => {
  const origins = weighted(...Array.from({ length: 50 }, () => 1));
  const balancer = make(origins);
  for (let i = 0; i < 50 * 20; i++) balancer.pick(ask())?.acquire();
  // One random choice would have a maximum near 33 here.
  assert.ok(Math.max(...origins.map(({ inFlight }) => inFlight)) <= 23);
});
