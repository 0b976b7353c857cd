/** Origins that die, freeze and refuse under load, and an origin that may only be asked one thing at a time. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { skipUnless } from '../support/peer.ts';
import { nginxOrigin, nodeOrigin, type OriginProcess } from './origins.ts';
import { folder, full, run, startSluice, until, type AccessLine, type SluiceProcess } from './stage.ts';

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

/** What is left open when wrk stops counts as gone clients; nothing else may be wrong. */
function failures(sluice: SluiceProcess): AccessLine[] {
  return sluice.access().filter((line) => line.error !== undefined && line.error !== 'client-gone');
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
  await until('the log is complete', () => sluice.access().length >= requests);
  const failed = failures(sluice);
  const lines = sluice.access();
  const retried = lines.filter((line) => line.attempts > 1).length;
  t.diagnostic(
    `${requests} requests, ${done.length} harms, ${retried} asked more than one origin, ` +
      `longest ${Math.max(...lines.map((line) => line.total)).toFixed(0)} ms, ${failed.length} failed`,
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

test('kept connections that die one after the other: their requests go on to who lives', async (t) => {
  const living = await nodeOrigin(t, folder(t), 'living');
  const sockets: Socket[] = [];
  const dying = createServer((_, response) => setTimeout(() => response.end('slow'), sockets.length > 0 ? 5000 : 200));
  dying.listen(0, '127.0.0.1');
  t.after(() => dying.close());
  await once(dying, 'listening');
  const { port } = dying.address() as AddressInfo;
  const sluice = await startSluice(t, {
    upstreams: { app: { origins: [port, living.url], balance: 'round-robin', disableTime: { first: '20s' } } },
  });
  const many = (): Promise<string[]> =>
    Promise.all(Array.from({ length: 20 }, async () => (await fetch(`${sluice.url}/slow?ms=200`)).text()));
  const open: Socket[] = [];
  dying.on('connection', (socket: Socket) => open.push(socket));
  await many(); // leaves kept connections to both
  sockets.push(...open);
  const asked = many();
  await sleep(300);
  const begun = Date.now();
  dying.close();
  // The first death finds the port closed, and takes the origin out; the others come after that.
  for (const socket of sockets) {
    socket.destroy();
    await sleep(30);
  }
  assert.deepEqual(new Set(await asked), new Set(['slow']));
  assert.ok(Date.now() - begun < 15_000, 'somebody waited for the dead one to come back');
  assert.deepEqual(failures(sluice), []);
});

function tally(lines: readonly AccessLine[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { origin = '-' } of lines) counts.set(origin, (counts.get(origin) ?? 0) + 1);
  return counts;
}

test('maxConnections 1, 200 clients: one at a time, and all are answered', async (t) => {
  const ab = skipUnless(t, 'ab');
  if (ab === undefined) return;
  const origin = await nodeOrigin(t, folder(t));
  const sluice = await startSluice(t, {
    upstreams: { app: { origins: origin.url, maxConnections: 1, queue: { size: 500, timeout: '60s' } } },
  });
  for (const keep of [[], ['-k']]) {
    const { text, stderr } = await run(t, ab, [
      ...['-q', '-n', '400', '-c', '200', ...keep],
      `${sluice.url}/slow?ms=5`,
    ]);
    assert.match(text, /^Complete requests: +400$/m, stderr);
    assert.match(text, /^Failed requests: +0$/m, text);
    assert.doesNotMatch(text, /^Non-2xx/m, text);
  }
  assert.equal(await (await fetch(`${sluice.url}/most`)).text(), '1');
  await until('801 lines', () => sluice.access().length === 801);
  assert.deepEqual(failures(sluice), []);
});

test('maxConnections 1: clients that leave the queue, or their turn, take no slot with them', async (t) => {
  const origin = await nodeOrigin(t, folder(t));
  const sluice = await startSluice(t, {
    upstreams: { app: { origins: origin.url, maxConnections: 1, queue: { size: 500, timeout: '60s' } } },
  });
  const asked = Array.from({ length: 100 }, async (_, i) => {
    // Every second one goes away: some while they wait, some while they are served.
    const signal = AbortSignal.timeout(i % 2 === 0 ? 30_000 : 20 + i * 5);
    return fetch(`${sluice.url}/slow?ms=10`, { signal }).then((answer) => answer.text());
  });
  const ended = await Promise.allSettled(asked);
  for (let i = 0; i < ended.length; i += 2) {
    assert.deepEqual(ended[i], { status: 'fulfilled', value: 'slow' }, `request ${i}`);
  }
  assert.equal(await (await fetch(`${sluice.url}/name`)).text(), 'node');
  await until('a line for each', () => sluice.access().length === 101);
  assert.deepEqual(failures(sluice), []);
});

test('all origins away: requests wait and are answered when the first is back', async (t) => {
  const origin = await nodeOrigin(t, folder(t));
  const sluice = await startSluice(t, { upstreams: { app: { origins: origin.url } } });
  assert.equal(await (await fetch(`${sluice.url}/name`)).text(), 'node');
  await origin.kill();
  const waiting = Array.from({ length: 20 }, (_, i) =>
    // A POST as well: nothing of it has been sent anywhere.
    fetch(`${sluice.url}/sink`, { method: 'POST', body: 'x'.repeat(i * 10_000) }).then((answer) => answer.text()),
  );
  await sleep(300);
  await origin.restart();
  const answers = await Promise.all(waiting);
  answers.forEach((answer, i) => assert.ok(answer.startsWith(`${i * 10_000} `), answer));
  assert.deepEqual(failures(sluice), []);
});
