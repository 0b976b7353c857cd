/** Several exchanges on one connection, through the whole line: FastCGI applications that say they take them. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { METER } from '../../src/core/meter.ts';
import { type Application, multiplexing } from '../support/fastcgi-application.ts';
import { type Line, start } from '../support/line.ts';
import { fetchOnce, running } from '../support/running.ts';
import { eventually, get, type Peer, post } from '../support/scripted.ts';

const MANY = { FCGI_MPXS_CONNS: '1', FCGI_MAX_REQS: '10' };
const AUTO = { fastcgi: { multiplex: 'auto' } } as const;

/** One request, after which the application has been asked and has answered. */
async function learn(line: Line, app: Application): Promise<Peer> {
  const peer = await line.connect();
  peer.send(get('/learn'));
  assert.equal((await peer.answer()).body, 'learnt');
  await eventually(() => app.questions === 1, 'the question');
  await eventually(() => line.app.pool.shared.learned(line.first).slots !== undefined, 'the answer to it');
  return peer;
}

/** A client of its own for each path, and the requests as the application has them. */
async function asking(line: Line, app: Application, ...paths: string[]): Promise<Peer[]> {
  const peers = await Promise.all(paths.map(() => line.connect()));
  for (const [i, peer] of peers.entries()) {
    peer.send(get(paths[i]));
    await app.for(paths[i]);
  }
  return peers;
}

/** A line and an application that it knows to multiplex. */
async function stage(
  t: TestContext,
  told: Readonly<Record<string, string>> = MANY,
  upstream: Parameters<typeof start>[2] = {},
): Promise<{ line: Line; app: Application }> {
  const app = await multiplexing(t, told);
  const line = await start(t, app.fastcgi, { ...AUTO, ...upstream });
  await learn(line, app);
  return { line, app };
}

test('two answers on one connection, their records interleaved and cut byte by byte', async (t) => {
  const { line, app } = await stage(t);
  const [a, b] = await asking(line, app, '/a', '/b');
  const [first, second] = [await app.for('/a'), await app.for('/b')];
  assert.deepEqual([app.connections.length, first.peer === second.peer, first.id === second.id], [1, true, false]);
  const pieces = 'Status: 200\r\n\r\nfirst'
    .split('')
    .flatMap((letter, i) => [first.stdout(letter), second.stdout('Status: 201\n\nsecond'[i] ?? '')]);
  // An empty record would end the stream.
  const bytes = Buffer.concat(pieces.filter((piece) => piece.length > 8));
  for (const one of bytes) {
    first.peer.send(Buffer.from([one]));
    if (one === 10) await new Promise(setImmediate);
  }
  second.end();
  first.end();
  assert.deepEqual([(await a.answer()).body, (await b.answer()).body], ['first', 'second']);
  await line.settled();
  assert.equal(app.questions, 1);
  assert.equal(line.first.meter[METER.opened], 1);
  await line.logged(3);
});

test('one client is slow while the other goes on, up to a bound; then its connection waits, and others take another', async (t) => {
  const { line, app } = await stage(t);
  const [slow, quick] = await asking(line, app, '/slow', '/quick');
  slow.pause();
  const big = await app.for('/slow');
  const small = await app.for('/quick');
  big.head();
  small.head();
  const piece = Buffer.alloc(60_000, 0x78);
  const total = 40 * 1024 * 1024;
  let sent = 0;
  const pour = (): void => {
    while (sent < total && big.peer.socket.writableLength < 1_000_000) {
      sent += piece.length;
      big.say(piece);
    }
  };
  big.peer.socket.on('drain', pour);
  pour();
  small.say('quickly');
  await quick.until('quickly');
  // Once the connection has all that it may keep nothing is read any more: what was sent lies in the kernel's buffers. sluice
  // runs in this process, so whoever looks this often has let it read as often.
  let before = -1;
  let same = 0;
  await eventually(
    () => {
      same = before === sent ? same + 1 : 0;
      before = sent;
      return same === 40 && sent < total;
    },
    () => `sent ${sent} of ${total}`,
  );
  const next = await line.connect();
  next.send(get('/next'));
  (await app.for('/next')).answer('elsewhere');
  assert.equal((await next.answer()).body, 'elsewhere');
  assert.equal(app.connections.length, 2);
  slow.resume();
  await eventually(() => sent >= total, 'all of it to go');
  await eventually(
    () => slow.total >= sent,
    () => `${slow.total} of ${sent}`,
  );
  small.end();
  big.end();
  await eventually(() => slow.held.endsWith('\r\n0\r\n\r\n'), 'the end');
  await line.settled();
});

