import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from '../support/line.ts';
import { get, ok, origin, post, server, sleep } from '../support/scripted.ts';

const HEAD = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

test("the origin's 100 Continue reaches the client, once", async (t) => {
  const app = await origin(t, async (peer) => {
    const head = await peer.requestHead();
    assert.equal(head?.field('expect'), '100-continue');
    assert.equal(peer.held, '');
    peer.send(CONTINUE + CONTINUE);
    await peer.bytes(5);
    peer.send(ok());
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(HEAD);
  assert.equal((await peer.answer()).status, 100);
  await peer.silence(50);
  peer.send('hello');
  assert.equal((await peer.answer()).status, 200);
  await line.logged(1);
});

test('when the origin is silent, the client is told to go on after a second; a late 100 is not passed on', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    await peer.bytes(5);
    peer.send(CONTINUE + ok());
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  const began = Date.now();
  peer.send(HEAD);
  assert.equal((await peer.answer()).status, 100);
  assert.ok(Date.now() - began > 800, 'too early');
  peer.send('hello');
  assert.equal((await peer.answer()).status, 200);
  await line.logged(1);
});

test('a final answer instead of 100: the client gets it, and no 100 in the middle of its body', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.send('HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nno');
    await sleep(1300);
    peer.send('pe');
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(HEAD);
  const answer = await peer.answer();
  assert.equal(answer.status, 401);
  assert.equal(answer.body, 'nope');
  assert.equal(answer.field('connection'), 'close');
  assert.equal(await peer.end(), '');
  const [logged] = await line.logged(1);
  assert.equal(logged?.status, 401);
  await line.settled();
});

test('a client that does not wait for 100 is served, and may still be told', async (t) => {
  const app = await server(t, (request) => CONTINUE + ok(request.body));
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(`${HEAD}hello`);
  assert.equal((await peer.answer()).status, 100);
  assert.equal((await peer.answer()).body, 'hello');
  await sleep(1200);
  await peer.silence(1);
  peer.send(get());
  await peer.answer();
  await peer.answer();
  await line.logged(2);
});

test('a refusal made here comes instead of 100, and closes', async (t) => {
  const line = await start(t, 'http://127.0.0.1:1', {}, { routes: [{ respond: { status: 403, body: 'no' } }] });
  const peer = await line.connect();
  peer.send(HEAD);
  const answer = await peer.answer();
  assert.equal(answer.status, 403);
  assert.equal(answer.field('connection'), 'close');
  assert.equal(await peer.end(), '');
  await line.logged(1);
});

test('an unknown expectation is answered 417; that of an HTTP/1.0 client is ignored', async (t) => {
  const app = await server(t, (request) => ok(request.body));
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(post('hello', '/', 'Expect: 200-maybe\r\n'));
  assert.equal((await peer.answer()).status, 417);
  const old = await line.connect();
  old.send('POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
  await sleep(50);
  old.send('hello');
  assert.equal((await old.answer()).body, 'hello');
  const logged = await line.logged(2);
  assert.equal(logged[0]?.error, 'unknown-expectation');
});

test('early hints and other interim answers go to HTTP/1.1 clients, not to HTTP/1.0', async (t) => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n';
  const app = await server(t, async (_request, peer) => {
    peer.send(hints);
    await sleep(30);
    peer.send('HTTP/1.1 102 Processing\r\n\r\n');
    await sleep(30);
    return ok('done');
  });
  const line = await start(t, app.url);
  const modern = await line.connect();
  modern.send(get());
  const early = await modern.answer();
  assert.equal(early.status, 103);
  assert.equal(early.field('link'), '</a.css>; rel=preload');
  assert.equal(early.field('x-hop'), undefined);
  assert.equal((await modern.answer()).status, 102);
  assert.equal((await modern.answer()).body, 'done');
  const old = await line.connect();
  old.send('GET / HTTP/1.0\r\n\r\n');
  const only = await old.answer();
  assert.equal(only.status, 200);
  assert.equal(only.body, 'done');
  await line.logged(2);
});

test('an upload may take longer than the origin may be silent, also after a 100', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.send(CONTINUE);
    await peer.bytes(8);
    peer.send(ok());
  });
  const line = await start(t, app.url, { timeouts: { idle: '150ms', firstByte: '5s' } });
  const peer = await line.connect();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n');
  assert.equal((await peer.answer()).status, 100);
  for (const one of '01234567') {
    await sleep(100);
    peer.send(one);
  }
  assert.equal((await peer.answer()).status, 200);
  await line.logged(1);
});

test('an interim answer does not turn the wait for the answer into the shorter wait between reads', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.send('HTTP/1.1 102 Processing\r\n\r\n');
    await sleep(600);
    peer.send(ok());
  });
  const line = await start(t, app.url, { timeouts: { idle: '100ms', firstByte: '10s' } });
  const peer = await line.connect();
  peer.send(get());
  assert.equal((await peer.answer()).status, 102);
  assert.equal((await peer.answer()).status, 200);
  await line.logged(1);
});
