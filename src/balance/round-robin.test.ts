import assert from 'node:assert/strict';
import test from 'node:test';
import { seeded, tally, times, weighted, without } from '../../test/support/origins.ts';
import type { Origin } from '../core/origin.ts';
import type { Balancer } from './balancer.ts';
import { roundRobin } from './round-robin.ts';

function make(origins: readonly Origin[]): Balancer {
  const balancer = roundRobin.create({}, { random: () => 0 });
  balancer.update(origins);
  return balancer;
}

function sequence(balancer: Balancer, origins: readonly Origin[], count: number, refused: Origin[] = []): string {
  const letter = (): string => 'abcdef'[origins.indexOf(balancer.pick(without(...refused)) as Origin)];
  return Array.from({ length: count }, letter).join('');
}

test('strict alternation of equals, whatever their load', () => {
  const origins = weighted(1, 1, 1);
  origins[0].inFlight = 100;
  assert.equal(sequence(make(origins), origins, 9), 'abcabcabc');
});

test('weights are spread out smoothly', () => {
  const origins = weighted(5, 1, 1);
  assert.equal(sequence(make(origins), origins, 14), 'aabacaaaabacaa');
});

test('the others alternate while one is unusable, and it gets no burst when it is back', () => {
  const origins = weighted(1, 1, 1);
  const balancer = make(origins);
  assert.equal(sequence(balancer, origins, 6, [origins[1]]), 'acacac');
  assert.deepEqual(sequence(balancer, origins, 3).split('').toSorted().join(''), 'abc');
});

test('the weights of the others hold while one is unusable', () => {
  const origins = weighted(4, 3, 2, 1);
  assert.deepEqual(tally(make(origins), origins, times(600, without(origins[0]))), [0, 300, 200, 100]);
});

test('an update begins a new rotation', () => {
  const origins = weighted(1, 1, 1);
  const balancer = make(origins);
  sequence(balancer, origins, 1);
  balancer.update(origins.slice(0, 2));
  assert.equal(sequence(balancer, origins, 4), 'abab');
});

test('many proxies do not all begin with the same origin', () => {
  const origins = weighted(1, 1, 1, 1);
  const begins = Array.from({ length: 400 }, (_, seed) => {
    const balancer = roundRobin.create({}, seeded(seed));
    balancer.update(origins);
    return balancer.pick(without());
  });
  for (const one of origins) assert.ok(begins.filter((begin) => begin === one).length > 60);
});
