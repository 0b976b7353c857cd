import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { manualClock } from '../support/clock.ts';
import { start } from '../support/line.ts';
import { client, eventually, get, ok, post, server, sleep } from '../support/scripted.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-close-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('close(): what runs may end and says so, what idles closes, what is new is refused', async (t) => {
  let finish = (): void => {};
  const app = await server(t, async (request) => {
    if (request.target === '/slow') await new Promise<void>((resolve) => (finish = resolve));
    return ok(request.body || 'ok');
  });
  const line = await start(t, app.url);
  const [idle, fresh, busy, sending] = [
    await line.connect(),
    await line.connect(),
    await line.connect(),
    await line.connect(),
  ];
  idle.send(get());
  await idle.answer();
  busy.send(get('/slow') + get('/later'));
  sending.send(post('hello').slice(0, -2));
  await eventually(() => line.first.inFlight === 2 && app.busy === 1, 'both to run');
  const began = performance.now();
  const closing = line.sluice.close(60_000);
  assert.equal(await idle.end(), '');
  assert.equal(await fresh.end(), '');
  const refused = await new Promise<string>((resolve) => {
    const socket = connect({ port: line.port, host: '127.0.0.1' });
    socket
      .on('connect', () => socket.destroy())
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    socket.on('close', () => resolve('connected'));
  });
  assert.equal(refused, 'ECONNREFUSED');
  sending.send('lo');
  assert.equal((await sending.answer()).body, 'hello');
  finish();
  const answer = await busy.answer();
  assert.equal(answer.body, 'ok');
  assert.equal(answer.field('connection'), 'close');
  assert.equal(await busy.end(), '');
  busy.close();
  sending.close();
  await closing;
  assert.ok(performance.now() - began < 40_000);
  assert.ok(!line.said.some((one) => one.includes('drain-timeout')));
  await line.logged(3);
});

test('close(): a request that was on its way is answered, on used and on new connections', async (t) => {
  const app = await server(t, () => ok('yes'));
  // Such a request is waited for a second: on a clock of our own, for as long as it takes here.
  const clock = manualClock();
  const line = await start(t, app.url, {}, {}, { clock });
  const [used, fresh] = [await line.connect(), await line.connect()];
  used.send(get());
  await used.answer();
  const closing = line.sluice.close(10_000);
  for (const peer of [used, fresh]) {
    peer.send(get('/late'));
    const answer = await peer.answer();
    assert.equal(answer.body, 'yes');
    assert.equal(answer.field('connection'), 'close');
    assert.equal(await peer.end(), '');
    peer.close();
  }
  const passing = setInterval(() => clock.advance(10), 5);
  await closing;
  clearInterval(passing);
  await line.logged(3);
});

test('close(): who was promised that the connection stays may ask once more', async (t) => {
  let finish = (): void => {};
  const app = await server(t, async (request, peer) => {
    if (request.target !== '/slow') return ok('last');
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha');
    await new Promise<void>((resolve) => (finish = resolve));
    return 'lf';
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(get('/slow'));
  await peer.until('ha');
  const closing = line.sluice.close(10_000);
  finish();
  await peer.until('lf');
  peer.send(get());
  const answer = await peer.answer();
  assert.equal(answer.body, 'last');
  assert.equal(answer.field('connection'), 'close');
  peer.close();
  await closing;
  await line.logged(2);
});

test('close(): after the grace the rest is cut, visibly, and the queue is emptied', async (t) => {
  const app = await server(t, async (_request, peer) => {
    peer.send('HTTP/1.1 200 OK\r\n\r\nhalf');
    await peer.end();
  });
  const line = await start(t, app.url, { maxConnections: 1 });
  const [busy, queued] = [await line.connect(), await line.connect()];
  busy.send('GET / HTTP/1.0\r\n\r\n');
  await busy.until('half');
  queued.send(get());
  await eventually(() => line.app.backlog.length === 1, 'one to wait');
  const closing = line.sluice.close(200);
  await busy.end();
  assert.equal(busy.ending, 'reset');
  assert.equal(await queued.end(), '');
  await closing;
  assert.ok(line.said.some((one) => one.startsWith('warn drain-timeout cut 2')));
  const logged = await line.logged(2);
  for (const one of logged) assert.equal(one.error, 'draining');
});

test('close() twice: the second one cuts at once', async (t) => {
  const app = await server(t, async (_request, peer) => void (await peer.end()));
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(get());
  await eventually(() => line.first.inFlight === 1, 'it to run');
  const first = line.sluice.close(60_000);
  const second = line.sluice.close(0);
  await Promise.all([first, second, peer.end()]);
  await line.logged(1);
});

test('more connections than limits.connections or of one address are answered 503 and closed', async (t) => {
  const app = await server(t, () => ok());
  for (const limits of [{ connections: 2 }, { connectionsPerAddress: 2 }]) {
    const line = await start(t, app.url, {}, { limits });
    const [one, two] = [await line.connect(), await line.connect()];
    one.send(get());
    await one.answer();
    two.send(get());
    await two.answer();
    const three = await line.connect();
    three.send(get());
    const answer = await three.answer();
    assert.equal(answer.status, 503);
    assert.match(answer.field('proxy-status') ?? '', /connection_limit_reached/);
    assert.equal(await three.end(), '');
    assert.ok(line.said.some((said) => said.startsWith('warn too-many-connections')));
    one.close();
    await eventually(() => line.sluice.shared.connections()[0] === 1, 'the first to be gone');
    const four = await line.connect();
    four.send(get());
    assert.equal((await four.answer()).status, 200);
    await line.logged(3);
  }
});

test('unix sockets on both sides: listener with its mode, stale file, origin, trusted peer', async (t) => {
  const path = folder(t);
  const app = await server(t, () => ok('by file'), join(path, 'app.sock'));
  const address = join(path, 'front.sock');
  const line = await start(
    t,
    app.url,
    {},
    { listen: { address: `unix:${address}`, mode: '600' }, trustedProxies: 'unix' },
  );
  assert.deepEqual(line.sluice.addresses, [`unix:${address}`]);
  assert.equal(statSync(address).mode & 0o777, 0o600);
  const peer = await client(t, address);
  peer.send(get('/', 'X-Forwarded-For: 9.9.9.9\r\n'));
  assert.equal((await peer.answer()).body, 'by file');
  assert.equal(app.requests[0]?.field('x-forwarded-for'), '9.9.9.9, unknown');
  // A connection that is cut has no RST to send here, and must not trip over that.
  peer.send(get('/').slice(0, 10));
  await sleep(20);
  await line.sluice.close(0);
  await line.logged(1);
});

test('a defect in the middle of the line is a 502 or a cut connection, and the process goes on', async (t) => {
  const app = await server(t, () => ok('fine'));
  const line = await start(t, app.url);
  const rooms = line.app as unknown as Record<string, unknown>;
  const honest = rooms['keyOf'];
  rooms['keyOf'] = () => {
    throw new Error('a defect');
  };
  const peer = await line.connect();
  peer.send(get());
  assert.doesNotMatch(await peer.end(), /200/);
  rooms['keyOf'] = honest;
  const next = await line.connect();
  next.send(get());
  assert.equal((await next.answer()).body, 'fine');
  const logged = await line.logged(2);
  assert.equal(logged[0]?.error, 'internal');
  assert.equal(line.said.filter((one) => one.startsWith('error internal Error: a defect')).length, 1);
  line.said.length = 0;
});
