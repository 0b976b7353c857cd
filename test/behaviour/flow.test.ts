import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from '../support/line.ts';
import { eventually, get, ok, origin, type Peer, sleep } from '../support/scripted.ts';

const SIZE = 24 * 1024 * 1024;

/** Counts what comes instead of keeping it. */
function count(peer: Peer): () => number {
  let bytes = 0;
  peer.socket.removeAllListeners('data');
  peer.socket.on('data', (chunk: Buffer) => void (bytes += chunk.length));
  return () => bytes;
}

/** Sends as fast as it is taken. */
async function pour(peer: Peer, size: number): Promise<void> {
  const piece = Buffer.alloc(65_536, 'x');
  for (let sent = 0; sent < size && !peer.socket.destroyed; sent += piece.length) {
    if (peer.socket.write(piece.subarray(0, Math.min(piece.length, size - sent)))) continue;
    await new Promise((resolve) => {
      peer.socket.once('drain', resolve);
      if (sent === 0) peer.socket.once('close', () => peer.socket.emit('drain'));
    });
  }
}

/** Waits until this side's writing has come to a standstill; tells how much was taken. */
async function stalled(peer: Peer): Promise<number> {
  let before = -1;
  let calm = 0;
  await eventually(() => {
    const now = peer.socket.bytesWritten - peer.socket.writableLength;
    calm = now === before ? calm + 1 : 0;
    before = now;
    return calm > 40;
  }, 'a standstill');
  return before;
}

for (const framing of ['length', 'chunked', 'close'] as const) {
  test(`a slow reader stops the origin, and gets every byte in the end: ${framing}`, async (t) => {
    const app = await origin(t, async (peer) => {
      await peer.requestHead();
      if (framing === 'length') peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
      else if (framing === 'close') peer.send('HTTP/1.1 200 OK\r\n\r\n');
      else peer.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${SIZE.toString(16)}\r\n`);
      await pour(peer, SIZE);
      if (framing === 'chunked') peer.send('\r\n0\r\n\r\n');
      if (framing === 'close') peer.fin();
    });
    const line = await start(t, app.url);
    const peer = await line.connect();
    peer.send(get('/', 'Connection: close\r\n'));
    await peer.until('\r\n\r\n');
    peer.pause();
    const before = process.memoryUsage().arrayBuffers;
    await eventually(() => app.connections.length === 1, 'the origin to be asked');
    const taken = await stalled(app.connections[0]);
    assert.ok(taken < SIZE, `the origin got rid of all ${taken} bytes`);
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < 2 * 1024 * 1024, `${grown} bytes are held`);
    const held = framing === 'length' ? peer.held.length : 0;
    const got = count(peer);
    peer.resume();
    await eventually(() => peer.ending !== 'open', 'the end');
    assert.equal(peer.ending, 'fin');
    if (framing === 'length') assert.equal(got() + held, SIZE);
    const [logged] = await line.logged(1);
    assert.equal(logged?.bytesOut, SIZE);
    assert.equal(logged?.error, undefined);
    await line.settled();
  });
}

for (const framing of ['length', 'chunked'] as const) {
  test(`a slow origin stops the uploader, and gets every byte in the end: ${framing}`, async (t) => {
    let got: () => number = () => 0;
    const app = await origin(t, async (peer) => {
      await peer.requestHead();
      peer.pause();
      const held = peer.held.length;
      const counted = count(peer);
      got = () => held + counted();
      await eventually(() => got() >= SIZE, 'the whole body');
      // The framing of chunks comes on top.
      if (framing === 'chunked') await sleep(100);
      peer.send(ok());
    });
    const line = await start(t, app.url);
    const peer = await line.connect();
    peer.send(
      framing === 'length'
        ? `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`
        : `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${SIZE.toString(16)}\r\n`,
    );
    const poured = pour(peer, SIZE);
    await eventually(() => app.connections.length === 1, 'the origin to be asked');
    const taken = await stalled(peer);
    assert.ok(taken < SIZE, `the client got rid of all ${taken} bytes`);
    app.connections[0]?.resume();
    await poured;
    if (framing === 'chunked') peer.send('\r\n0\r\n\r\n');
    assert.equal((await peer.answer()).status, 200);
    const [logged] = await line.logged(1);
    assert.equal(logged?.bytesIn, SIZE);
    await line.settled();
  });
}

test('an origin may pause longer than the client may', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.pause();
    await sleep(2500);
    const held = peer.held.length;
    const got = count(peer);
    peer.resume();
    await eventually(() => got() + held === SIZE, 'every byte');
    peer.send(ok());
  });
  const line = await start(t, app.url, {}, { timeouts: { body: '1500ms' } });
  const peer = await line.connect();
  peer.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`);
  void pour(peer, SIZE);
  assert.equal((await peer.answer()).status, 200);
  await line.logged(1);
});

test('an origin that takes nothing of an upload for timeouts.idle is given up', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.pause();
  });
  const line = await start(t, app.url, { timeouts: { idle: '300ms' } });
  const peer = await line.connect();
  peer.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`);
  void pour(peer, SIZE);
  const answer = await peer.answer();
  assert.equal(answer.status, 504);
  assert.match(answer.field('proxy-status') ?? '', /connection_write_timeout/);
  const [logged] = await line.logged(1);
  assert.equal(logged?.error, 'origin-stalled');
  peer.close();
  await line.settled();
});

test('a slow reader may pause longer than the origin may', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
    await pour(peer, SIZE);
  });
  const line = await start(t, app.url, { timeouts: { idle: '1500ms' } });
  const peer = await line.connect();
  peer.send(get());
  await peer.until('\r\n\r\n');
  peer.pause();
  await sleep(2500);
  const held = peer.held.length;
  const got = count(peer);
  peer.resume();
  await eventually(() => got() + held === SIZE, 'every byte');
  const [logged] = await line.logged(1);
  assert.equal(logged?.error, undefined);
});

test('upload and answer at the same time, both long', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    // An echo: what comes goes back as a chunk each.
    let left = SIZE;
    const echo = (chunk: Buffer): void => {
      left -= chunk.length;
      peer.socket.write(`${chunk.length.toString(16)}\r\n`);
      if (!peer.socket.write(chunk)) {
        peer.pause();
        peer.socket.once('drain', () => peer.resume());
      }
      peer.send(left === 0 ? '\r\n0\r\n\r\n' : '\r\n');
    };
    const first = peer.held;
    peer.socket.removeAllListeners('data');
    if (first !== '') echo(Buffer.from(first, 'latin1'));
    peer.socket.on('data', echo);
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\nConnection: close\r\n\r\n`);
  await Promise.all([pour(peer, SIZE), peer.until('\r\n\r\n').then(() => count(peer))]);
  const [logged] = await line.logged(1);
  assert.equal(logged?.bytesIn, SIZE);
  assert.equal(logged?.bytesOut, SIZE);
  assert.equal(logged?.error, undefined);
  await line.settled();
});
