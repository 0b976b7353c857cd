import assert from 'node:assert/strict';
import test from 'node:test';
import { Dice, SIDES } from './dice.ts';

const fixed = (number: number): Dice => new Dice({ random: () => number });

test('rolls are integers in range', () => {
  for (const seed of [0, 0.5, 0.999_999_999_9]) {
    const dice = fixed(seed);
    for (let i = 0; i < 1000; i++) {
      const roll = dice.roll();
      assert.ok(Number.isInteger(roll) && roll >= 0 && roll < SIDES);
    }
  }
});

test('pairs of rolls are spread evenly', () => {
  const dice = fixed(0.123);
  const cells = new Array<number>(64).fill(0);
  for (let i = 0; i < 64_000; i++) {
    const row = Math.floor((dice.roll() / SIDES) * 8);
    cells[row * 8 + Math.floor((dice.roll() / SIDES) * 8)]++;
  }
  const chiSquare = cells.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  // 63 degrees of freedom: above 103 in one of a thousand, below 31 likewise.
  assert.ok(chiSquare > 31 && chiSquare < 103, String(chiSquare));
});

test('the seed decides', () => {
  const rolls = (dice: Dice): number[] => [dice.roll(), dice.roll(), dice.roll()];
  assert.deepEqual(rolls(fixed(0.3)), rolls(fixed(0.3)));
  assert.notDeepEqual(rolls(fixed(0.3)), rolls(fixed(0.4)));
});
