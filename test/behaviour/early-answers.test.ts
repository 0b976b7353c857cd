/** An origin that answers before it has the whole request: when that answer is complete, and how long it may pause. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from '../support/line.ts';
import { get, origin, type Peer, sleep } from '../support/scripted.ts';

const SIZE = 1_000_000;
const UPLOAD = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`;
const ROUNDS = 5;

/** What a client has got of an answer without a length looks whole to it. */
function looksWhole(version: string, got: string, peer: Peer): boolean {
  return version === '1.1' ? got.endsWith('0\r\n\r\n') : peer.ending === 'fin';
}

for (const version of ['1.1', '1.0']) {
  test(`an end that follows a failed write of the request is not the end of an answer: to HTTP/${version}`, async (t) => {
    const app = await origin(t, async (peer) => {
      await peer.requestHead();
      peer.pause();
      peer.send('HTTP/1.1 200 OK\r\n\r\nhalf');
    });
    const line = await start(t, app.url);
    for (let round = 0; round < ROUNDS; round++) {
      const peer = await line.connect();
      peer.send(UPLOAD.replace('1.1', version));
      await peer.until('half');
      // In this order and in one turn, the write of these bytes fails and takes the news of the reset with it: all that
      // reading tells then is an ordinary end.
      peer.send('x'.repeat(1000));
      app.connections[round].reset();
      const got = await peer.end();
      assert.ok(!looksWhole(version, got, peer), `${JSON.stringify(got)}, then ${peer.ending}`);
      peer.close();
    }
    const logged = await line.logged(ROUNDS);
    for (const one of logged) assert.equal(one.error, 'answer-incomplete');
    await line.settled();
  });

  test(`a reset right behind the last byte of an answer that ends with the connection: to HTTP/${version}`, async (t) => {
    const app = await origin(t, async (peer) => {
      await peer.request();
      peer.send('HTTP/1.1 200 OK\r\n\r\nhalf');
      peer.reset();
    });
    const line = await start(t, app.url);
    for (let round = 0; round < ROUNDS; round++) {
      const peer = await line.connect();
      peer.send(get().replace('1.1', version));
      const got = await peer.end();
      assert.ok(!looksWhole(version, got, peer), `${JSON.stringify(got)}, then ${peer.ending}`);
      peer.close();
    }
    const logged = await line.logged(ROUNDS);
    for (const one of logged) assert.equal(one.error, 'answer-incomplete');
    await line.settled();
  });
}

test('one that answers early and then says and takes nothing is given up after timeouts.idle', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
  });
  const line = await start(t, app.url, { timeouts: { idle: '200ms' } });
  // Of the body comes nothing, some with the head, or some once the answer has begun.
  for (const [before, after] of [
    ['', ''],
    ['x'.repeat(5000), ''],
    ['', 'x'.repeat(5000)],
  ]) {
    const peer = await line.connect();
    peer.send(UPLOAD + before);
    await peer.until('half');
    peer.send(after);
    assert.equal(await peer.end(), '');
    peer.close();
  }
  const logged = await line.logged(3);
  for (const one of logged) assert.equal(one.error, 'answer-stalled');
  await line.settled();
});

test('one that answers early and goes on, slowly but steadily, is not, with a client that uploads meanwhile or pauses', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n');
    for (let i = 0; i < 10; i++) {
      await sleep(300);
      peer.send(String(i));
    }
  });
  const line = await start(t, app.url, { timeouts: { idle: '2s' } });
  for (const pauses of [true, false]) {
    const peer = await line.connect();
    peer.send(UPLOAD);
    let left = pauses ? 0 : SIZE;
    const feeding = setInterval(() => {
      if (left > 1000) peer.send('x'.repeat(1000));
      left -= 1000;
    }, 30);
    t.after(() => clearInterval(feeding));
    assert.equal((await peer.answer()).body, '0123456789');
    clearInterval(feeding);
    peer.close();
  }
  const logged = await line.logged(2);
  for (const one of logged) assert.equal(one.bytesOut, 10);
});

test('one that takes the upload slowly while it answers slowly is alive, and gets every byte', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let taken = 0; taken < SIZE; taken += SIZE / 10) {
      await peer.bytes(SIZE / 10);
      await sleep(50);
    }
    peer.send('2\r\nok\r\n0\r\n\r\n');
  });
  const line = await start(t, app.url, { timeouts: { idle: '2s' } });
  const peer = await line.connect();
  peer.send(UPLOAD);
  for (let sent = 0; sent < SIZE; sent += 50_000) {
    peer.send('x'.repeat(50_000));
    await sleep(150);
  }
  assert.equal((await peer.answer()).body, 'ok');
  const [logged] = await line.logged(1);
  assert.equal(logged?.bytesIn, SIZE);
});
