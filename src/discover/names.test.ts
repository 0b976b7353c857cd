import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { manualClock, type ManualClock } from '../../test/support/clock.ts';
import type { Answer, Found } from './found.ts';
import { Names, type NamesOptions } from './names.ts';

const set = (...ips: string[]): Found[] => ips.map((ip) => ({ ip, family: 4 }));
const good = (ttl: number, ...ips: string[]): Answer => ({ outcome: 'found', records: set(...ips), ttl, missing: [] });
const partial = (ttl: number, ...ips: string[]): Answer => ({
  outcome: 'found',
  records: set(...ips),
  ttl,
  missing: ['SERVFAIL from x'],
});
const failed: Answer = { outcome: 'failed', why: 'SERVFAIL from 10.0.0.53' };
const empty: Answer = { outcome: 'empty', why: 'DNS does not know it (NXDOMAIN)' };

interface Scripted {
  readonly names: Names;
  readonly clock: ManualClock;
  readonly options: NamesOptions;
  /** Questions under way, oldest first. */
  readonly asked: {
    readonly name: string;
    readonly before: readonly Found[];
    answer(answer: Answer | Error): Promise<void>;
  }[];
  /** `at name ip,ip` for each question, change and message. */
  readonly log: string[];
  /** When each question came, since the start. */
  readonly times: number[];
  /** The most questions for one name at a time. */
  most: number;
}

function scripted(over: Partial<NamesOptions> = {}, random = 0.5): Scripted {
  const clock = Object.assign(manualClock(), { random: () => random });
  const start = clock.now();
  const log: string[] = [];
  const asked: Scripted['asked'] = [];
  const times: number[] = [];
  const options: NamesOptions = {
    least: 1000,
    most: 300_000,
    retry: 30_000,
    resolve: (name, before) =>
      new Promise((resolve, reject) => {
        times.push(clock.now() - start);
        const one = {
          name,
          before,
          async answer(answer: Answer | Error) {
            asked.splice(asked.indexOf(one), 1);
            if (answer instanceof Error) reject(answer);
            else resolve(answer);
            await settled();
          },
        };
        asked.push(one);
        self.most = Math.max(self.most, asked.filter((other) => other.name === name).length);
      }),
    changed: (name, records) => log.push(`${name} = ${records.map(({ ip }) => ip).join(',')}`),
    said: (level, code, message) => log.push(`${level} ${code} ${message}`),
    ...over,
  };
  const self: Scripted = { names: new Names(options, clock), clock, options, asked, log, times, most: 0 };
  return self;
}

