import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, origin, weighted, without } from '../../test/support/origins.ts';
import type { Origin } from '../core/origin.ts';
import { crc32 } from './crc32.ts';
import { mix, Rendezvous } from './rendezvous.ts';

const KEYS = Array.from({ length: 20_000 }, (_, i) => crc32(`/page/${i}.html`));

function counts(origins: readonly Origin[], question = ask()): number[] {
  const rendezvous = new Rendezvous(origins);
  const counted = origins.map(() => 0);
  for (const key of KEYS) counted[origins.indexOf(rendezvous.elect(key, question) as Origin)]++;
  return counted;
}

function near(counted: number[], wanted: number[]): void {
  const sum = wanted.reduce((total, share) => total + share, 0);
  for (const [i, count] of counted.entries()) {
    const due = (wanted[i] / sum) * KEYS.length;
    assert.ok(Math.abs(count - due) <= 5 * Math.sqrt(due), counted.join(' '));
  }
}

test('the mixer is the finaliser of MurmurHash3', () => {
  assert.equal(mix(0), 0);
  assert.equal(mix(1) >>> 0, 0x514e28b7);
  assert.equal(mix(0xffffffff) >>> 0, 0x81f16f39);
});

test('ten neighbours in one network have even shares', () => {
  near(counts(weighted(...Array.from({ length: 10 }, () => 1))), [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
});

test('shares follow weights', () => {
  near(counts(weighted(1, 2, 3, 0.5)), [1, 2, 3, 0.5]);
});

test('shares of the others follow weights when one is out', () => {
  const origins = weighted(1, 2, 3, 4);
  near(counts(origins, without(origins[3])), [1, 2, 3, 0]);
});

test('an unusable origin leaves its keys, and only those move', () => {
  const origins = weighted(1, 2, 3, 4);
  const rendezvous = new Rendezvous(origins);
  for (const key of KEYS.slice(0, 2000)) {
    const before = rendezvous.elect(key, ask());
    const after = rendezvous.elect(key, without(origins[1]));
    assert.equal(after === before, before !== origins[1]);
  }
});

test('the order of the list does not matter', () => {
  const origins = ['a', 'b', 'c:81', '10.1.1.1', 'e'].map((name) => origin(name));
  const one = new Rendezvous(origins);
  const other = new Rendezvous(origins.toReversed());
  for (const key of KEYS.slice(0, 2000)) assert.equal(one.elect(key, ask()), other.elect(key, ask()));
});

test('nobody usable', () => {
  const origins = weighted(1, 1);
  assert.equal(new Rendezvous(origins).elect(1, without(...origins)), undefined);
});
