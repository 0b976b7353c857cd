/** Origins that die, freeze and refuse connections under load. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { skipUnless } from '../support/peer.ts';
import { nginxOrigin, nodeOrigin, type OriginProcess } from './origins.ts';
import { folder, full, run, startSluice, until, type AccessLine } from './stage.ts';

/** What wrk counts. `timeout` are answers later than its `--timeout`, which it still waits for. */
interface WrkResult {
  readonly requests: number;
  readonly bad: number;
  readonly socketErrors: string;
  readonly said: string;
}

async function wrk(t: TestContext, program: string, ...args: string[]): Promise<WrkResult> {
  const { code, text, stderr } = await run(t, program, args);
  assert.equal(code, 0, stderr);
  return {
    requests: Number(/^ +(\d+) requests in/m.exec(text)?.[1]),
    bad: Number(/^ +Non-2xx or 3xx responses: (\d+)/m.exec(text)?.[1] ?? 0),
    socketErrors: /^ +Socket errors: (.*)/m.exec(text)?.[1] ?? '',
    said: text,
  };
}

type Harm = (victim: OriginProcess) => Promise<void>;

const harms: Readonly<Record<string, Harm>> = {
  async 'killed and restarted at once'(victim) {
    await victim.kill();
    await victim.restart();
    await sleep(600);
  },
  async 'killed, and connections refused for 0.7 s'(victim) {
    await victim.kill();
    await sleep(700);
    await victim.restart();
  },
  async 'stopped for 0.7 s'(victim) {
    victim.process.signal('SIGSTOP');
    await sleep(700);
    victim.process.signal('SIGCONT');
  },
  async 'stopped, then killed'(victim) {
    victim.process.signal('SIGSTOP');
    await sleep(400);
    await victim.kill();
    await victim.restart();
  },
};

const seconds = full ? 60 : 10;

test(`one of three origins dies every second, ${seconds} s under wrk: no request fails`, async (t) => {
  const nginx = skipUnless(t, 'nginx');
  const program = skipUnless(t, 'wrk');
  if (nginx === undefined || program === undefined) return;
  const files = folder(t);
  const origins = await Promise.all([
    nginxOrigin(t, nginx, files),
    nodeOrigin(t, files, 'second'),
    nodeOrigin(t, files, 'third'),
  ]);
  const sluice = await startSluice(t, { upstreams: { app: { origins: origins.map((one) => one.url) } } });

  let over = false;
  const load = wrk(
    t,
    program,
    ...['-t', '2', '-c', '64', '-d', `${seconds}s`, '--timeout', '20s', `${sluice.url}/name`],
  ).finally(() => (over = true));
  await sleep(500);
  const done: string[] = [];
  for (let i = 0; !over; i++) {
    const begun = Date.now();
    const victim = origins[i % origins.length];
    const [name, harm] = Object.entries(harms)[Math.floor(i / origins.length) % 4];
    await harm(victim);
    done.push(name);
    await sleep(Math.max(0, 1000 - (Date.now() - begun)));
  }
  const result = await load;
  const { requests, bad, socketErrors, said } = result;
  await until('the log is complete', () => sluice.logged() >= requests);
  const lines = sluice.access();
  // What is left open when wrk stops counts as gone clients; nothing else may be wrong.
  const failed = lines.filter((line) => line.error !== undefined && line.error !== 'client-gone');
  const retried = lines.filter((line) => line.attempts > 1).length;
  t.diagnostic(
    `${requests} requests, ${done.length} harms, ${retried} asked more than one origin, ` +
      `longest ${lines.reduce((most, line) => Math.max(most, line.total), 0).toFixed(0)} ms, ${failed.length} failed`,
  );
  const story = `${said}\n${JSON.stringify(failed.slice(0, 5), null, 1)}\n${sluice.errors().slice(-2000)}`;
  assert.equal(bad, 0, story);
  assert.equal(socketErrors, '', story);
  assert.deepEqual(failed, [], story);
  assert.ok(retried > 0, 'nobody noticed a death: the test tests nothing');
  // All of them are in use again at the end.
  await until('all three serve', async () => {
    const names = await Promise.all(Array.from({ length: 30 }, async () => (await fetch(`${sluice.url}/name`)).text()));
    return new Set(names).size === 3;
  });
  // And none is left with the single slot of an origin on probation.
  const after = await wrk(t, program, '-t', '2', '-c', '64', '-d', '1s', `${sluice.url}/name`);
  assert.equal(after.bad, 0);
  const share = tally(sluice.access().slice(-Math.floor(after.requests / 2)));
  assert.equal(share.size, 3, JSON.stringify([...share]));
});

function tally(lines: readonly AccessLine[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { origin = '-' } of lines) counts.set(origin, (counts.get(origin) ?? 0) + 1);
  return counts;
}
