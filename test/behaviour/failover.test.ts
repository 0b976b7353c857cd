import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../support/clock.ts';
import { start } from '../support/line.ts';
import { deafOrigin, eventually, get, ok, origin, post, server, sleep } from '../support/scripted.ts';

test('a refused origin is passed over, unseen by the client, whatever the method, and then left alone', async (t) => {
  const gone = await server(t, () => ok('gone'));
  await gone.refuse();
  const good = await server(t, (request) => ok(request.body || 'good'));
  const line = await start(t, [gone.url, good.url], { disableTime: { first: '30s' } });
  const peer = await line.connect();
  peer.send(post('sent once'));
  assert.equal((await peer.answer()).body, 'sent once');
  assert.equal(line.first.state, 'down');
  for (let i = 0; i < 5; i++) {
    peer.send(get());
    assert.equal((await peer.answer()).body, 'good');
  }
  const logged = await line.logged(6);
  assert.deepEqual(
    logged.map((one) => one.attempts),
    [2, 1, 1, 1, 1, 1],
  );
  assert.equal(line.said.filter((one) => one.includes('origin-down')).length, 1);
});

test('the rest doubles with each failed connect up to its limit, and success makes it short again', async (t) => {
  const app = await server(t, () => ok());
  await app.refuse();
  const clock = manualClock();
  const options = {
    disableTime: { first: '1s', most: '4s' },
    queue: { timeout: '1m' },
    keepAlive: { idle: 0 },
  } as const;
  const line = await start(t, app.url, options, {}, { clock });
  const rests: number[] = [];
  const peer = await line.connect();
  peer.send(get());
  for (let failures = 1; failures <= 4; failures++) {
    await eventually(() => line.first.failures === failures, `failure ${failures}`);
    const rest = line.first.downUntil - clock.now();
    rests.push(rest);
    if (failures === 4) await app.listen();
    clock.advance(rest + 300);
  }
  assert.deepEqual(rests, [1000, 2000, 4000, 4000]);
  assert.equal((await peer.answer()).status, 200);
  assert.equal(line.first.failures, 0);
  assert.equal(line.first.state, 'up');
  await app.refuse();
  peer.send(get());
  await eventually(() => line.first.failures === 1, 'a failure');
  assert.equal(line.first.downUntil - clock.now(), 1000);
  await app.listen();
  clock.advance(1300);
  await peer.answer();
  const [first] = await line.logged(2);
  assert.equal(first?.attempts, 5);
  assert.equal(first?.queue, 0, 'the first slot was there at once');
});

test('with all origins down requests wait for the first to return; one tries it, the others follow', async (t) => {
  const app = await server(t, async () => {
    await sleep(50);
    return ok();
  });
  await app.refuse();
  const line = await start(t, app.url, { disableTime: { first: '200ms' }, queue: { timeout: '1m' } });
  const peers = await Promise.all(Array.from({ length: 10 }, () => line.connect()));
  for (const peer of peers) peer.send(get());
  await eventually(() => line.app.backlog.length === 10, 'all to wait');
  let most = 0;
  const watch = setInterval(() => {
    if (line.first.failures > 0) most = Math.max(most, line.first.inFlight);
  }, 1);
  await eventually(() => line.first.failures >= 2, 'one that tried');
  await app.listen();
  for (const peer of peers) assert.equal((await peer.answer()).status, 200);
  clearInterval(watch);
  assert.ok(most <= 1, `${most} tried a dead origin at once`);
  await line.logged(10);
});

test('with all origins down a request waits no longer than queue.timeout', async (t) => {
  const app = await server(t, () => ok());
  await app.refuse();
  const line = await start(t, app.url, { queue: { timeout: '300ms' }, disableTime: { first: '10s' } });
  const peer = await line.connect();
  peer.send(get());
  const answer = await peer.answer();
  assert.equal(answer.status, 504);
  const [logged] = await line.logged(1);
  assert.equal(logged?.error, 'backlog-timeout');
  assert.match(logged?.detail ?? '', /connect-refused/);
  assert.match(answer.field('proxy-status') ?? '', /; details="backlog-timeout; connect-refused"$/);
});

test('an origin whose probe is given up by its client is probed by the next', async (t) => {
  const app = await server(t, async (request) => {
    if (request.target === '/hang') await sleep(5000);
    return ok();
  });
  await app.refuse();
  const line = await start(t, app.url, { disableTime: { first: '100ms' }, queue: { timeout: '1m' } });
  const peer = await line.connect();
  peer.send(get('/hang'));
  await eventually(() => line.first.state === 'down', 'the origin to be down');
  peer.reset();
  await app.listen();
  const next = await line.connect();
  next.send(get());
  assert.equal((await next.answer()).status, 200);
  assert.equal(line.first.slots, Infinity);
  await line.logged(2);
});

