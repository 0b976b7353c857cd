import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type Dice, SIDES } from './dice.ts';
import { Lottery } from './lottery.ts';

const fallen = (chance: number): Dice => ({ roll: () => Math.floor(chance * SIDES) }) as Dice;

/** The share of each index, measured by draws at equal distances all over [0, 1). */
function shares(weights: number[], draws: number): number[] {
  const lottery = new Lottery(weights);
  const counts = weights.map(() => 0);
  for (let i = 0; i < draws; i++) counts[lottery.draw(fallen((i + 0.5) / draws))]++;
  return counts.map((count) => count / draws);
}

test('equal weights have equal shares', () => {
  assert.deepEqual(shares([1, 1, 1, 1], 400), [0.25, 0.25, 0.25, 0.25]);
});

test('every share is its weight', () => {
  const weights = fc.array(fc.double({ min: 0.01, max: 1000, noNaN: true }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(weights, (given) => {
      const sum = given.reduce((total, weight) => total + weight, 0);
      for (const [i, share] of shares(given, 20_000).entries()) assert.ok(Math.abs(share - given[i] / sum) < 0.003);
    }),
  );
});

test('the ends of the scale are inside', () => {
  const lottery = new Lottery([1, 2, 3]);
  for (const chance of [0, 1 - 1 / SIDES]) assert.ok([0, 1, 2].includes(lottery.draw(fallen(chance))));
});
