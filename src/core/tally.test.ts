import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { forgetTally, Tally, tallyMemory } from './tally.ts';

describe('tally', () => {
  test('counts over threads, and forgets those of one that has died', () => {
    const memory = tallyMemory(3);
    const threads = [0, 1, 2].map((thread) => new Tally(memory, thread, 4711));
    for (const one of threads) for (let i = 0; i < 5; i++) one.add('192.0.2.1', 1);
    threads[0].add('192.0.2.2', 1);
    for (const one of threads) assert.deepEqual([one.count('192.0.2.1'), one.count('192.0.2.2')], [15, 1]);
    threads[1].add('192.0.2.1', -1);
    assert.equal(threads[2].count('192.0.2.1'), 14);
    forgetTally(memory, 1);
    assert.equal(threads[2].count('192.0.2.1'), 10);
  });

  test('forty thousand addresses hardly disturb each other', () => {
    const tally = new Tally(tallyMemory(1), 0, 815);
    const addresses = Array.from({ length: 40_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    for (const address of addresses) tally.add(address, 1);
    const counts = addresses.map((address) => tally.count(address));
    assert.ok(counts.every((count) => count >= 1));
    const wrong = counts.filter((count) => count > 2).length;
    assert.ok(wrong < 800, `${wrong} are counted two too many`);
    for (const address of addresses) tally.add(address, -1);
    assert.ok(addresses.every((address) => tally.count(address) === 0));
  });

  test('who does not know the seed does not know who shares cells', () => {
    const strangers = Array.from({ length: 100_000 }, (_, i) => `198.51.${i >> 8}.${i & 255}`);
    const sharing = (seed: number): string[] => {
      const tally = new Tally(tallyMemory(1), 0, seed);
      tally.add('192.0.2.1', 1);
      return strangers.filter((address) => tally.count(address) > 0);
    };
    const [one, two] = [sharing(1), sharing(2)];
    assert.ok(one.length < 20 && two.length < 20, `${one.length} and ${two.length} of 100000 share both cells`);
    assert.deepEqual(
      one.filter((address) => two.includes(address)),
      [],
    );
  });
});
