import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from '../support/line.ts';
import { eventually, get, ok, origin, post, server, sleep } from '../support/scripted.ts';

test('answers without a body: HEAD, 204, 304, a length of 0; the connection goes on after each', async (t) => {
  const app = await server(t, (request) => {
    switch (request.target) {
      case '/head':
        return 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n';
      case '/chunked-head':
        return 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
      case '/204':
        return 'HTTP/1.1 204 No Content\r\n\r\n';
      case '/304':
        return 'HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: "x"\r\n\r\n';
      default:
        return 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
    }
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(get('/head').replace('GET', 'HEAD'));
  assert.equal((await peer.answer('head')).field('content-length'), '5000');
  peer.send(get('/chunked-head').replace('GET', 'HEAD'));
  assert.equal((await peer.answer('head')).field('content-length'), undefined);
  peer.send(get('/204'));
  assert.equal((await peer.answer()).status, 204);
  peer.send(get('/304'));
  const notModified = await peer.answer();
  assert.equal(notModified.field('etag'), '"x"');
  assert.equal(notModified.field('content-length'), '77');
  peer.send(get('/empty'));
  assert.equal((await peer.answer()).field('content-length'), '0');
  await peer.silence(20);
  assert.equal(app.connections.length, 1);
  const logged = await line.logged(5);
  assert.deepEqual(
    logged.map((one) => one.bytesOut),
    [0, 0, 0, 0, 0],
  );
});

test('a 204 or an interim answer with a Content-Length loses it, and a status line without a space gets it', async (t) => {
  const app = await server(
    t,
    () => 'HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nHTTP/1.1 204\r\nContent-Length: 5\r\n\r\n',
  );
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(get());
  assert.equal((await peer.answer()).field('content-length'), undefined);
  const answer = await peer.answer();
  assert.equal(answer.line, 'HTTP/1.1 204 ');
  assert.equal(answer.field('content-length'), undefined);
  await peer.silence(20);
});

test('chunked both ways, with trailers', async (t) => {
  const app = await server(t, (request) => {
    const echo = request.body
      .split('')
      .map((one) => `1\r\n${one}\r\n`)
      .join('');
    return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${echo}0\r\nX-Sum: 3\r\nX-Two: b\r\n\r\n`;
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nConnection: TE\r\n\r\n';
  await peer.drip(`${head}2;ext=1\r\nab\r\n1\r\nc\r\n0\r\nX-In: yes\r\nContent-Length: 9\r\n\r\n`);
  const answer = await peer.answer();
  assert.equal(answer.body, 'abc');
  assert.deepEqual(answer.trailers, ['X-Sum: 3', 'X-Two: b']);
  const [request] = app.requests;
  assert.equal(request?.body, 'abc');
  // What frames or routes a message may not come in its trailers.
  assert.deepEqual(request?.trailers, ['X-In: yes']);
  assert.equal(request?.field('te'), 'trailers');
  const [logged] = await line.logged(1);
  assert.equal(logged?.bytesIn, 3);
  assert.equal(logged?.bytesOut, 3);
});

test('an HTTP/1.0 client gets chunked and EOF-delimited answers up to the end of its connection', async (t) => {
  const app = await server(t, (request, peer) => {
    if (request.target === '/chunked') {
      return 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n';
    }
    peer.send('HTTP/1.0 200 OK\r\n\r\nhello');
    peer.fin();
    return undefined;
  });
  const line = await start(t, app.url);
  for (const target of ['/chunked', '/eof']) {
    const peer = await line.connect();
    peer.send(`GET ${target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`);
    const answer = await peer.answer();
    assert.equal(answer.field('transfer-encoding'), undefined);
    assert.equal(answer.field('connection'), 'close');
    assert.equal(answer.body, 'hello');
    assert.equal(peer.ending, 'fin');
  }
  await line.logged(2);
});

test('an HTTP/1.1 client gets an EOF-delimited answer in chunks and keeps its connection; the channel is not used again', async (t) => {
  const app = await server(t, async (_request, peer) => {
    peer.send('HTTP/1.1 200 OK\r\n\r\nhel');
    await sleep(20);
    peer.send('lo');
    await sleep(20);
    peer.fin();
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  for (let i = 0; i < 2; i++) {
    peer.send(get());
    const answer = await peer.answer();
    assert.equal(answer.field('transfer-encoding'), 'chunked');
    assert.equal(answer.body, 'hello');
  }
  assert.equal(app.connections.length, 2);
  await line.logged(2);
});

test('a body larger than limits.body is refused by its length before any origin is asked', async (t) => {
  const app = await server(t, () => ok());
  const line = await start(t, app.url, {}, { limits: { body: '1KiB' } });
  const peer = await line.connect();
  peer.send(post('x'.repeat(1024)));
  assert.equal((await peer.answer()).status, 200);
  peer.send(post('x'.repeat(1025)));
  const answer = await peer.answer();
  assert.equal(answer.status, 413);
  assert.equal(answer.field('connection'), 'close');
  await peer.end();
  assert.equal(app.requests.length, 1);
  const logged = await line.logged(2);
  assert.equal(logged[1]?.error, 'body-too-large');
});

test('a chunked body that grows too large is refused in the middle, and the origin never sees it complete', async (t) => {
  let seen = '';
  const app = await origin(t, async (peer) => void (seen = await peer.end()));
  const line = await start(t, app.url, {}, { limits: { body: '1KiB' } });
  const peer = await line.connect();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n200\r\n' + 'x'.repeat(512) + '\r\n');
  await eventually(() => app.connections[0]?.held.includes('xxx') === true, 'the first chunk to be there');
  peer.send('201\r\n' + 'y'.repeat(513) + '\r\n0\r\n\r\n');
  const answer = await peer.answer();
  assert.equal(answer.status, 413);
  await peer.end();
  const [logged] = await line.logged(1);
  assert.equal(logged?.error, 'body-too-large');
  await line.settled();
  await eventually(() => seen !== '', 'the origin to be told');
  assert.ok(seen.includes('xxx'));
  assert.ok(!seen.includes('\r\n0\r\n'), 'the chunked body was ended');
});

test('a malformed chunk is answered 400 and cuts the origin off', async (t) => {
  let seen = '';
  const app = await origin(t, async (peer) => void (seen = await peer.end()));
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  await eventually(() => app.connections[0]?.held.includes('abc') === true, 'the first chunk to be there');
  peer.send('zz\r\n');
  assert.equal((await peer.answer()).status, 400);
  await line.logged(1);
  await line.settled();
  await eventually(() => seen !== '', 'the origin to be told');
  assert.ok(!seen.includes('\r\n0\r\n'));
});

test('a body that stalls is answered 408', async (t) => {
  const app = await origin(t, async (peer) => void (await peer.end()));
  const line = await start(t, app.url, {}, { timeouts: { body: '200ms' } });
  const peer = await line.connect();
  peer.send(post('0123456789').slice(0, -5));
  assert.equal((await peer.answer()).status, 408);
  await peer.end();
  const [logged] = await line.logged(1);
  assert.equal(logged?.error, 'body-timeout');
  assert.equal(logged?.bytesIn, 5);
  await line.settled();
});

test('a body whose chunks are broken while the request waits for an origin does not disturb the 504', async (t) => {
  let finish = (): void => {};
  const app = await server(t, () => new Promise<void>((resolve) => (finish = resolve)).then(() => ok()));
  const line = await start(t, app.url, { maxConnections: 1, queue: { timeout: '200ms' } });
  const busy = await line.connect();
  busy.send(get());
  await eventually(() => app.busy === 1, 'the slot to be taken');
  const peer = await line.connect();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n');
  assert.equal((await peer.answer()).status, 504);
  await peer.end();
  finish();
  await busy.answer();
  await line.logged(2);
});

test('a small body that nobody wants is read and dropped, and the connection goes on', async (t) => {
  const line = await start(t, 'http://127.0.0.1:1', {}, { routes: [{ respond: { body: 'no' } }] });
  const peer = await line.connect();
  const request = post('x'.repeat(1000));
  peer.send(request.slice(0, -500));
  assert.equal((await peer.answer()).body, 'no');
  peer.send(request.slice(-500) + get());
  assert.equal((await peer.answer()).body, 'no');
  await line.logged(2);
});

test('broken chunks of a body that nobody wants end the connection, and nothing else', async (t) => {
  const line = await start(t, 'http://127.0.0.1:1', {}, { routes: [{ respond: { body: 'no' } }] });
  const peer = await line.connect();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  const answer = await peer.answer();
  assert.equal(answer.body, 'no');
  assert.equal(answer.field('connection'), 'close');
  peer.send('zz\r\n');
  assert.equal(await peer.end(), '');
  const [logged] = await line.logged(1);
  assert.equal(logged?.status, 200);
});

test('a client that never sends the rest of an unwanted body is closed in the end, and logged once', async (t) => {
  const line = await start(
    t,
    'http://127.0.0.1:1',
    {},
    { routes: [{ respond: { body: 'no' } }], timeouts: { body: '100ms' } },
  );
  for (const leave of ['wait', 'fin', 'reset'] as const) {
    const peer = await line.connect();
    peer.send(post('x'.repeat(1000)).slice(0, -500));
    assert.equal((await peer.answer()).body, 'no');
    if (leave !== 'wait') peer[leave]();
    if (leave !== 'reset') assert.equal(await peer.end(), '');
  }
  const logged = await line.logged(3);
  for (const one of logged) assert.equal(one.status, 200);
});