test('one client leaves: the application is told about its request, and the other goes on', async (t) => {
  const { line, app } = await stage(t, { FCGI_MPXS_CONNS: '1', FCGI_MAX_REQS: '2' }, { maxConnections: 2 });
  const [gone, stays] = await asking(line, app, '/gone', '/stays');
  (await app.for('/gone')).head().say('half');
  await gone.until('half');
  gone.reset();
  const left = await app.for('/gone');
  await eventually(() => left.aborted, 'the abort');
  await eventually(() => line.first.inFlight === 1, 'the slot');
  // Its id is not free until the application says so, and what it still sends goes nowhere.
  const [next] = await asking(line, app, '/next');
  assert.notEqual((await app.for('/next')).peer, left.peer);
  left.say('late');
  left.end();
  (await app.for('/stays')).answer('stayed');
  (await app.for('/next')).answer('next');
  assert.deepEqual([(await stays.answer()).body, (await next.answer()).body], ['stayed', 'next']);
  await eventually(() => line.first.inFlight === 0, 'all over');
  stays.send(get('/again'));
  const again = await app.for('/again');
  again.answer('again');
  assert.equal((await stays.answer()).body, 'again');
  await line.settled();
});

test('the application dies with three in flight: each fails as far as it had come', async (t) => {
  const { line, app } = await stage(t, MANY, { retries: { count: 1 } });
  const [begun, fresh, upload] = await Promise.all([line.connect(), line.connect(), line.connect()]);
  begun.send(get('/begun'));
  fresh.send(get('/fresh'));
  upload.send(post('abc', '/upload'));
  const [first] = [await app.for('/begun'), await app.for('/fresh'), await app.for('/upload')];
  first.head().say('half');
  await begun.until('half');
  first.peer.reset();
  // The connection was alive: it is not the end of a kept one, so nothing is repeated at the only origin there is.
  assert.equal((await fresh.answer()).status, 502);
  assert.equal((await upload.answer()).status, 502);
  assert.doesNotMatch(await begun.end(), /\r\n0\r\n/, 'the chunked answer must not look complete');
  const logged = await line.logged(4);
  const of = (path: string): string | undefined => logged.find(({ target }) => target === path)?.error;
  assert.deepEqual(
    [of('/begun'), of('/fresh'), of('/upload')],
    ['answer-incomplete', 'origin-closed', 'origin-closed'],
  );
  await line.settled();
});

test('a kept connection that has gone stale: what can be repeated is, on one new connection for all', async (t) => {
  const { line, app } = await stage(t);
  const peers = await Promise.all(Array.from({ length: 4 }, () => line.connect()));
  // The application has gone, and nobody knows it yet when the requests are sent.
  const [kept] = app.connections;
  kept.pause();
  for (const [i, peer] of peers.entries()) peer.send(get(`/${i}`));
  await eventually(() => line.first.inFlight === 4, 'the requests');
  kept.reset();
  for (let i = 0; i < 4; i++) (await app.for(`/${i}`)).answer(String(i));
  for (const [i, peer] of peers.entries()) assert.equal((await peer.answer()).body, String(i));
  assert.equal(app.connections.length, 2);
  assert.equal(line.first.state, 'up');
  await line.settled();
});

test('more requests than slots: another connection; the surplus is closed when it is idle', async (t) => {
  const { line, app } = await stage(t, { FCGI_MPXS_CONNS: '1', FCGI_MAX_REQS: '2' }, { keepAlive: { idle: '200ms' } });
  const paths = ['/1', '/2', '/3', '/4', '/5'];
  const peers = await asking(line, app, ...paths);
  assert.equal(app.connections.length, 3);
  for (const path of paths) (await app.for(path)).answer(path);
  for (const [i, peer] of peers.entries()) assert.equal((await peer.answer()).body, paths[i]);
  await eventually(() => line.first.connections === 0, 'the idle ones to close');
  await line.settled();
});

