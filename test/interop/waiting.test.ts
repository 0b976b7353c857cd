/** Requests whose origin is gone, and an origin that may only be asked one thing at a time. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { skipUnless } from '../support/peer.ts';
import { nodeOrigin } from './origins.ts';
import { folder, run, startSluice, until } from './stage.ts';

test('kept connections that die one after the other: their requests go on to who lives', async (t) => {
  const living = await nodeOrigin(t, folder(t), 'living');
  const sockets: Socket[] = [];
  const dying = createServer((_, response) => setTimeout(() => response.end('slow'), sockets.length > 0 ? 5000 : 200));
  dying.listen(0, '127.0.0.1');
  t.after(() => dying.close());
  await once(dying, 'listening');
  const { port } = dying.address() as AddressInfo;
  const sluice = await startSluice(t, {
    upstreams: {
      app: { origins: [port, living.url], balance: 'round-robin', disableTime: { first: '20s', most: '20s' } },
    },
  });
  const many = (): Promise<string[]> =>
    Promise.all(Array.from({ length: 20 }, async () => (await fetch(`${sluice.url}/slow?ms=200`)).text()));
  const open: Socket[] = [];
  dying.on('connection', (socket: Socket) => open.push(socket));
  await many(); // leaves kept connections to both
  sockets.push(...open);
  const asked = many();
  await sleep(300);
  const begun = Date.now();
  dying.close();
  // The first death finds the port closed, and takes the origin out; the others come after that.
  for (const socket of sockets) {
    socket.destroy();
    await sleep(30);
  }
  assert.deepEqual(new Set(await asked), new Set(['slow']));
  assert.ok(Date.now() - begun < 19_000, 'somebody waited for the dead one to come back');
  assert.deepEqual(sluice.failures(), []);
});

test('maxConnections 1, 200 clients: one at a time, and all are answered', async (t) => {
  const ab = skipUnless(t, 'ab');
  if (ab === undefined) return;
  const origin = await nodeOrigin(t, folder(t));
  const sluice = await startSluice(t, {
    upstreams: { app: { origins: origin.url, maxConnections: 1, queue: { size: 500, timeout: '60s' } } },
  });
  for (const keep of [[], ['-k']]) {
    const { text, stderr } = await run(t, ab, [
      ...['-q', '-n', '400', '-c', '200', ...keep],
      `${sluice.url}/slow?ms=5`,
    ]);
    assert.match(text, /^Complete requests: +400$/m, stderr);
    assert.match(text, /^Failed requests: +0$/m, text);
    assert.doesNotMatch(text, /^Non-2xx/m, text);
  }
  assert.equal(await (await fetch(`${sluice.url}/most`)).text(), '1');
  await until('801 lines', () => sluice.logged() === 801);
  assert.deepEqual(sluice.failures(), []);
});

test('maxConnections 1: clients that leave the queue, or their turn, take no slot with them', async (t) => {
  const origin = await nodeOrigin(t, folder(t));
  const sluice = await startSluice(t, {
    upstreams: { app: { origins: origin.url, maxConnections: 1, queue: { size: 500, timeout: '60s' } } },
  });
  const asked = Array.from({ length: 100 }, async (_, i) => {
    // Every second one goes away: some while they wait, some while they are served.
    const signal = AbortSignal.timeout(i % 2 === 0 ? 30_000 : 20 + i * 5);
    return fetch(`${sluice.url}/slow?ms=10`, { signal }).then((answer) => answer.text());
  });
  const ended = await Promise.allSettled(asked);
  for (let i = 0; i < ended.length; i += 2) {
    assert.deepEqual(ended[i], { status: 'fulfilled', value: 'slow' }, `request ${i}`);
  }
  assert.equal(await (await fetch(`${sluice.url}/name`)).text(), 'node');
  await until('a line for each', () => sluice.logged() === 101);
  assert.deepEqual(sluice.failures(), []);
});

test('all origins away: requests wait and are answered when the first is back', async (t) => {
  const origin = await nodeOrigin(t, folder(t));
  const sluice = await startSluice(t, { upstreams: { app: { origins: origin.url } } });
  assert.equal(await (await fetch(`${sluice.url}/name`)).text(), 'node');
  await origin.kill();
  const waiting = Array.from({ length: 20 }, (_, i) =>
    // A POST as well: nothing of it has been sent anywhere.
    fetch(`${sluice.url}/sink`, { method: 'POST', body: 'x'.repeat(i * 10_000) }).then((answer) => answer.text()),
  );
  await sleep(300);
  await origin.restart();
  const answers = await Promise.all(waiting);
  answers.forEach((answer, i) => assert.ok(answer.startsWith(`${i * 10_000} `), answer));
  assert.deepEqual(sluice.failures(), []);
});
