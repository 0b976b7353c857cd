import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, origin, without } from '../../test/support/origins.ts';
import type { Origin } from '../core/origin.ts';
import { lighter, share, Tiered } from './tier.ts';

/** A frame whose tiers take their first usable origin and report what they were made of. */
function frame(): { balancer: Tiered; made: string[][] } {
  const made: string[][] = [];
  const balancer = new Tiered('none', (origins) => {
    made.push(origins.map(({ name }) => name));
    return { choose: (question) => origins.find((one) => question.usable(one)) };
  });
  return { balancer, made };
}

const spareBackup = origin('spare-backup', { backup: true, weight: 0 });
const backup = origin('backup', { backup: true });
const spare = origin('spare', { weight: 0 });
const a = origin('a', { weight: 2 });
const b = origin('b', { weight: 0.5 });
const all: Origin[] = [spareBackup, backup, spare, a, b];

test('origins compete with their equals only, in the given order', () => {
  const { balancer, made } = frame();
  balancer.update(all);
  assert.deepEqual(made, [['a:80', 'b:80'], ['spare:80'], ['backup:80'], ['spare-backup:80']]);
});

test('weight 0 is asked when nobody with a share is usable, and backups after all primaries', () => {
  const { balancer } = frame();
  balancer.update(all);
  assert.equal(balancer.pick(ask()), a);
  assert.equal(balancer.pick(without(a)), b);
  assert.equal(balancer.pick(without(a, b)), spare);
  assert.equal(balancer.pick(without(a, b, spare)), backup);
  assert.equal(balancer.pick(without(a, b, spare, backup)), spareBackup);
  assert.equal(balancer.pick(without(...all)), undefined);
});

test('a weight of 0 counts as 1 among its equals', () => {
  assert.deepEqual([spare, b, a].map(share), [1, 0.5, 2]);
});

test('lighter compares requests in flight per weight, and is strict', () => {
  a.inFlight = 4;
  b.inFlight = 1;
  assert.equal(lighter(a, b) || lighter(b, a), false);
  a.inFlight = 3;
  assert.equal(lighter(a, b), true);
  assert.equal(lighter(b, a), false);
});
