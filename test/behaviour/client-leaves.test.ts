import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../support/clock.ts';
import { start } from '../support/line.ts';
import { deafOrigin, eventually, get, ok, origin, post, server, sleep } from '../support/scripted.ts';

const HOW = ['fin', 'reset'] as const;

test('in the backlog: it is taken out at once', async (t) => {
  let finish = (): void => {};
  const app = await server(t, async () => {
    await new Promise<void>((resolve) => (finish = resolve));
    return ok();
  });
  const line = await start(t, app.url, { maxConnections: 1 });
  const first = await line.connect();
  first.send(get('/first'));
  await eventually(() => app.busy === 1, 'the slot to be taken');
  for (const how of HOW) {
    const peer = await line.connect();
    peer.send(get('/never'));
    await eventually(() => line.app.backlog.length === 1, 'the request to wait');
    peer[how]();
    await eventually(() => line.app.backlog.length === 0, 'the request to be taken out');
  }
  finish();
  await first.answer();
  const logged = await line.logged(3);
  assert.deepEqual(
    logged.map((one) => [one.target, one.status, one.error]),
    [
      ['/never', 499, 'client-gone'],
      ['/never', 499, 'client-gone'],
      ['/first', 200, undefined],
    ],
  );
  assert.equal(app.requests.length, 1);
});

test('while the connection to the origin is being made: that ends, and the request is never sent', async (t) => {
  const line = await start(t, await deafOrigin(t), { timeouts: { connect: '1m' } });
  for (const how of HOW) {
    const peer = await line.connect();
    peer.send(get('/never'));
    await eventually(() => line.first.connections === 1, 'the connecting to begin');
    peer[how]();
    await line.settled();
    assert.equal(line.first.connections, 0);
  }
  assert.equal(line.first.state, 'up');
  const logged = await line.logged(2);
  for (const one of logged) assert.equal(one.error, 'client-gone');
});

test('before the answer, during an upload, and in the middle of the answer: the origin is told, and not blamed', async (t) => {
  const ends: string[] = [];
  const app = await origin(t, async (peer) => {
    const head = await peer.requestHead();
    if (head?.target === '/answering') peer.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
    await peer.end();
    ends.push(peer.ending);
  });
  const line = await start(t, app.url);
  let count = 0;
  for (const how of HOW) {
    for (const request of [get('/waiting'), post('0123456789', '/sending').slice(0, -5), get('/answering')]) {
      const peer = await line.connect();
      peer.send(request);
      await eventually(
        () => line.first.inFlight === 1 && app.connections.length === count + 1,
        'the origin to have it',
      );
      if (request.includes('/answering')) await peer.until('half');
      peer[how]();
      count++;
      await eventually(() => ends.length === count, `the origin to be told: ${how}`);
    }
  }
  await line.settled();
  assert.equal(line.first.connections, 0);
  assert.equal(line.first.state, 'up');
  const logged = await line.logged(count);
  for (const one of logged) assert.equal(one.error, 'client-gone');
  assert.deepEqual(
    logged.map((one) => one.status),
    [499, 499, 200, 499, 499, 200],
  );
  assert.equal(logged[2]?.bytesOut, 4);
});

test('an upload in chunks that breaks off is never ended towards the origin', async (t) => {
  let seen = '';
  let done = false;
  const app = await origin(t, async (peer) => {
    seen = await peer.end();
    done = true;
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  await eventually(() => app.connections[0]?.held.endsWith('abc\r\n') === true, 'the origin to have it');
  peer.fin();
  await eventually(() => done, 'the origin to be told');
  assert.ok(seen.endsWith('3\r\nabc\r\n'), seen);
  await line.logged(1);
});

test('with the answer complete but not taken: the write limit cuts it, visibly', async (t) => {
  const size = 32 * 1024 * 1024;
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.send('HTTP/1.0 200 OK\r\n\r\n');
    peer.send(Buffer.alloc(size, 'x'));
    peer.fin();
  });
  const line = await start(t, app.url, {}, { timeouts: { write: '300ms' } });
  const peer = await line.connect();
  peer.pause();
  peer.send('GET / HTTP/1.0\r\n\r\n');
  const [logged] = await line.logged(1);
  assert.equal(logged?.error, 'client-slow');
  let got = 0;
  peer.socket.removeAllListeners('data');
  peer.socket.on('data', (chunk: Buffer) => void (got += chunk.length));
  peer.resume();
  await eventually(() => peer.ending !== 'open', 'the end');
  assert.equal(peer.ending, 'reset');
  assert.ok(got < size);
  await line.settled();
});

