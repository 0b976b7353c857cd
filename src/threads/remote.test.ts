import assert from 'node:assert/strict';
import test from 'node:test';
import { check } from '../config/index.ts';
import type { Config } from '../config/config.ts';
import { bellMemory } from '../core/bells.ts';
import { manualClock } from '../../test/support/clock.ts';
import { eventually } from '../../test/support/scripted.ts';
import { RemotePlane, ThreadGone } from './remote.ts';

const SCRIPT = new URL('../../test/support/hanging-thread.ts', import.meta.url);
const config = check({ routes: [{ respond: { status: 200 } }] }).config as Config;

function hanging() {
  const clock = manualClock();
  const died: string[] = [];
  const place = {
    thread: 0,
    threads: 2,
    bells: bellMemory(3),
    secret: 'x',
    sharing: true,
    takeover: false,
  };
  const listening = { clock, say: () => {}, turned: () => {}, died: (why: string) => void died.push(why) };
  return { clock, died, plane: new RemotePlane({ config, boards: new Map(), place }, listening, SCRIPT) };
}

test('a thread that hangs is ended, and whoever waits for it goes on', async () => {
  const { clock, died, plane } = hanging();
  await plane.open([]);
  const asked = assert.rejects(plane.prepare(config, new Map(), []), ThreadGone);
  clock.advance(9000);
  assert.equal(plane.over, false);
  clock.advance(1000);
  await asked;
  await assert.rejects(plane.commit(), /hung: "prepare" was not done within 10 s/);
  await eventually(() => died.length === 1, 'the thread to end');
  assert.match(died[0], /hung/);
  assert.equal(clock.waiting, 0);
});

test('a process that was stopped does not take its threads for hung at once', async () => {
  const { clock, died, plane } = hanging();
  await plane.open([]);
  const asked = assert.rejects(plane.reopenLogs(), ThreadGone);
  clock.jump(3_600_000);
  assert.deepEqual(died, []);
  clock.advance(5000);
  await asked;
});

test('a thread that hangs does not keep anybody from closing', async () => {
  const { clock, died, plane } = hanging();
  await plane.open([]);
  const asked = assert.rejects(plane.commit(), ThreadGone);
  const closing = plane.close(30_000);
  clock.advance(10_000);
  await asked;
  await closing;
  assert.deepEqual(died, []);
});
