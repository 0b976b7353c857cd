/** Several threads behave like one proxy: limits and queues hold for all of them, and one that dies is replaced. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import test, { describe, type TestContext } from 'node:test';
import { check, type ConfigInput, showProblems } from '../../src/config/index.ts';
import { Sluice } from '../../src/sluice.ts';
import type { Fleet } from '../../src/threads/fleet.ts';
import { eventually } from '../support/scripted.ts';

interface Running {
  readonly sluice: Sluice;
  readonly fleet: Fleet;
  readonly said: string[];
  readonly base: string;
  /** Requests held by all threads at the first origin of `app`. */
  inFlight(): number;
}

async function running(t: TestContext, config: ConfigInput): Promise<Running> {
  const said: string[] = [];
  const sluice = new Sluice(checked(config), { messages: { say: (...words) => void said.push(words.join(' ')) } });
  await sluice.open();
  t.after(() => sluice.close(0));
  const fleet = sluice.fleet as Fleet;
  return {
    sluice,
    fleet,
    said,
    base: sluice.addresses[0],
    inFlight: () => sluice.shared.origins.get('app')?.[0].inFlight ?? -1,
  };
}

function checked(input: ConfigInput): ReturnType<typeof check>['config'] & object {
  const { config, problems } = check({ log: { access: 'off' }, ...input });
  if (config === undefined) throw new Error(showProblems(problems));
  return config;
}

