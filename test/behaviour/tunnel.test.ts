import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { makeHooks } from '../../src/proxy/hooks.ts';
import { manualClock } from '../support/clock.ts';
import { type Line, start } from '../support/line.ts';
import { eventually, get, ok, origin, type Peer, server, sleep } from '../support/scripted.ts';

const ASK = get('/chat', 'Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n');
const YES = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Key: y\r\n\r\n';

/** A line with one tunnel through it. */
async function joined(t: TestContext, early = '', idle = '1m'): Promise<{ line: Line; near: Peer; far: Peer }> {
  const app = await origin(t, async (peer) => {
    const head = await peer.requestHead();
    assert.equal(head?.field('connection'), 'Upgrade');
    assert.equal(head?.field('upgrade'), 'websocket');
    peer.send(YES + early);
  });
  const line = await start(t, app.url, {}, { timeouts: { tunnel: idle } });
  const near = await line.connect();
  near.send(ASK);
  const answer = await near.answer();
  assert.equal(answer.status, 101);
  assert.equal(answer.field('connection'), 'Upgrade');
  assert.equal(answer.field('upgrade'), 'websocket');
  assert.equal(answer.field('x-key'), 'y');
  return { line, near, far: app.connections[0] };
}

test('bytes pass both ways, those that came with the 101 first', async (t) => {
  const { line, near, far } = await joined(t, 'early ');
  assert.equal(await near.until('early '), 'early ');
  far.send('from afar');
  assert.equal(await near.bytes(9), 'from afar');
  near.send('\0\xff\r\n');
  assert.equal(await far.bytes(4), '\0\xff\r\n');
  near.fin();
  assert.equal(await far.end(), '');
  far.fin();
  assert.equal(await near.end(), '');
  const [logged] = await line.logged(1);
  assert.equal(logged?.status, 101);
  assert.equal(logged?.bytesIn, 4);
  assert.equal(logged?.bytesOut, 15);
  await line.settled();
});

test('bytes that a client sends before it has the 101 reach the origin after it', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    await sleep(50);
    peer.send(YES);
    assert.equal(await peer.bytes(5), 'hello');
    peer.send('bye');
    peer.fin();
  });
  const line = await start(t, app.url);
  const near = await line.connect();
  near.send(`${ASK}hello`);
  assert.equal((await near.answer()).status, 101);
  assert.equal(await near.end(), 'bye');
  near.fin();
  await line.logged(1);
  await line.settled();
});

test('each side may end and still receive', async (t) => {
  for (const first of ['near', 'far'] as const) {
    const ends = await joined(t);
    const [a, b] = first === 'near' ? [ends.near, ends.far] : [ends.far, ends.near];
    a.send('last words');
    a.fin();
    assert.equal(await b.end(), 'last words');
    assert.equal(b.ending, 'fin');
    for (let i = 0; i < 3; i++) {
      b.send(`answer ${i}`);
      assert.equal(await a.bytes(8), `answer ${i}`);
      await sleep(20);
    }
    b.fin();
    assert.equal(await a.end(), '');
    assert.equal(a.ending, 'fin');
    await ends.line.logged(1);
    await ends.line.settled();
  }
});

test('a side that breaks takes the other with it', async (t) => {
  for (const first of ['near', 'far'] as const) {
    const ends = await joined(t);
    ends[first].reset();
    const other = first === 'near' ? ends.far : ends.near;
    await other.end();
    assert.equal(other.ending, 'reset');
    await ends.line.logged(1);
    await ends.line.settled();
  }
});

test('a tunnel ends when nothing passes for timeouts.tunnel, and not before', async (t) => {
  const { line, near, far } = await joined(t, '', '2s');
  for (let i = 0; i < 6; i++) {
    (i % 2 === 0 ? near : far).send('x');
    await (i % 2 === 0 ? far : near).bytes(1);
    await sleep(600);
  }
  assert.equal(near.ending, 'open');
  assert.equal(await near.end(), '');
  assert.equal(await far.end(), '');
  await line.logged(1);
  await line.settled();
});

test('a reader that does not read stops the writer at the other end', async (t) => {
  for (const first of ['near', 'far'] as const) {
    const ends = await joined(t);
    const [reader, writer] = first === 'near' ? [ends.near, ends.far] : [ends.far, ends.near];
    const had = reader.total;
    reader.pause();
    const total = 32 * 1024 * 1024;
    const piece = Buffer.alloc(1024 * 1024, 'x');
    for (let sent = 0; sent < total; sent += piece.length) writer.send(piece);
    writer.fin();
    let before = -1;
    await eventually(() => {
      const now = writer.socket.bytesWritten - writer.socket.writableLength;
      const still = now === before;
      before = now;
      return still;
    }, 'the writer to stall');
    await sleep(100);
    assert.ok(writer.socket.writableLength > 0, 'everything went into memory');
    // Count from here on instead of keeping 32 MiB of text.
    let got = reader.total - had;
    reader.socket.removeAllListeners('data');
    reader.socket.on('data', (chunk: Buffer) => void (got += chunk.length));
    reader.resume();
    await eventually(() => got === total, 'all bytes');
    reader.fin();
    await ends.line.logged(1);
    await ends.line.settled();
  }
});

