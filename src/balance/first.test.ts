import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, seeded, weighted, without } from '../../test/support/origins.ts';
import { first } from './first.ts';

test('the first usable in order, however busy and whatever its weight', () => {
  const [a, b, c] = weighted(1, 9, 1);
  const balancer = first.create({}, seeded());
  balancer.update([a, b, c]);
  a.inFlight = 100;
  assert.equal(balancer.pick(ask()), a);
  assert.equal(balancer.pick(without(a)), b);
  assert.equal(balancer.pick(without(a, b)), c);
  assert.equal(balancer.pick(ask()), a);
});

test('an origin of weight 0 is the last one', () => {
  const [a, b] = weighted(0, 1);
  const balancer = first.create({}, seeded());
  balancer.update([a, b]);
  assert.equal(balancer.pick(ask()), b);
  assert.equal(balancer.pick(without(b)), a);
});