/** Everything that promises had to do is done. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('asks at once, tells the set once, and asks again when the TTL is over', async () => {
  const { names, clock, asked, log, times } = scripted();
  names.want(['app']);
  assert.equal(names.known.size, 0);
  await asked[0].answer(good(10_000, '10.0.0.1'));
  assert.deepEqual([...names.known], [['app', set('10.0.0.1')]]);
  clock.advance(9_999);
  assert.equal(asked.length, 0);
  clock.advance(1);
  assert.deepEqual(asked[0].before, set('10.0.0.1'));
  await asked[0].answer(good(10_000, '10.0.0.1'));
  clock.advance(10_000);
  await asked[0].answer(good(10_000, '10.0.0.1', '10.0.0.2'));
  assert.deepEqual(log, ['app = 10.0.0.1', 'app = 10.0.0.1,10.0.0.2']);
  assert.deepEqual(times, [0, 10_000, 20_000]);
});

test('TTLs are held between least and most, and vary by a tenth', async () => {
  const wait = async (ttl: number, random: number): Promise<number> => {
    const { names, clock, asked, times } = scripted({}, random);
    names.want(['app']);
    await asked[0].answer(good(ttl, '10.0.0.1'));
    clock.advance(1_000_000);
    return times[1];
  };
  const expected: [ttl: number, random: number, wait: number][] = [
    [0, 0.5, 1000],
    [0, 0, 1000],
    [10_000, 0, 9000],
    [10_000, 1, 11_000],
    [604_800_000, 0.5, 300_000],
    [604_800_000, 1, 300_000],
    [604_800_000, 0, 270_000],
    [Infinity, 0.5, 300_000],
  ];
  for (const [ttl, random, ms] of expected) assert.equal(Math.round(await wait(ttl, random)), ms, `${ttl} ${random}`);
});

test('a failure keeps the last good set, is told once with its age, and again when it is over', async () => {
  const { names, clock, asked, log, times } = scripted();
  names.want(['app']);
  await asked[0].answer(good(10_000, '10.0.0.1', '10.0.0.2'));
  for (let i = 0; i < 9; i++) {
    clock.advance(30_000);
    await asked[0].answer(i % 2 === 0 ? failed : empty);
  }
  assert.deepEqual(names.known.get('app'), set('10.0.0.1', '10.0.0.2'));
  clock.advance(30_000);
  await asked[0].answer(good(10_000, '10.0.0.1', '10.0.0.2'));
  assert.deepEqual(log, [
    'app = 10.0.0.1,10.0.0.2',
    'warn name-failed app: cannot be resolved: SERVFAIL from 10.0.0.53; ' +
      'what it had stays in use as of 2026-11-21T10:00:00.000Z: 10.0.0.1, 10.0.0.2',
    'info name-resolved app: resolves again; in use: 10.0.0.1, 10.0.0.2',
  ]);
  clock.advance(10_000);
  assert.equal(times.at(-1), 310_000, 'it goes by the TTL again');
});

test('an empty answer is another thing than a failure, and keeps the set as well', async () => {
  const { names, clock, asked, log } = scripted();
  names.want(['app', 'new']);
  await asked[1].answer(empty);
  await asked[0].answer(good(5000, '10.0.0.1'));
  clock.advance(5000);
  const app = asked.find(({ name }) => name === 'app');
  await app?.answer(empty);
  assert.deepEqual(log, [
    'error name-empty new: leads nowhere: DNS does not know it (NXDOMAIN); it has no origins until that changes',
    'app = 10.0.0.1',
    'warn name-empty app: leads nowhere: DNS does not know it (NXDOMAIN); ' +
      'what it had stays in use as of 2026-11-21T10:00:00.000Z: 10.0.0.1',
  ]);
  assert.deepEqual([...names.known.keys()], ['app']);
});

test('after failures it asks after 1 s, 2 s, 4 s … 30 s, whatever least and the TTL were', async () => {
  for (const least of [1000, 60_000]) {
    const { names, clock, asked, times } = scripted({ least });
    names.want(['app']);
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      const at = times.at(-1) as number;
      await asked[0].answer(failed);
      while (asked.length === 0) clock.advance(1000);
      waits.push((times.at(-1) as number) - at);
    }
    assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  }
});

test('what resolves only in part is told as such, and a failure of the rest still is', async () => {
  const { names, clock, asked, log } = scripted();
  names.want(['app']);
  const steps = [
    partial(5000, '10.0.0.1'),
    partial(5000, '10.0.0.1'),
    failed,
    partial(5000, '10.0.0.1'),
    good(5000, '10.0.0.1'),
  ];
  for (const step of steps) {
    await asked[0].answer(step);
    while (asked.length === 0) clock.advance(100);
  }
  assert.deepEqual(
    log.map((line) => line.split(' ').slice(0, 2).join(' ')),
    ['warn name-partial', 'app =', 'warn name-failed', 'info name-resolved', 'info name-resolved'],
  );
  assert.match(log[3], /resolves again only in part: SERVFAIL from x/);
});

test('a resolver that throws is a failure like others', async () => {
  const { names, clock, asked, log } = scripted();
  names.want(['app']);
  await asked[0].answer(new Error('defect'));
  assert.match(log[0], /^error name-failed app: cannot be resolved: defect/);
  clock.advance(1000);
  assert.equal(asked.length, 1);
});

test('what throws in `changed` does not end the asking', async () => {
  const said: string[] = [];
  const { names, clock, asked } = scripted({
    changed() {
      throw new Error('no');
    },
    said: (_, code) => said.push(code),
  });
  names.want(['app']);
  await asked[0].answer(good(1000, '10.0.0.1'));
  clock.advance(1000);
  assert.equal(asked.length, 1);
  assert.deepEqual(said, ['internal']);
});

test('a name that nobody wants is not asked for any more, and its late answer is not heard', async () => {
  const { names, clock, asked, log } = scripted();
  names.want(['app', 'other']);
  const [late, other] = asked;
  names.want(['other']);
  await late.answer(good(1000, '6.6.6.6'));
  await other.answer(good(1000, '10.0.0.2'));
  names.want([]);
  clock.advance(100_000);
  assert.deepEqual(asked, []);
  assert.deepEqual(log, ['other = 10.0.0.2']);
  assert.equal(names.known.size, 0);
  assert.equal(clock.waiting, 0);
});

test('a name that is wanted again while its old question is under way is asked for after that', async () => {
  const { names, asked, log } = scripted();
  names.want(['app']);
  const [late] = asked;
  names.want([]);
  names.want(['app']);
  assert.equal(asked.length, 1, 'never two at once');
  await late.answer(good(1000, '6.6.6.6'));
  assert.deepEqual(log, [], 'the answer was for somebody who has left');
  assert.equal(asked.length, 1);
  await asked[0].answer(good(1000, '10.0.0.1'));
  assert.deepEqual(log, ['app = 10.0.0.1']);
});

test('with other options all names are asked for again, and keep their sets meanwhile', async () => {
  const { names, clock, asked, log, options } = scripted();
  names.want(['app', 'slow']);
  const [app, slow] = asked;
  await app.answer(good(1000, '10.0.0.1'));
  names.update({ ...options, most: 5000 });
  assert.deepEqual(
    asked.map(({ name }) => name),
    ['slow', 'app'],
  );
  assert.deepEqual(names.known.get('app'), set('10.0.0.1'));
  await slow.answer(good(1000, '6.6.6.6'));
  assert.deepEqual(log, ['app = 10.0.0.1'], 'the old server has nothing to say');
  assert.deepEqual(
    asked.map(({ name }) => name),
    ['app', 'slow'],
  );
  await asked[0].answer(good(60_000, '10.0.0.1'));
  clock.advance(5000);
  assert.deepEqual(
    asked.map(({ name }) => name),
    ['slow', 'app'],
    'after the new `most`',
  );
});

test('ready: when each has been asked once, whatever came; when the time is up; when all is over', async () => {
  const { names, clock, asked } = scripted();
  const done: string[] = [];
  names.want(['a', 'b']);
  void names.ready(['a', 'b'], 10_000).then(() => done.push('both'));
  void names.ready(['b'], 500).then(() => done.push('time'));
  void names.ready([], 500).then(() => done.push('none'));
  await asked[0].answer(good(1000, '10.0.0.1'));
  assert.deepEqual(done, ['none']);
  clock.advance(500);
  await settled();
  assert.deepEqual(done, ['none', 'time']);
  await asked[0].answer(failed);
  assert.deepEqual(done, ['none', 'time', 'both']);
  names.want(['c']);
  void names.ready(['c'], 10_000).then(() => done.push('closed'));
  names.close();
  await settled();
  assert.equal(done.at(-1), 'closed');
  assert.equal(clock.waiting, 0, 'no timer is left');
});

test('nothing happens after close', async () => {
  const { names, clock, asked, log } = scripted();
  names.want(['a', 'b']);
  await asked[0].answer(good(1000, '10.0.0.1'));
  const [late] = asked;
  names.close();
  await late.answer(good(1000, '10.0.0.1'));
  names.want(['c']);
  clock.advance(100_000);
  assert.deepEqual(asked, []);
  assert.deepEqual(log, ['a = 10.0.0.1']);
  assert.equal(clock.waiting, 0);
});

test('weights, priorities and ports are part of the set', async () => {
  const { names, clock, asked, log } = scripted();
  names.want(['srv:s']);
  const answer = (change: Partial<Found>): Answer => ({
    outcome: 'found',
    records: [{ ip: '10.0.0.1', family: 4, port: 80, weight: 1, priority: 0, target: 't', ...change }],
    ttl: 1000,
    missing: [],
  });
  for (const change of [{}, {}, { weight: 2 }, { priority: 1 }, { port: 81 }]) {
    await asked[0].answer(answer(change));
    clock.advance(1000);
  }
  assert.equal(log.length, 4);
});

test('whatever happens, one question at a time for a name, and every wanted name is asked for or waits to be', async () => {
  const step = fc.oneof(
    fc.record({ want: fc.subarray(['a', 'b', 'c']) }),
    fc.record({
      answer: fc.constantFrom(good(0, '10.0.0.1'), good(90_000, '10.0.0.2'), partial(0, '10.0.0.3'), failed, empty),
    }),
    fc.record({ advance: fc.constantFrom(1, 900, 1000, 40_000) }),
    fc.record({ update: fc.constant(true) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const self = scripted();
      const { names, clock, asked, log, options } = self;
      let wanted: string[] = [];
      for (const one of steps) {
        if ('want' in one) names.want((wanted = one.want));
        else if ('answer' in one) await asked[0]?.answer(one.answer);
        else if ('advance' in one) clock.advance(one.advance);
        else names.update({ ...options });
      }
      assert.ok(self.most <= 1);
      clock.advance(400_000);
      for (const name of wanted)
        assert.ok(
          asked.some((one) => one.name === name),
          `${name} is forgotten`,
        );
      for (const name of names.known.keys()) assert.ok(wanted.includes(name));
      assert.ok(!log.some((line) => line.includes('internal')));
    }),
    { numRuns: 200 },
  );
});
