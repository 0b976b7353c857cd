import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from '../support/line.ts';
import { eventually, get, ok, type Peer, server, sleep } from '../support/scripted.ts';

/** Lets requests wait at their origin until the test has seen what it wants to see. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

test('maxConnections 1 and 200 clients: the origin never has two requests, all are answered, in the order they came', async (t) => {
  const app = await server(t, async (request) => {
    await new Promise(setImmediate);
    return ok(request.target);
  });
  const line = await start(t, app.url, { maxConnections: 1 });
  const peers: Peer[] = [];
  for (let i = 0; i < 200; i++) peers.push(await line.connect());
  for (const [i, peer] of peers.entries()) {
    peer.send(get(`/${i}`));
    // One after the other also on a machine that lets them overtake each other.
    await eventually(() => app.requests.length + line.app.backlog.length > i, 'the request to arrive');
  }
  for (const [i, peer] of peers.entries()) assert.equal((await peer.answer()).body, `/${i}`);
  assert.equal(app.mostBusy, 1);
  assert.deepEqual(
    app.requests.map((one) => one.target),
    peers.map((_, i) => `/${i}`),
  );
  assert.equal(app.connections.length, 1);
  const logged = await line.logged(200);
  for (const one of logged) assert.equal(one.error, undefined);
  await line.settled();
});

test('the limit holds among clients that come and go, and origins that fail', async (t) => {
  const held = new Set<Peer>();
  let most = 0;
  const app = await server(t, async (request, peer) => {
    held.add(peer);
    // A client that has left frees its slot: its connection has then been closed before the next request comes.
    most = Math.max(most, [...held].filter(({ ending }) => ending === 'open').length);
    await sleep(5);
    held.delete(peer);
    if (request.target.endsWith('7')) {
      peer.reset();
      return undefined;
    }
    return ok();
  });
  const line = await start(t, app.url, { maxConnections: 3, retries: { count: 0 } });
  const one = async (n: number): Promise<void> => {
    const peer = await line.connect();
    peer.send(get(`/${n}`));
    if (n % 5 === 0) {
      await sleep(n % 20);
      return peer.reset();
    }
    const answer = await peer.answer();
    assert.equal(answer.status, n % 10 === 7 ? 502 : 200);
    peer.close();
  };
  await Promise.all(Array.from({ length: 100 }, (_, n) => one(n)));
  assert.ok(most <= 3, `${most} at once`);
  await line.settled();
  await line.logged(100);
});

test('a full queue is answered 503 with Retry-After', async (t) => {
  const { opened, open } = gate();
  const app = await server(t, async () => {
    await opened;
    return ok();
  });
  const line = await start(t, app.url, { maxConnections: 1, queue: { size: 1, timeout: '50s' } });
  const peers = [await line.connect(), await line.connect(), await line.connect()];
  for (const [i, peer] of peers.entries()) {
    peer.send(get());
    if (i < 2) await eventually(() => line.first.inFlight + line.app.backlog.length === i + 1, 'the request to arrive');
  }
  const refused = await peers[2].answer();
  assert.equal(refused.status, 503);
  assert.equal(refused.field('retry-after'), '50');
  assert.match(refused.field('proxy-status') ?? '', /connection_limit_reached/);
  open();
  assert.equal((await peers[0].answer()).status, 200);
  assert.equal((await peers[1].answer()).status, 200);
  const logged = await line.logged(3);
  assert.equal(logged[0]?.error, 'backlog-full');
  assert.equal(logged[0]?.attempts, 0);
});

test('queue.size 0: nobody waits', async (t) => {
  const { opened, open } = gate();
  const app = await server(t, async () => {
    await opened;
    return ok();
  });
  const line = await start(t, app.url, { maxConnections: 1, queue: { size: 0 } });
  const [a, b] = [await line.connect(), await line.connect()];
  a.send(get());
  await eventually(() => line.first.inFlight === 1, 'the first request');
  b.send(get());
  assert.equal((await b.answer()).status, 503);
  open();
  assert.equal((await a.answer()).status, 200);
  await line.logged(2);
});

test('who waits too long is answered 504, and the next in line is still served', async (t) => {
  const { opened, open } = gate();
  const app = await server(t, async (request) => {
    if (request.target === '/long') await opened;
    return ok();
  });
  const line = await start(t, app.url, { maxConnections: 1, queue: { timeout: '300ms' } });
  const [a, b, c] = [await line.connect(), await line.connect(), await line.connect()];
  a.send(get('/long'));
  await eventually(() => line.first.inFlight === 1, 'the first request');
  b.send(get('/late'));
  const late = await b.answer();
  assert.equal(late.status, 504);
  c.send(get('/next'));
  await eventually(() => line.app.backlog.length === 1, 'the next to wait');
  open();
  assert.equal((await a.answer()).status, 200);
  const next = await c.answer();
  // On a machine that stands still its time may be over, too.
  assert.ok(next.status === 200 || next.status === 504);
  c.send(get('/then'));
  assert.equal((await c.answer()).status, 200);
  const logged = await line.logged(4);
  assert.equal(logged.find((one) => one.target === '/late')?.error, 'backlog-timeout');
});

test('the body of a request that waits stays with the client', async (t) => {
  const { opened, open } = gate();
  const app = await server(t, async (request) => {
    if (request.target === '/first') await opened;
    return ok(String(request.body.length));
  });
  const line = await start(t, app.url, { maxConnections: 1 });
  const [a, b] = [await line.connect(), await line.connect()];
  a.send(get('/first'));
  await eventually(() => line.first.inFlight === 1, 'the first request');
  const size = 16 * 1024 * 1024;
  b.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
  b.send(Buffer.alloc(size));
  await eventually(() => line.app.backlog.length === 1, 'the second to wait');
  await sleep(200);
  assert.ok(b.socket.writableLength > 0, 'the body was read into memory');
  open();
  assert.equal((await a.answer()).status, 200);
  assert.equal((await b.answer()).body, String(size));
  const logged = await line.logged(2);
  assert.equal(logged[1]?.bytesIn, size);
  assert.ok((logged[1]?.queue ?? 0) > 100);
});