test('an origin that does not upgrade answers as ever, and the connection goes on', async (t) => {
  const app = await server(t, (request) =>
    request.target === '/chat'
      ? 'HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: other/2\r\nContent-Length: 2\r\n\r\nno'
      : ok(),
  );
  const line = await start(t, app.url);
  const near = await line.connect();
  near.send(ASK);
  const answer = await near.answer();
  assert.equal(answer.status, 426);
  assert.equal(answer.body, 'no');
  assert.equal(answer.field('upgrade'), 'other/2');
  assert.equal(answer.field('connection'), 'Upgrade');
  near.send(get());
  assert.equal((await near.answer()).body, 'ok');
  assert.equal(app.connections.length, 1);
  await line.logged(2);
});

test('a 101 that was not asked for, or to something else, or before the end of the request, is 502', async (t) => {
  let closed = 0;
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.send(`${YES}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`);
    await peer.end();
    closed++;
  });
  const line = await start(t, app.url);
  const asks = [
    get(),
    get('/', 'Upgrade: websocket\r\n'),
    get('/', 'Connection: Upgrade\r\nUpgrade: irc\r\n'),
    ASK.replace('1.1', '1.0'),
    ASK.replace('GET', 'POST').replace('Sec-', 'Content-Length: 10\r\nSec-'),
  ];
  for (const ask of asks) {
    const near = await line.connect();
    near.send(ask);
    const answer = await near.answer();
    assert.equal(answer.status, 502, ask);
    assert.match(answer.field('proxy-status') ?? '', /http_upgrade_failed/);
  }
  await eventually(() => closed === asks.length, 'all channels to be closed');
  const logged = await line.logged(asks.length);
  for (const one of logged) assert.equal(one.error, 'bad-upgrade');
});

test('HTTP/2 in clear text is never offered to an origin', async (t) => {
  const app = await server(t, () => ok());
  const line = await start(t, app.url);
  const near = await line.connect();
  near.send(get('/', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'));
  assert.equal((await near.answer()).status, 200);
  near.send(get('/', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, websocket\r\nHTTP2-Settings: AAMAAABk\r\n'));
  assert.equal((await near.answer()).status, 200);
  const [first, second] = app.requests;
  assert.equal(first?.field('upgrade'), undefined);
  assert.equal(first?.field('connection'), undefined);
  assert.equal(first?.field('http2-settings'), undefined);
  assert.equal(second?.field('upgrade'), 'websocket');
  await line.logged(2);
});

test('close() lets tunnels go on for the grace and then cuts them', async (t) => {
  const { line, near, far } = await joined(t);
  const closing = line.sluice.close(2000);
  near.send('still');
  assert.equal(await far.bytes(5), 'still');
  await near.end();
  await far.end();
  await closing;
  assert.ok(line.said.some((one) => one.includes('drain-timeout')));
  await line.logged(1);
});

test('a client that ends its side before the 101: the origin hears of it, and the client still gets everything', async (t) => {
  for (const pause of [0, 50]) {
    const app = await origin(t, async (peer) => {
      await peer.requestHead();
      await sleep(pause);
      peer.send(YES);
      const got = await peer.end();
      assert.equal(peer.ending, 'fin');
      peer.send(`got ${got}`);
      peer.fin();
    });
    // Who has ended its side may be waited for half a second: on a clock of our own, for as long as it takes here.
    const line = await start(t, app.url, {}, {}, { clock: manualClock() });
    const near = await line.connect();
    near.send(`${ASK}all I say`);
    near.fin();
    assert.equal((await near.answer()).status, 101);
    assert.equal(await near.end(), 'got all I say');
    assert.equal(near.ending, 'fin');
    const [logged] = await line.logged(1);
    assert.equal(logged?.status, 101);
    assert.equal(logged?.error, undefined);
    await line.settled();
  }
});

test('an origin that ends its side right behind the 101: the client hears of it, and may go on sending, also after a slow hook', async (t) => {
  for (const hooks of [{}, { onResponse: () => sleep(60) }]) {
    let got = '';
    const app = await origin(t, async (peer) => {
      await peer.requestHead();
      peer.send(`${YES}bye`);
      peer.fin();
      got = await peer.end();
    });
    const line = await start(t, app.url, {}, {}, { hooks: makeHooks(hooks) });
    const near = await line.connect();
    near.send(ASK);
    assert.equal((await near.answer()).status, 101);
    assert.equal(await near.end(), 'bye');
    assert.equal(near.ending, 'fin');
    near.send('still here');
    near.fin();
    await eventually(
      () => got === 'still here',
      () => `the origin to get the rest, not ${got}`,
    );
    const [logged] = await line.logged(1);
    assert.equal(logged?.status, 101);
    await line.settled();
  }
});