test('the application takes fewer than it has said: those it turns away go to connections of their own', async (t) => {
  const { line, app } = await stage(t);
  const [a, b] = await asking(line, app, '/a', '/b');
  const refused = await app.for('/b');
  refused.end(1);
  await eventually(() => app.asked.filter(({ path }) => path === '/b').length === 2, 'another attempt');
  const again = app.asked.at(-1);
  assert.notEqual(again?.peer, refused.peer);
  again?.answer('b');
  (await app.for('/a')).answer('a');
  assert.deepEqual([(await a.answer()).body, (await b.answer()).body], ['a', 'b']);
  await eventually(() => line.first.inFlight === 0, 'all over');
  const peers = await asking(line, app, '/c', '/d');
  assert.notEqual((await app.for('/c')).peer, (await app.for('/d')).peer);
  (await app.for('/c')).answer('c');
  (await app.for('/d')).answer('d');
  assert.deepEqual([(await peers[0].answer()).body, (await peers[1].answer()).body], ['c', 'd']);
  const logged = await line.logged(5);
  assert.equal(logged.find(({ target }) => target === '/b')?.attempts, 2);
  await line.settled();
});

test('OVERLOADED, with a POST: another origin is asked, and the others on that connection go on', async (t) => {
  const spare = await multiplexing(t, null, (asked) => asked.answer(`spare ${asked.request.body}`));
  const app = await multiplexing(t, MANY);
  const line = await start(t, [app.fastcgi, spare.fastcgi], AUTO);
  await learn(line, app);
  const [a] = await asking(line, app, '/a');
  const b = await line.connect();
  b.send(post('hello', '/b'));
  (await app.for('/b')).end(2);
  assert.equal((await b.answer()).body, 'spare hello');
  (await app.for('/a')).answer('a');
  assert.equal((await a.answer()).body, 'a');
  assert.equal(app.connections.length, 1);
  const logged = await line.logged(3);
  assert.equal(logged.find(({ target }) => target === '/b')?.attempts, 2);
  await line.settled();
});

for (const [what, told] of [
  ['says no', { FCGI_MPXS_CONNS: '0', FCGI_MAX_REQS: '10' }],
  ['takes one request in all', { FCGI_MPXS_CONNS: '1', FCGI_MAX_REQS: '1' }],
  ['says nothing of it', { FCGI_MAX_REQS: '10' }],
  ['says nothing at all', null],
  ['closes the connection, as PHP does', 'close'],
] as const) {
  test(`an application that ${what} gets one request at a time, and is asked once`, async (t) => {
    const app = await multiplexing(t, told);
    const line = await start(t, app.fastcgi, AUTO);
    const peer = await line.connect();
    peer.send(get('/learn'));
    await peer.answer();
    await eventually(() => app.questions === 1, 'the question');
    for (const round of [1, 2]) {
      const paths = [1, 2, 3].map((n) => `/${round}.${n}`);
      const peers = await asking(line, app, ...paths);
      const used = new Set(app.asked.slice(-3).map((one) => one.peer));
      assert.equal(used.size, 3, 'each has its own connection');
      for (const path of paths) (await app.for(path)).answer(path);
      for (const [i, one] of peers.entries()) assert.equal((await one.answer()).body, paths[i]);
    }
    assert.equal(app.questions, 1);
    // The connection of the question, and three that were kept from one round to the next.
    assert.ok(app.connections.length <= 4, `${app.connections.length} connections`);
    await line.settled();
  });
}

test('what an application has said is forgotten when it has been down', async (t) => {
  const { line, app } = await stage(t, MANY, { disableTime: { first: '50ms', most: '50ms' } });
  await app.refuse();
  for (const peer of app.connections) peer.close();
  await eventually(() => line.first.connections === 0, 'the end of the connection');
  const peer = await line.connect();
  peer.send(get('/learn'));
  await eventually(() => line.first.meter[METER.ejections] > 0, 'down');
  await app.listen();
  assert.equal((await peer.answer()).body, 'learnt');
  await eventually(() => app.questions === 2, 'the question');
  await line.settled();
});

test('maxConnections counts requests, not connections', async (t) => {
  const { line, app } = await stage(t, MANY, { maxConnections: 2 });
  const [a, b] = await asking(line, app, '/a', '/b');
  const c = await line.connect();
  c.send(get('/c'));
  await eventually(() => line.app.backlog.length === 1, 'the third to wait');
  (await app.for('/a')).answer('a');
  (await app.for('/c')).answer('c');
  (await app.for('/b')).answer('b');
  assert.deepEqual([(await a.answer()).body, (await b.answer()).body, (await c.answer()).body], ['a', 'b', 'c']);
  assert.equal(app.connections.length, 1);
  await line.settled();
});