test('a client that reads slowly but steadily is not cut', async (t) => {
  const size = 8 * 1024 * 1024;
  const app = await server(t, () => ok('x'.repeat(size)));
  const line = await start(t, app.url, {}, { timeouts: { write: '2s' } });
  const peer = await line.connect();
  let got = 0;
  peer.socket.removeAllListeners('data');
  peer.socket.on('data', (chunk: Buffer) => {
    got += chunk.length;
    peer.pause();
    setTimeout(() => peer.resume(), 20);
  });
  peer.send(get());
  await eventually(() => got > size, 'the whole answer');
  const [logged] = await line.logged(1);
  assert.equal(logged?.error, undefined);
  assert.equal(logged?.bytesOut, size);
});

test('a client that ends its side once it has asked is answered, all its requests', async (t) => {
  const app = await server(t, async (request) => {
    await sleep(50);
    return ok(request.target + request.body);
  });
  // Such a client may be gone, and is waited for half a second: on a clock of our own, for as long as it takes here.
  const line = await start(t, app.url, {}, {}, { clock: manualClock() });
  const peer = await line.connect();
  peer.send(get('/1') + post('x', '/2') + get('/3'));
  peer.fin();
  for (const body of ['/1', '/2x', '/3']) assert.equal((await peer.answer()).body, body);
  assert.equal(await peer.end(), '');
  assert.equal(peer.ending, 'fin');
  const logged = await line.logged(3);
  for (const one of logged) assert.equal(one.error, undefined);
});

test('a pipelining client that leaves takes its later requests with it', async (t) => {
  const app = await server(t, async (request) => {
    await sleep(100);
    return ok(request.target);
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(get('/1') + get('/2') + get('/3'));
  await peer.answer();
  peer.reset();
  await line.settled();
  await sleep(150);
  assert.ok(app.requests.length <= 2, `${app.requests.length} requests`);
  const logged = await line.logged(app.requests.length);
  assert.equal(logged[0]?.status, 200);
});

test('what one client sends never ends up in the memory of another: aborted dials among busy neighbours', async (t) => {
  const wrong: string[] = [];
  const app = await server(t, (request) => {
    if (request.field('x-who') !== request.target.slice(1)) wrong.push(request.head);
    return ok(request.target);
  });
  const line = await start(t, app.url, { keepAlive: { idle: 0 } });
  const quitter = async (n: number): Promise<void> => {
    const peer = await line.connect();
    peer.send(get(`/q${n}`, `X-Who: q${n}\r\n`));
    if (n % 2 === 0) await new Promise(setImmediate);
    peer.reset();
  };
  const stayer = async (n: number): Promise<void> => {
    const peer = await line.connect();
    peer.send(get(`/s${n}`, `X-Who: s${n}\r\n`));
    assert.equal((await peer.answer()).body, `/s${n}`);
    peer.close();
  };
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? quitter : stayer)(round * 20 + i)));
  }
  await line.settled();
  assert.deepEqual(wrong, []);
});

test('with the last byte of the answer: logged once, as served or as gone', async (t) => {
  const app = await origin(t, async (peer) => {
    for (;;) {
      const request = await peer.request();
      if (request === undefined) return;
      const [, framing = ''] = request.target.split('/');
      if (framing === 'length') peer.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhalf');
      else if (framing === 'chunked') peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n');
    }
  });
  const line = await start(t, app.url, { keepAlive: { maxIdle: 1 } });
  const ENDS: Record<string, string> = { length: '!', chunked: '1\r\n!\r\n0\r\n\r\n', whole: ok('half!') };
  let count = 0;
  for (const framing of Object.keys(ENDS)) {
    for (const how of ['reset', 'fin', 'close'] as const) {
      for (const first of ['client', 'origin']) {
        const peer = await line.connect();
        peer.send(get(`/${framing}`));
        count++;
        if (framing !== 'whole') await peer.until('half');
        else await eventually(() => app.connections.some((one) => one.socket.bytesRead > 0), 'the origin to be asked');
        await eventually(() => line.first.inFlight === 1, 'the request to be with its origin');
        await sleep(10);
        const serving = app.connections.findLast((one) => !one.socket.destroyed && one.ending === 'open');
        // Both in one turn, so that sluice finds both at once; which one first depends on the order here.
        if (first === 'client') peer[how]();
        serving?.send(ENDS[framing] ?? '');
        if (first === 'origin') peer[how]();
        await line.settled();
        peer.close();
      }
    }
  }
  const logged = await line.logged(count);
  for (const one of logged) {
    const told = `${one.target} ${one.status} ${one.error} ${one.bytesOut}`;
    assert.match(told, /^\/\w+ (?:200 undefined 5|200 client-gone [45]|499 client-gone 0)$/);
  }
  assert.ok(logged.some((one) => one.error === undefined) && logged.some((one) => one.error === 'client-gone'));
  assert.equal(new Set(logged.map((one) => one.id)).size, count);
});