test('backup origins serve only while no other can', async (t) => {
  const main = await server(t, async () => {
    await sleep(30);
    return ok('main');
  });
  const spare = await server(t, () => ok('spare'));
  const line = await start(t, [{ url: main.url }, { url: spare.url, backup: true }], {
    balance: 'random-two',
    disableTime: { first: '100ms' },
    keepAlive: { idle: 0 },
  });
  const peer = await line.connect();
  for (let i = 0; i < 5; i++) {
    peer.send(get());
    assert.equal((await peer.answer()).body, 'main');
  }
  await main.refuse();
  peer.send(get());
  assert.equal((await peer.answer()).body, 'spare');
  await main.listen();
  await eventually(() => line.first.state !== 'down', 'the rest to end');
  peer.send(get());
  assert.equal((await peer.answer()).body, 'main');
});

test('a connect that takes too long is given up: another origin is asked, or 504', async (t) => {
  const deaf = await deafOrigin(t);
  const good = await server(t, () => ok('good'));
  const line = await start(t, [deaf, good.url], { timeouts: { connect: '200ms' }, disableTime: { first: '30s' } });
  const peer = await line.connect();
  peer.send(post('x'));
  assert.equal((await peer.answer()).body, 'good');
  assert.equal(line.first.state, 'down');
  assert.equal(line.first.connections, 0);
  const alone = await start(t, deaf, {
    timeouts: { connect: '100ms' },
    disableTime: { first: '30s' },
    queue: { timeout: '400ms' },
  });
  const other = await alone.connect();
  other.send(get());
  assert.equal((await other.answer()).status, 504);
  const [logged] = await alone.logged(1);
  assert.match(logged?.detail ?? '', /connect-timeout/);
});

test('a name that does not resolve and a socket file that is not there count as down', async (t) => {
  const good = await server(t, () => ok('good'));
  const line = await start(t, [
    { url: 'http://nobody.invalid:80', resolve: 'no' },
    'unix:/nowhere/to/be.sock',
    good.url,
  ]);
  const peer = await line.connect();
  peer.send(get());
  assert.equal((await peer.answer()).body, 'good');
  const [logged] = await line.logged(1);
  assert.equal(logged?.attempts, 3);
});

test('the retry budget: a share of all requests, beyond what is always allowed', async (t) => {
  let asked = 0;
  const bad = await origin(t, async (peer) => {
    await peer.request();
    asked++;
    peer.reset();
  });
  let helped = 0;
  const good = await origin(t, async (peer) => {
    for (;;) {
      const request = await peer.request();
      if (request === undefined) return;
      helped++;
      peer.send(ok());
    }
  });
  const line = await start(t, [bad.url, good.url], { retries: { budget: 0 }, eject: { on: [] } });
  const before = performance.now();
  const statuses: number[] = [];
  const peer = await line.connect();
  for (let i = 0; i < 60; i++) {
    peer.send(get());
    statuses.push((await peer.answer()).status);
  }
  // Ten at once and ten a second are free.
  const free = 10 + Math.ceil((performance.now() - before) / 100) + 1;
  assert.equal(asked, 60);
  assert.ok(helped >= 10 && helped <= free, `${helped} retries, ${free} free`);
  assert.equal(statuses.filter((one) => one === 502).length, 60 - helped);
  await line.logged(60);
});

test('requests still running when an origin came back do not keep it from being tried', async (t) => {
  let finish = (): void => {};
  const app = await server(t, async (request) => {
    if (request.target === '/long') await new Promise<void>((resolve) => (finish = resolve));
    return ok(request.target);
  });
  const line = await start(t, app.url, {
    maxConnections: 10,
    disableTime: { first: '100ms' },
    queue: { timeout: '1m' },
    keepAlive: { idle: 0 },
  });
  const long = await line.connect();
  long.send(get('/long'));
  await eventually(() => app.busy === 1, 'the long request');
  await app.refuse();
  const peer = await line.connect();
  peer.send(get('/short'));
  await eventually(() => line.first.state === 'down', 'the origin to be down');
  await app.listen();
  assert.equal((await peer.answer()).body, '/short');
  assert.equal(line.first.inFlight, 1);
  finish();
  assert.equal((await long.answer()).body, '/long');
  await line.logged(2);
});
