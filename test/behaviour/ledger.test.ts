/** What is remembered of requests that went wrong, as they really go wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from '../support/line.ts';
import { get, ok, origin, post, server, sleep } from '../support/scripted.ts';

test('failed and slow requests are remembered once each, with what was tried; ordinary ones are not', async (t) => {
  const refusing = await server(t, () => ok());
  await refusing.refuse();
  const dying = await origin(t, async (peer) => {
    for (;;) {
      const request = await peer.request();
      if (request === undefined) return;
      if (request.target.startsWith('/slow')) await sleep(2500);
      if (request.target.startsWith('/half')) peer.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
      if (/^\/(?:die|half)/.test(request.target)) return peer.fin();
      peer.send(request.target === '/500' ? ok().replace('200', '500') : ok());
    }
  });
  const line = await start(t, [refusing.url, dying.url], { disableTime: { first: '1m', most: '1m' } });
  const { given } = line.sluice;
  await line.sluice.reload({ ...given, log: { ...given.log, recent: 10, slow: { over: 2000, keep: 10 } } });
  for (const bytes of [
    get('/fine'),
    post('x', '/die?token=1'),
    get('/slow'),
    get('/500'),
    get('/half'),
    'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
  ]) {
    const peer = await line.connect();
    peer.send(bytes);
    if (bytes.includes('/half')) await peer.end();
    else await peer.answer();
    peer.close();
  }
  const logged = await line.logged(6);
  const records = (await line.sluice.records(100)).toReversed();
  const by = `127.0.0.1:${dying.port}`;
  assert.deepEqual(
    records.map(({ target, why, status, error, ledger }) => [target, why, status, error, ledger]),
    [
      ['/die?…', 'error', 502, 'origin-closed', [`${by} origin-closed`]],
      ['/slow', 'slow', 200, '', []],
      ['/500', 'error', 500, '', []],
      ['/half', 'error', 200, 'answer-incomplete', [`${by} answer-incomplete`]],
      ['/', 'error', 400, 'bad-host', []],
    ],
  );
  // The first request went through without a failure of its own to tell of, so only the log has it.
  assert.equal(logged[0]?.attempts, 2);
  const { id } = records[0];
  assert.equal((await line.sluice.record(id))?.target, '/die?…');
  assert.equal(await line.sluice.record('nobody'), undefined);
});

test('every failed attempt of a request that found no origin is told in order', async (t) => {
  const dead = await Promise.all([1, 2, 3].map(() => server(t, () => ok())));
  for (const one of dead) await one.refuse();
  const line = await start(
    t,
    dead.map(({ url }) => url),
    { queue: { timeout: '100ms' }, disableTime: { first: '1m', most: '1m' } },
  );
  const peer = await line.connect();
  peer.send(get());
  assert.equal((await peer.answer()).status, 504);
  const [record] = await line.sluice.records(1);
  assert.equal(record.error, 'backlog-timeout');
  assert.deepEqual(
    record.ledger,
    dead.map(({ port }) => `127.0.0.1:${port} connect-refused ECONNREFUSED`),
  );
  await line.logged(1);
});
