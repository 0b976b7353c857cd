import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { originView } from '../control/views.ts';
import type { OriginAddress } from '../core/origin.ts';
import type { Finding } from './check.ts';
import { Checker, type CheckTarget } from './checker.ts';
import { Gate } from './gate.ts';
import type { CheckOptions } from './options.ts';

interface Target extends CheckTarget {
  readonly note: string;
}

/** A probe that is under way. */
interface Probe {
  readonly host: string;
  readonly at: number;
  readonly signal: AbortSignal;
  answer(healthy: boolean | undefined, detail?: string): Promise<void>;
}

const PASS: CheckOptions = { type: 'tcp', interval: 5000, timeout: 2000, rise: 2, fall: 3, first: 'pass', options: {} };
const BLOCK: CheckOptions = { ...PASS, first: 'block' };

function target(host: string, note = '', more: Partial<OriginAddress> = {}): Target {
  return { address: { scheme: 'http', host, port: 80, ...more }, note };
}

/** Lets promises that are settled be heard. */
const settle = (): Promise<void> => new Promise(setImmediate);

function stage({ most = 64, script }: { most?: number; script?: (host: string) => Finding | Error } = {}) {
  const clock = manualClock();
  const start = clock.now();
  const probes: Probe[] = [];
  const turns: string[] = [];
  const defects: unknown[] = [];
  const state = { running: 0, mostRunning: 0, onTurn: () => {} };
  const gate = new Gate(most);
  const make = () =>
    new Checker<Target>({
      clock,
      gate,
      create: () => ({
        probe({ host }, { signal }) {
          const scripted = script?.(host);
          state.mostRunning = Math.max(state.mostRunning, ++state.running);
          return new Promise((resolve, reject) => {
            const end = (finding: Finding): void => {
              state.running--;
              resolve(finding);
            };
            probes.push({
              host,
              at: clock.now() - start,
              signal,
              answer(healthy, detail = '') {
                end({ healthy, detail });
                return settle();
              },
            });
            if (scripted instanceof Error) reject(scripted);
            else if (scripted !== undefined) end(scripted);
          });
        },
      }),
      turned(one, healthy, why) {
        turns.push(`${one.address.host}${one.note} ${healthy ? 'up' : 'down'} ${why}`);
        state.onTurn();
      },
      defect: (error) => defects.push(error),
    });
  /** Time goes on in steps, and what is answered meanwhile is heard. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 100) {
      clock.advance(Math.min(100, left));
      await settle();
    }
  };
  return { clock, probes, turns, defects, state, gate, make, checker: make(), pass };
}

describe('when', () => {
  test('first probes are spread over the interval', async () => {
    const { checker, probes, pass } = stage({ script: () => ({ healthy: true, detail: '' }) });
    checker.update(
      ['a', 'b', 'c', 'd', 'e'].map((host) => target(host)),
      PASS,
    );
    await pass(5000);
    assert.deepEqual(
      probes.map(({ host, at }) => [host, at]),
      [
        ['a', 500],
        ['b', 1500],
        ['c', 2500],
        ['d', 3500],
        ['e', 4500],
      ],
    );
    checker.close();
  });

  test('they are at once when traffic waits for them, and for origins that come later', async () => {
    const { checker, probes, clock } = stage();
    checker.update([target('a'), target('b')], BLOCK);
    clock.advance(0);
    assert.deepEqual(
      probes.map(({ host }) => host),
      ['a', 'b'],
    );
    const other = stage();
    other.checker.update([target('a')], PASS);
    other.clock.advance(1000);
    other.checker.update([target('a'), target('b')], PASS);
    other.clock.advance(0);
    assert.deepEqual(
      other.probes.map(({ host }) => host),
      ['b'],
    );
    checker.close();
    other.checker.close();
  });

  test('from start to start, the interval, a tenth more or less', async () => {
    const { checker, probes, clock, pass } = stage({ script: () => ({ healthy: true, detail: '' }) });
    const dice = [0, 0, 0.999_999, 0.5];
    clock.random = () => dice.shift() ?? 0.5;
    checker.update([target('a')], PASS);
    await pass(16_000);
    assert.deepEqual(
      probes.map(({ at }) => Math.round(at)),
      [0, 4500, 10_000, 15_000],
    );
    checker.close();
  });

  test('never two of one target, and a late one is followed at once', async () => {
    const { checker, probes, clock } = stage();
    checker.update([target('a')], { ...BLOCK, interval: 2000, timeout: 2000 });
    clock.advance(2500);
    assert.equal(probes.length, 1);
    await probes[0]?.answer(true);
    clock.advance(0);
    assert.equal(probes.length, 2);
    checker.close();
  });

  test('after a long sleep each target is probed once, not once for each interval missed', async () => {
    const { checker, probes, clock, pass } = stage({ script: () => ({ healthy: true, detail: '' }) });
    checker.update([target('a')], PASS);
    await pass(10_000);
    const before = probes.length;
    clock.jump(3_600_000);
    await pass(100);
    assert.equal(probes.length, before + 1);
    checker.close();
  });

  test('no more at a time than the gate lets through, over all upstreams, in order', async () => {
    const { make, probes, clock, state } = stage({ most: 3 });
    const [one, other] = [make(), make()];
    one.update(
      ['a', 'b', 'c', 'd'].map((host) => target(host)),
      BLOCK,
    );
    other.update(
      ['e', 'f'].map((host) => target(host)),
      BLOCK,
    );
    clock.advance(0);
    assert.deepEqual(probes.map(({ host }) => host).join(''), 'abc');
    for (let i = 0; i < 6; i++) await probes[i]?.answer(true);
    assert.deepEqual(probes.map(({ host }) => host).join(''), 'abcdef');
    assert.equal(state.mostRunning, 3);
    one.close();
    other.close();
  });

  test('removing a target frees its place: in the line, and while it is probed', async () => {
    const { checker, probes, clock, gate } = stage({ most: 1 });
    checker.update(
      ['a', 'b', 'c'].map((host) => target(host)),
      BLOCK,
    );
    clock.advance(0);
    checker.update(
      ['a', 'c'].map((host) => target(host)),
      BLOCK,
    );
    checker.update([target('c')], BLOCK);
    assert.deepEqual(
      probes.map(({ host }) => host),
      ['a', 'c'],
    );
    assert.equal(probes[0]?.signal.aborted, true);
    checker.close();
    let free = false;
    gate.enter(() => (free = true));
    assert.equal(free, true);
  });

  test('closed, nothing waits and nothing is told', async () => {
    const { checker, probes, clock, turns } = stage();
    checker.update([target('a'), target('b')], BLOCK);
    clock.advance(0);
    checker.close();
    assert.ok(probes.every(({ signal }) => signal.aborted));
    for (const probe of probes) await probe.answer(true);
    assert.equal(clock.waiting, 0);
    assert.deepEqual(turns, []);
    checker.close();
  });
});

describe('what', () => {
  test('verdicts turn by rise and fall, and each is told once with its reason', async () => {
    const answers = '++-+---+-++'.split('');
    const { checker, turns, pass } = stage({
      script: () => (answers.shift() === '+' ? { healthy: true, detail: 'fine' } : { healthy: false, detail: 'ill' }),
    });
    checker.update([target('a')], PASS);
    await pass(54_000);
    assert.equal(answers.length, 0);
    assert.deepEqual(turns, [
      'a up first check passed: fine',
      'a down check failed 3 times: ill',
      'a up check passed 2 times: fine',
    ]);
    checker.close();
  });

  test('the first word is the verdict when traffic waits for it, and only then when it is bad', async () => {
    const bad = () => ({ healthy: false, detail: 'ill' });
    const blocked = stage({ script: bad });
    blocked.checker.update([target('a')], BLOCK);
    await blocked.pass(100);
    assert.deepEqual(blocked.turns, ['a down first check failed: ill']);
    const trusted = stage({ script: bad });
    trusted.checker.update([target('a')], PASS);
    await trusted.pass(10_000);
    assert.deepEqual(trusted.turns, []);
    await trusted.pass(5000);
    assert.deepEqual(trusted.turns, ['a down check failed 3 times: ill']);
    blocked.checker.close();
    trusted.checker.close();
  });

  test('the last word, as the views want it', async () => {
    const { checker, probes, clock } = stage();
    const a = target('a');
    assert.equal(checker.last(a), null);
    checker.update([a], BLOCK);
    clock.advance(0);
    assert.equal(checker.last(a), null);
    await probes[0]?.answer(true, 'status 200');
    assert.deepEqual(checker.last(a), { healthy: true, detail: 'status 200', at: '2026-11-21T10:00:00.000Z' });
    originView.shape.check.parse(checker.last(a));
    clock.advance(5000);
    await probes[1]?.answer(false, 'status 503');
    assert.deepEqual(checker.last(target('a')), {
      healthy: false,
      detail: 'status 503',
      at: '2026-11-21T10:00:05.000Z',
    });
    assert.equal(checker.last(target('b')), null);
    checker.close();
    assert.equal(checker.last(a), null);
  });

  test("a fault of this machine is nobody's verdict", async () => {
    const { checker, turns, pass, probes } = stage({ script: () => ({ healthy: undefined, detail: 'EMFILE' }) });
    const a = target('a');
    checker.update([a], { ...BLOCK, fall: 1 });
    await pass(30_000);
    assert.ok(probes.length >= 5);
    assert.deepEqual(turns, []);
    assert.equal(checker.last(a), null);
    checker.close();
  });

  test('the late answer of a removed target is not heard, also when it has come back', async () => {
    const { checker, probes, clock, turns } = stage();
    checker.update([target('a')], BLOCK);
    clock.advance(0);
    checker.update([], BLOCK);
    checker.update([target('a')], BLOCK);
    clock.advance(0);
    assert.equal(probes.length, 2);
    await probes[0]?.answer(false, 'old');
    assert.deepEqual(turns, []);
    await probes[1]?.answer(true, 'new');
    assert.deepEqual(turns, ['a up first check passed: new']);
    checker.close();
  });

  test('what stays goes on as it is; the newest object of a target is the one that is told of', async () => {
    const { checker, probes, clock, turns } = stage();
    checker.update([target('a', '1')], BLOCK);
    clock.advance(0);
    checker.update([target('a', '2'), target('b')], { ...BLOCK });
    assert.equal(probes[0]?.signal.aborted, false);
    await probes[0]?.answer(true);
    assert.deepEqual(turns, ['a2 up first check passed: ']);
    checker.close();
  });

  test('other options, or another address behind the name, start anew', async () => {
    const { checker, probes, clock, turns } = stage();
    const fall = { ...BLOCK, fall: 1 };
    checker.update([target('a', '', { ip: '10.0.0.1' })], BLOCK);
    clock.advance(0);
    await probes[0]?.answer(true, 'one');
    checker.update([target('a', '', { ip: '10.0.0.2' })], BLOCK);
    clock.advance(0);
    await probes[1]?.answer(true, 'two');
    checker.update([target('a', '', { ip: '10.0.0.2' })], fall);
    clock.advance(0);
    await probes[2]?.answer(true, 'three');
    assert.deepEqual(
      turns,
      ['one', 'two', 'three'].map((detail) => `a up first check passed: ${detail}`),
    );
    checker.update([target('a', '', { ip: '10.0.0.2' })], null);
    assert.equal(clock.waiting, 0);
  });

  test('an upstream may be changed while it is told of a turn', async () => {
    const { checker, probes, clock, state, turns } = stage();
    checker.update([target('a'), target('b')], BLOCK);
    clock.advance(0);
    state.onTurn = () => checker.update([target('b')], BLOCK);
    await probes[0]?.answer(false);
    assert.equal(checker.last(target('a')), null);
    state.onTurn = () => checker.close();
    await probes[1]?.answer(false);
    assert.equal(clock.waiting, 0);
    assert.equal(turns.length, 2);
  });
});

describe('defects of others', () => {
  test('a probe that rejects or throws is told of, judges nobody, and is tried again', async () => {
    const { checker, defects, turns, pass, state } = stage({ script: () => new Error('defect') });
    state.running = 0;
    checker.update([target('a')], { ...BLOCK, fall: 1 });
    await pass(11_000);
    assert.equal(defects.length, 3);
    assert.deepEqual(turns, []);
    checker.close();
  });

  test('a probe that does not end is a failed one, and gives its place back', async () => {
    const { checker, probes, clock, turns, pass } = stage({ most: 1 });
    checker.update([target('a'), target('b')], BLOCK);
    await pass(3000);
    assert.deepEqual(turns, ['a down first check failed: the check did not end in time']);
    assert.equal(probes[0]?.signal.aborted, true);
    clock.advance(0);
    assert.equal(probes[1]?.host, 'b');
    await probes[0]?.answer(true);
    assert.equal(turns.length, 1);
    checker.close();
  });

  test('a listener that throws stops nothing', async () => {
    const { checker, defects, probes, pass, state } = stage({ script: () => ({ healthy: true, detail: '' }) });
    state.onTurn = () => {
      throw new Error('listener');
    };
    checker.update([target('a')], BLOCK);
    await pass(11_000);
    assert.equal(defects.length, 1);
    assert.equal(probes.length, 3);
    checker.close();
  });
});
