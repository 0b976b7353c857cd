import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { seeded, weighted } from '../../test/support/origins.ts';
import { Rotation } from './rotation.ts';

const firstTurn = { random: () => 0 };

function turns(rotation: Rotation, count: number, entrants: number[]): string {
  const list = Int32Array.from(entrants);
  return Array.from({ length: count }, () => 'abcdef'[rotation.turn(list, list.length)]).join('');
}

test('weights 5, 1, 1: the sequence of nginx, over and over', () => {
  const rotation = new Rotation(weighted(5, 1, 1), firstTurn);
  assert.equal(turns(rotation, 14, [0, 1, 2]), 'aabacaa'.repeat(2));
});

test('the first turn is at random', () => {
  const begin = (random: number): string =>
    turns(new Rotation(weighted(1, 1, 1), { random: () => random }), 3, [0, 1, 2]);
  assert.deepEqual([0, 0.34, 0.99].map(begin), ['abc', 'bca', 'cab']);
});

test('only the first `count` entrants take part', () => {
  const rotation = new Rotation(weighted(1, 1, 1), firstTurn);
  assert.equal(rotation.turn(Int32Array.of(2, 0, 1), 1), 2);
});

test('who stayed away gets no burst afterwards', () => {
  const rotation = new Rotation(weighted(1, 1, 1), firstTurn);
  turns(rotation, 1000, [0, 1]);
  assert.match(turns(rotation, 12, [0, 1, 2]), /^(?:(?=.{0,2}a)(?=.{0,2}b)(?=.{0,2}c).{3}){4}$/);
});

test('whoever enters when, nobody is ever two turns from what is due', () => {
  const run = fc.record({
    weights: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 6 }),
    seed: fc.integer(),
    steps: fc.integer({ min: 1, max: 400 }),
  });
  fc.assert(
    fc.property(run, ({ weights, seed, steps }) => {
      const dice = seeded(seed);
      const rotation = new Rotation(weighted(...weights), firstTurn);
      const due = weights.map(() => 0);
      for (let step = 0; step < steps; step++) {
        const entrants = [...weights.keys()].filter(() => dice.random() < 0.7);
        if (entrants.length === 0) continue;
        const sum = entrants.reduce((total, i) => total + weights[i], 0);
        for (const i of entrants) due[i] += weights[i] / sum;
        due[rotation.turn(Int32Array.from(entrants), entrants.length)] -= 1;
        for (const rest of due) assert.ok(Math.abs(rest) < 2, `off by ${rest}`);
      }
    }),
  );
});
