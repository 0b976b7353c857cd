import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from '../support/line.ts';
import { get, ok, post, server, sleep } from '../support/scripted.ts';

test('a request that comes byte after byte is one request', async (t) => {
  const app = await server(t, (request) => ok(request.body));
  const line = await start(t, app.url);
  const peer = await line.connect();
  await peer.drip(post('hello', '/slow', 'X-Test: 1\r\n'));
  const answer = await peer.answer();
  assert.equal(answer.status, 200);
  assert.equal(answer.body, 'hello');
  assert.equal(app.requests.length, 1);
  assert.equal(app.requests[0]?.field('x-test'), '1');
  const [logged] = await line.logged(1);
  assert.equal(logged?.target, '/slow');
  assert.equal(logged?.bytesIn, 5);
  assert.equal(logged?.bytesOut, 5);
});

test('half a head and then silence is answered 408, logged once, and closed', async (t) => {
  const app = await server(t, () => ok());
  const line = await start(t, app.url, {}, { timeouts: { head: '200ms' } });
  const peer = await line.connect();
  peer.send('GET /half HTTP/1.1\r\nHost: a');
  const answer = await peer.answer();
  assert.equal(answer.status, 408);
  assert.equal(answer.field('connection'), 'close');
  await peer.end();
  peer.close();
  const [logged] = await line.logged(1);
  assert.equal(logged?.error, 'head-timeout');
  assert.equal(logged?.status, 408);
  assert.equal(app.connections.length, 0);
});

test('bytes that trickle in do not prolong the time for a head', async (t) => {
  const line = await start(t, 'http://127.0.0.1:1', {}, { timeouts: { head: '300ms' } });
  const peer = await line.connect();
  const head = get('/', 'X-Long: '.padEnd(500, 'x'));
  let sent = 0;
  const trickle = setInterval(() => peer.send(head[sent++] ?? 'x'), 20);
  t.after(() => clearInterval(trickle));
  const answer = await peer.answer();
  clearInterval(trickle);
  assert.equal(answer.status, 408);
  assert.ok(sent < head.length);
  await line.logged(1);
});

test('a connection that never sends anything is closed without a word', async (t) => {
  const line = await start(t, 'http://127.0.0.1:1', {}, { timeouts: { head: '100ms' } });
  const peer = await line.connect();
  assert.equal(await peer.end(), '');
  await line.logged(0);
});

test('half a head and then the end of the connection is no request', async (t) => {
  const line = await start(t, 'http://127.0.0.1:1');
  for (const leave of ['fin', 'reset'] as const) {
    const peer = await line.connect();
    peer.send('GET / HTTP/1.1\r\nHo');
    await sleep(20);
    peer[leave]();
    if (leave === 'fin') assert.equal(await peer.end(), '');
  }
  await line.logged(0);
});

test('an idle connection is closed after timeouts.keepAlive, and empty lines between requests are not a request', async (t) => {
  const app = await server(t, () => ok());
  const line = await start(t, app.url, {}, { timeouts: { keepAlive: '3s', head: '1s' } });
  const peer = await line.connect();
  peer.send(get());
  assert.equal((await peer.answer()).body, 'ok');
  peer.send('\r\n');
  await sleep(1500);
  peer.send('\r\n' + get());
  assert.equal((await peer.answer()).body, 'ok');
  peer.send('\r\n');
  assert.equal(await peer.end(), '');
  await line.logged(2);
});

test('HTTP/1.1 stays open unless asked to close; HTTP/1.0 closes unless asked to stay', async (t) => {
  const app = await server(t, () => ok());
  const line = await start(t, app.url);
  const modern = await line.connect();
  modern.send(get());
  assert.equal((await modern.answer()).field('connection'), undefined);
  modern.send(get('/', 'Connection: close\r\n'));
  assert.equal((await modern.answer()).field('connection'), 'close');
  assert.equal(await modern.end(), '');

  const old = await line.connect();
  old.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  const first = await old.answer();
  assert.equal(first.field('connection'), 'keep-alive');
  assert.equal(first.line, 'HTTP/1.1 200 OK');
  old.send('GET / HTTP/1.0\r\n\r\n');
  assert.equal((await old.answer()).field('connection'), 'close');
  assert.equal(await old.end(), '');
  // Without a Host the origin gets its own address.
  assert.equal(app.requests[2]?.field('host'), `127.0.0.1:${app.port}`);
  await line.logged(4);
});

