import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from '../support/line.ts';
import { eventually, get, ok, origin, type Peer, post, server, sleep } from '../support/scripted.ts';

/** Answers the first request of each connection, and dies when it gets a second one. */
async function fickle(peer: Peer, die: (peer: Peer) => void, seen: string[]): Promise<void> {
  const first = await peer.request();
  if (first === undefined) return;
  seen.push(`${first.method} ${first.target}`);
  peer.send(ok(first.target));
  const second = await peer.request();
  if (second === undefined) return;
  seen.push(`${second.method} ${second.target} (kept)`);
  die(peer);
}

test('a kept channel that dies on its next request: GET is sent once more on a new one, POST is not', async (t) => {
  for (const how of ['fin', 'reset'] as const) {
    const seen: string[] = [];
    const app = await origin(t, (peer) => fickle(peer, (one) => one[how](), seen));
    const line = await start(t, app.url);
    const peer = await line.connect();
    peer.send(get('/1'));
    await peer.answer();
    peer.send(get('/2'));
    assert.equal((await peer.answer()).body, '/2');
    peer.send(post('body', '/3'));
    assert.equal((await peer.answer()).status, 502);
    peer.send(get('/4'));
    assert.equal((await peer.answer()).body, '/4');
    assert.deepEqual(seen, ['GET /1', 'GET /2 (kept)', 'GET /2', 'POST /3 (kept)', 'GET /4']);
    const logged = await line.logged(4);
    assert.deepEqual(
      logged.map((one) => one.attempts),
      [1, 2, 1, 1],
    );
    assert.equal(line.first.state, 'up');
  }
});

test('a kept channel that dies after it has begun to answer is a failure of the origin: another one is asked', async (t) => {
  const bad = await origin(t, async (peer, nth) => {
    for (let i = 0; ; i++) {
      if ((await peer.request()) === undefined) return;
      if (nth > 0 || i === 0) peer.send(ok('bad'));
      else {
        peer.send('HTTP/1.1 200 OK\r\nContent-');
        await sleep(30);
        peer.reset();
      }
    }
  });
  const good = await server(t, () => ok('good'));
  const line = await start(t, [bad.url, good.url]);
  const peer = await line.connect();
  for (const body of ['bad', 'good']) {
    peer.send(get());
    assert.equal((await peer.answer()).body, body);
  }
  assert.equal(bad.connections.length, 1);
  await line.logged(2);
});

test('a PUT is sent once more with its body while that is short, in chunks or by length', async (t) => {
  const seen: string[] = [];
  const bodies: string[] = [];
  const app = await origin(t, async (peer, nth) => {
    if (nth % 2 === 0) return fickle(peer, (one) => one.reset(), seen);
    const request = await peer.request();
    if (request === undefined) return;
    bodies.push(request.body);
    peer.send(ok(String(request.body.length)));
    peer.fin();
  });
  const line = await start(t, app.url, { retries: { buffer: '4KiB' } });
  const peer = await line.connect();
  const wanted = ['x'.repeat(4096), 'abc'];
  for (const body of wanted) {
    peer.send(get('/'));
    await peer.answer();
    const chunks = `PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n`;
    peer.send(body === 'abc' ? chunks : post(body).replace('POST', 'PUT'));
    assert.equal((await peer.answer()).body, String(body.length));
  }
  assert.deepEqual(bodies, wanted);
  peer.send(get('/'));
  await peer.answer();
  peer.send(post('x'.repeat(4097)).replace('POST', 'PUT'));
  assert.equal((await peer.answer()).status, 502);
  assert.equal(bodies.length, 2);
  await line.logged(6);
  await line.settled();
});

test('a channel whose origin says close, or speaks HTTP/1.0, is not kept', async (t) => {
  const app = await server(t, (request) =>
    request.target === '/close'
      ? ok('1', 'Connection: close\r\n')
      : ok('2').replace('1.1', request.target === '/old' ? '1.0' : '1.1'),
  );
  const line = await start(t, app.url);
  const peer = await line.connect();
  for (const target of ['/close', '/old', '/kept', '/kept']) {
    peer.send(get(target));
    assert.equal((await peer.answer()).status, 200);
  }
  assert.equal(app.connections.length, 3);
  await eventually(() => line.first.connections === 1, 'one channel to be left');
  await line.logged(4);
});

test("keepAlive: idle channels go after their time, the origin's own limit counts more, 0 keeps none", async (t) => {
  let hint = '';
  const app = await server(t, () => ok('x', hint));
  const line = await start(t, app.url, { keepAlive: { idle: '1s' } });
  const peer = await line.connect();
  peer.send(get());
  await peer.answer();
  assert.equal(line.first.connections, 1);
  await eventually(() => line.first.connections === 0, 'the idle channel to close');
  hint = 'Keep-Alive: timeout=60, max=5\r\n';
  peer.send(get());
  await peer.answer();
  await sleep(2000);
  assert.equal(line.first.connections, 1);
  hint = 'Keep-Alive: timeout=1\r\n';
  peer.send(get());
  await peer.answer();
  await eventually(() => line.first.connections === 0, 'the channel the origin is about to close');
  const none = await start(t, app.url, { keepAlive: { idle: 0 } });
  const other = await none.connect();
  other.send(get());
  await other.answer();
  await eventually(() => none.first.connections === 0, 'the channel to close');
});

test('keepAlive.maxRequests and maxIdle bound reuse', async (t) => {
  const app = await server(t, async () => {
    await sleep(50);
    return ok();
  });
  const line = await start(t, app.url, { keepAlive: { maxRequests: 2, maxIdle: 1 } });
  const peer = await line.connect();
  for (let i = 0; i < 4; i++) {
    peer.send(get());
    await peer.answer();
  }
  assert.equal(app.connections.length, 2);
  const peers = await Promise.all([1, 2, 3].map(() => line.connect()));
  for (const one of peers) one.send(get());
  for (const one of peers) await one.answer();
  await eventually(() => line.first.connections === 1, 'the surplus to close');
  await line.logged(7);
});

test('the channel used last is used next', async (t) => {
  const used: number[] = [];
  let finish = (): void => {};
  const app = await origin(t, async (peer, nth) => {
    for (;;) {
      const request = await peer.request();
      if (request === undefined) return;
      used.push(nth);
      if (request.target === '/slow') await new Promise<void>((resolve) => (finish = resolve));
      peer.send(ok());
    }
  });
  const line = await start(t, app.url);
  const [a, b] = [await line.connect(), await line.connect()];
  a.send(get('/slow'));
  await eventually(() => used.length === 1, 'the first request');
  b.send(get());
  await b.answer();
  finish();
  await a.answer();
  b.send(get());
  await b.answer();
  assert.deepEqual(used, [0, 1, 0]);
});

test('an idle channel that the origin ends is let go', async (t) => {
  const app = await origin(t, async (peer, nth) => {
    await peer.request();
    peer.send(ok(String(nth)));
    await sleep(50);
    if (nth === 0) peer.fin();
    else peer.reset();
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  for (const body of ['0', '1']) {
    peer.send(get());
    assert.equal((await peer.answer()).body, body);
    await eventually(() => line.first.connections === 0, 'the channel to be let go');
  }
  assert.equal(line.first.state, 'up');
  await line.logged(2);
});