/** An origin that takes `ms` for each request and knows the most it ever had at once. */
async function counting(t: TestContext, ms: number) {
  const seen = { now: 0, most: 0, all: 0, order: [] as string[], url: '' };
  const server = createServer((request, response) => {
    seen.most = Math.max(seen.most, ++seen.now);
    seen.all++;
    seen.order.push(request.url ?? '');
    setTimeout(() => {
      seen.now--;
      response.end('done');
    }, ms);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  seen.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return seen;
}

/** An origin that answers nobody until it is told to, and then everybody. */
async function holding(t: TestContext) {
  const held: (() => void)[] = [];
  let released = false;
  const server = createServer((_, response) => {
    if (released) response.end('done');
    else held.push(() => response.end('done'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    release(): void {
      released = true;
      for (const go of held.splice(0)) go();
    },
  };
}

/** The status, or the error's code. Every request has a connection of its own, so the system spreads them. */
function ask(base: string, path = '/'): Promise<number | string> {
  return new Promise((resolve) => {
    const asked = httpRequest(base + path, { agent: new Agent() }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.complete ? (answer.statusCode ?? 0) : 'cut'));
      answer.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    });
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    asked.end();
  });
}

const listen = '127.0.0.1:0';

describe('threads', () => {
  test('maxConnections 1 over 4 threads: the origin never sees two at once, and nobody is forgotten', async (t) => {
    const app = await counting(t, 2);
    const { base, inFlight } = await running(t, {
      listen,
      threads: 4,
      upstreams: { app: { origins: app.url, maxConnections: 1 } },
    });
    const answers = await Promise.all(Array.from({ length: 300 }, () => ask(base)));
    assert.deepEqual(new Set(answers), new Set([200]));
    assert.equal(app.most, 1);
    assert.equal(app.all, 300);
    assert.equal(inFlight(), 0);
  });

  test('those who wait are served in the order they came, whichever thread they came by', async (t) => {
    const order: number[] = [];
    let release = (): void => {};
    const server = createServer((request, response) => {
      const place = Number(request.url?.slice(1));
      order.push(place);
      if (place === 0) release = () => response.end();
      else response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { base, sluice } = await running(t, {
      listen,
      threads: 4,
      upstreams: { app: { origins: url, maxConnections: 1 } },
    });
    const asked = [ask(base, '/0')];
    await eventually(() => order.length === 1, 'the first to be at the origin');
    for (let i = 1; i <= 60; i++) {
      asked.push(ask(base, `/${i}`));
      await eventually(() => sluice.shared.waiting('app') === i, `${i} to wait`);
    }
    release();
    assert.deepEqual(new Set(await Promise.all(asked)), new Set([200]));
    assert.equal(order.length, 61);
    // A thread that was called a moment too late may let its own go first, once.
    const overtaken = order.map((one, place) => order.slice(0, place).filter((other) => other > one).length);
    assert.ok(Math.max(...overtaken) <= 2, order.join(' '));
    assert.ok(overtaken.filter((count) => count > 0).length <= 6, order.join(' '));
  });

  test('the bound of the queue holds for all threads together', async (t) => {
    const app = await holding(t);
    const { base } = await running(t, {
      listen,
      threads: 3,
      upstreams: { app: { origins: app.url, maxConnections: 1, queue: { size: 5 } } },
    });
    let refused = 0;
    const asked = Array.from({ length: 30 }, async () => {
      const status = await ask(base);
      if (status === 503) refused++;
      return status;
    });
    await eventually(
      () => refused === 24,
      () => `24 to be refused, not ${refused}`,
    );
    app.release();
    const answers = await Promise.all(asked);
    assert.equal(answers.filter((status) => status === 200).length, 6, answers.join(' '));
    assert.equal(answers.filter((status) => status === 503).length, 24);
  });

  test('limits.connections holds for all threads together', async (t) => {
    const { base, sluice } = await running(t, {
      listen,
      threads: 3,
      limits: { connections: 10 },
      routes: [{ respond: { status: 200 } }],
    });
    const { port } = new URL(base);
    const sockets = Array.from({ length: 30 }, () => connect(Number(port), '127.0.0.1'));
    let turnedAway = 0;
    for (const socket of sockets) socket.on('data', () => turnedAway++);
    await eventually(
      () => turnedAway === 20,
      () => `${turnedAway} turned away`,
    );
    for (const socket of sockets) socket.destroy();
    await eventually(() => Math.max(...sluice.shared.connections()) === 0, 'all to be gone');
    assert.equal(await ask(base), 200);
  });

  test('limits.connectionsPerAddress holds for all threads together, also when a reload brings it', async (t) => {
    const config = (most: number | 'off'): ConfigInput => ({
      listen,
      threads: 3,
      limits: { connectionsPerAddress: most },
      routes: [{ respond: { status: 200 } }],
    });
    const { base, sluice } = await running(t, config('off'));
    const { port } = new URL(base);
    const open = (count: number): Socket[] => Array.from({ length: count }, () => connect(Number(port), '127.0.0.1'));
    const connections = (): number => sluice.shared.connections().reduce((sum, one) => sum + one, 0);
    const early = open(6);
    await eventually(() => connections() === 6, 'six to be there');
    await sluice.reload(checked(config(10)));
    let turnedAway = 0;
    const late: Socket[] = [];
    // One after the other: threads that admit at the same moment do not see each other.
    for (let i = 0; i < 12; i++) {
      const [socket] = open(1);
      socket.on('data', () => turnedAway++);
      late.push(socket);
      await eventually(() => connections() + turnedAway === 7 + i, `connection ${i} to be taken or turned away`);
    }
    assert.equal(connections(), 10);
    for (const socket of [...early, ...late]) socket.destroy();
    await eventually(() => connections() === 0, 'all to be gone');
    assert.equal(await ask(base), 200);
  });

  test('a listener that comes with a reload counts addresses over all threads as well', async (t) => {
    const config = (...addresses: string[]): ConfigInput => ({
      listen: addresses,
      threads: 3,
      limits: { connectionsPerAddress: 4 },
      routes: [{ respond: { status: 200 } }],
    });
    const { sluice } = await running(t, config(listen));
    await sluice.reload(checked(config(listen, '127.0.0.2:0')));
    const { port } = new URL(sluice.addresses[1]);
    let turnedAway = 0;
    const connections = (): number => sluice.shared.connections().reduce((sum, one) => sum + one, 0);
    for (let i = 1; i <= 12; i++) {
      const socket = connect(Number(port), '127.0.0.2');
      socket.on('data', () => turnedAway++);
      socket.on('error', () => {});
      t.after(() => socket.destroy());
      await eventually(() => connections() + turnedAway === i, `connection ${i} to be taken or turned away`);
    }
    assert.deepEqual([connections(), turnedAway], [4, 8]);
  });

  test('a thread that dies takes its requests with it and nothing else, gives back its slots and is replaced', async (t) => {
    const app = await holding(t);
    const { base, fleet, said, inFlight, sluice } = await running(t, {
      listen,
      threads: 2,
      upstreams: { app: { origins: app.url, maxConnections: 1000 } },
    });
    // The system spreads them, so nobody knows how many it takes until both threads have some.
    const asked: Promise<number | string>[] = [];
    while (asked.length < 8 || Math.min(...sluice.shared.holders('app')) < 2) {
      asked.push(ask(base));
      await eventually(() => inFlight() === asked.length, 'all to be in flight');
    }
    const [held] = sluice.shared.holders('app');
    await fleet.kill(0);
    app.release();
    const answers = await Promise.all(asked);
    assert.equal(answers.filter((answer) => answer !== 200).length, held, 'those of the other thread were answered');
    await eventually(() => fleet.threads.every(({ state }) => state === 'serving'), 'the thread to be replaced');
    assert.equal(inFlight(), 0, 'its slots are free again');
    assert.ok(
      said.some((line) => line.startsWith('error thread-died thread 0')),
      said.join('\n'),
    );
    // Both serve: with one connection per request some come to each.
    assert.deepEqual(new Set(await Promise.all(Array.from({ length: 16 }, () => ask(base)))), new Set([200]));
  });

  test('whoever waits in a living thread gets the slot that a dead one held', async (t) => {
    let held = 0;
    const server = createServer((_, response) => {
      // The first request is never answered.
      if (held++ > 0) response.end('done');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { base, fleet, inFlight, sluice } = await running(t, {
      listen,
      threads: 2,
      upstreams: { app: { origins: url, maxConnections: 1 } },
    });
    const first = ask(base);
    await eventually(() => inFlight() === 1, 'one to be in flight');
    const holder = sluice.shared.holders('app').findIndex((count) => count === 1);
    // So many that some are with the other thread.
    const others = Promise.all(Array.from({ length: 30 }, () => ask(base)));
    await eventually(() => sluice.shared.waiting('app') === 30, 'the others to wait');
    await fleet.kill(holder);
    assert.notEqual(await first, 200);
    const answers = await others;
    assert.ok(answers.filter((answer) => answer === 200).length > 0, answers.join(' '));
    assert.equal(inFlight(), 0);
    assert.equal(sluice.shared.waiting('app'), 0);
  });

  test('closing at once cuts those who come in at the last moment, too', async (t) => {
    // Whoever comes waits for an origin that does not come back.
    const { base, sluice } = await running(t, { listen, threads: 2, upstreams: { app: { origins: '127.0.0.1:1' } } });
    let over = false;
    const clients = Array.from({ length: 8 }, async () => {
      while (!over) await Promise.race([ask(base), new Promise((resolve) => setTimeout(resolve, 2))]);
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = performance.now();
    await sluice.close(0);
    over = true;
    await Promise.all(clients);
    assert.ok(performance.now() - before < 25_000, 'nobody is waited for');
  });

  test('a reload reaches every thread, and a wrong address changes none', async (t) => {
    const config = (status: number): ConfigInput => ({ listen, threads: 3, routes: [{ respond: { status } }] });
    const { base, sluice } = await running(t, config(201));
    assert.deepEqual(new Set(await Promise.all(Array.from({ length: 20 }, () => ask(base)))), new Set([201]));
    await sluice.reload(checked(config(202)));
    assert.deepEqual(new Set(await Promise.all(Array.from({ length: 20 }, () => ask(base)))), new Set([202]));
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    t.after(() => taken.close());
    const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
    await assert.rejects(sluice.reload(checked({ ...config(203), listen: [listen, address] })), { code: 'EADDRINUSE' });
    assert.deepEqual(new Set(await Promise.all(Array.from({ length: 20 }, () => ask(base)))), new Set([202]));
  });

  test('a thread that comes back while a reload is under way has the new config, too', async (t) => {
    // New listeners make the preparing last long enough for a thread to come back in the middle of it.
    const config = (status: number, count: number): ConfigInput => ({
      listen: [listen, ...Array.from({ length: count }, (_, nth) => ({ address: listen, name: `${status} ${nth}` }))],
      threads: 3,
      routes: [{ respond: { status } }],
    });
    const { base, fleet, sluice } = await running(t, config(201, 0));
    let status = 201;
    for (let round = 0; round < 4; round++) {
      await fleet.kill(round % 3);
      while (fleet.threads.some(({ state }) => state !== 'serving')) {
        status++;
        await sluice.reload(checked(config(status, status % 2 === 0 ? 60 : 0)));
      }
      assert.deepEqual(new Set(await Promise.all(Array.from({ length: 30 }, () => ask(base)))), new Set([status]));
    }
  });

  test('listeners keep their ports when their order changes while all threads are dead', async (t) => {
    const config = (names: string[]): ConfigInput => ({
      listen: names.map((name) => ({ name, address: name === 'one' ? '127.0.0.1:0' : 'localhost:0' })),
      threads: 2,
      routes: [{ respond: { status: 200 } }],
    });
    const { fleet, sluice } = await running(t, config(['one', 'two']));
    const [one, two] = sluice.addresses;
    await Promise.all([fleet.kill(0), fleet.kill(1)]);
    await sluice.reload(checked(config(['two', 'one'])));
    await eventually(() => fleet.threads.every(({ state }) => state === 'serving'), 'the threads to be replaced');
    assert.deepEqual(sluice.addresses, [two, one]);
    for (const url of [one, two]) {
      assert.deepEqual(new Set(await Promise.all(Array.from({ length: 10 }, () => ask(url)))), new Set([200]));
    }
  });
});