test('keepAlive.requests closes a connection after that many', async (t) => {
  const app = await server(t, () => ok());
  const line = await start(t, app.url, {}, { keepAlive: { requests: 2 } });
  const peer = await line.connect();
  peer.send(get('/1') + get('/2') + get('/3'));
  assert.equal((await peer.answer()).field('connection'), undefined);
  assert.equal((await peer.answer()).field('connection'), 'close');
  assert.equal(await peer.end(), '');
  peer.close();
  assert.equal(app.requests.length, 2);
  await line.logged(2);
});

test('pipelined requests are answered in order, also when the first takes longest', async (t) => {
  const app = await server(t, async (request) => {
    if (request.target === '/0') await sleep(100);
    return ok(`${request.target}:${request.body}`);
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  const chunked = 'POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n';
  peer.send(get('/0') + post('one', '/1') + chunked + '\r\n' + get('/3') + post('four', '/4'));
  const bodies: string[] = [];
  for (let i = 0; i < 5; i++) bodies.push((await peer.answer()).body);
  assert.deepEqual(bodies, ['/0:', '/1:one', '/2:abcde', '/3:', '/4:four']);
  assert.equal(app.mostBusy, 1);
  const logged = await line.logged(5);
  assert.deepEqual(
    logged.map((one) => [one.target, one.bytesIn]),
    [
      ['/0', 0],
      ['/1', 3],
      ['/2', 5],
      ['/3', 0],
      ['/4', 4],
    ],
  );
});

test('a long pipeline in small pieces is answered whole, over one channel', async (t) => {
  const app = await server(t, (request) => ok(request.target));
  const line = await start(t, app.url);
  const peer = await line.connect();
  const count = 200;
  const all = Array.from({ length: count }, (_, i) => (i % 3 === 0 ? post('x'.repeat(i), `/${i}`) : get(`/${i}`))).join(
    '',
  );
  for (let i = 0; i < all.length; i += 997) {
    peer.send(all.slice(i, i + 997));
    await new Promise(setImmediate);
  }
  for (let i = 0; i < count; i++) assert.equal((await peer.answer()).body, `/${i}`);
  assert.equal(app.connections.length, 1);
  await line.logged(count);
});

test('a bad request in a pipeline ends it, after the answers to what came before', async (t) => {
  const app = await server(t, async (request) => {
    await sleep(30);
    return ok(request.target);
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(get('/good') + 'GET /bad HTTP/1.1\r\n\r\n' + get('/never'));
  assert.equal((await peer.answer()).body, '/good');
  const bad = await peer.answer();
  assert.equal(bad.status, 400);
  assert.equal(bad.field('connection'), 'close');
  assert.equal(await peer.end(), '');
  peer.close();
  const logged = await line.logged(2);
  assert.equal(logged[1]?.error, 'bad-host');
  assert.equal(app.requests.length, 1);
});

test('the answer to a bad request survives a client that goes on sending', async (t) => {
  const line = await start(t, 'http://127.0.0.1:1');
  const peer = await line.connect();
  peer.send('GET / HTTP/1.1\r\nHost : a\r\n\r\n');
  const more = 'x'.repeat(65_536);
  for (let i = 0; i < 32; i++) {
    peer.send(more);
    await new Promise(setImmediate);
  }
  assert.equal((await peer.answer()).status, 400);
  assert.equal(await peer.end(), '');
  assert.equal(peer.ending, 'fin');
  await line.logged(1);
});