test('an application that is late with one request is asked to stop it, and answers the others', async (t) => {
  const { line, app } = await stage(t, MANY, { timeouts: { firstByte: '300ms' } });
  const [late, good] = await asking(line, app, '/late', '/good');
  (await app.for('/good')).head().say('good');
  await good.until('good');
  assert.equal((await late.answer()).status, 504);
  assert.equal((await app.for('/late')).aborted, true);
  (await app.for('/good')).end();
  await eventually(() => good.held.includes('0\r\n\r\n'), 'the end');
  await line.settled();
});

test('bytes that are no FastCGI: all fail on that connection, and the next is a new one', async (t) => {
  const { line, app } = await stage(t);
  const peers = await asking(line, app, '/a', '/b');
  (await app.for('/a')).peer.send('HTTP/1.1 400 No\r\n\r\n');
  for (const peer of peers) assert.equal((await peer.answer()).status, 502);
  const next = await line.connect();
  next.send(get('/c'));
  (await app.for('/c')).answer('c');
  assert.equal((await next.answer()).body, 'c');
  assert.equal(app.connections.length, 2);
  await line.settled();
});

test('an origin that is taken out of the config: those on its connection finish', async (t) => {
  const { line, app } = await stage(t);
  const [a] = await asking(line, app, '/a');
  line.first.state = 'draining';
  line.app.pool.drain(line.first);
  (await app.for('/a')).answer('a');
  assert.equal((await a.answer()).body, 'a');
  await eventually(() => line.first.connections === 0, 'closed');
  line.first.state = 'up';
});

test('with two threads each shares connections of its own', async (t) => {
  const app = await multiplexing(t, { FCGI_MPXS_CONNS: '1', FCGI_MAX_REQS: '50' }, (asked) =>
    setTimeout(() => asked.answer(asked.path), 5),
  );
  const { base, sluice } = await running(t, {
    threads: 2,
    listen: '127.0.0.1:0',
    upstreams: { app: { origins: app.fastcgi, ...AUTO } },
  });
  for (let round = 0; round < 8; round++) {
    const paths = Array.from({ length: 25 }, (_, i) => `/${round}.${i}`);
    const got = await Promise.all(paths.map((path) => fetchOnce(`${base}${path}`)));
    assert.deepEqual(
      got.map(({ status, body }) => `${status} ${body}`),
      paths.map((path) => `200 ${path}`),
    );
  }
  assert.ok(app.questions >= 1 && app.questions <= 2, `asked ${app.questions} times`);
  const late = app.asked.slice(-25).map(({ peer }) => peer);
  assert.ok(new Set(late).size <= 4, `the last 25 requests took ${new Set(late).size} connections`);
  await sluice.close(1000);
});

test('who takes nothing of a long answer holds the others up for a while, and is cut off; nobody else fails', async (t) => {
  const app = await multiplexing(t, { FCGI_MPXS_CONNS: '1', FCGI_MAX_REQS: '20' });
  const line = await start(t, app.fastcgi, {
    fastcgi: { multiplex: 'auto' },
    // Long enough for a busy machine to have sent all that the slow one does not take.
    timeouts: { firstByte: '5s', idle: '900ms' },
  });
  const first = await line.connect();
  first.send(get('/learn'));
  await first.answer();
  await eventually(() => line.app.pool.shared.learned(line.first).slots !== undefined, 'what the application says');
  const slow = await line.connect();
  slow.pause();
  slow.send(get('/slow'));
  const big = await app.for('/slow');
  big.head();
  const others = [];
  for (let i = 0; i < 4; i++) {
    const peer = await line.connect();
    peer.send(get(`/quick${i}`));
    others.push({ peer, asked: await app.for(`/quick${i}`) });
  }
  assert.ok(
    others.every(({ asked }) => asked.peer === big.peer),
    'one connection',
  );
  for (let i = 0; i < 400; i++) big.peer.send(big.stdout('x'.repeat(60_000)));
  for (const { asked } of others) {
    asked.head();
    asked.end();
  }
  for (const { peer } of others) assert.equal((await peer.answer()).status, 200);
  const logged = await line.logged(6);
  assert.equal(logged.find(({ target }) => target === '/slow')?.error, 'client-slow');
  assert.equal(line.first.failures, 0);
});
