/** Many bodies at once, of all sizes and speeds: every byte where it belongs, and nothing left over when clients break off. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { Agent, request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeOrigin } from './origins.ts';
import { folder, residentBytes, startSluice, until } from './stage.ts';

/** Random bytes, cut up anyhow, so that bytes in the wrong place are seen. */
const pool = randomBytes(8 * 1_048_576);

test('120 bodies go to an origin that mirrors them, 40 at a time', async (t) => {
  const origin = await nodeOrigin(t, folder(t));
  const sluice = await startSluice(t, { upstreams: { app: { origins: origin.url } } });
  const agent = new Agent({ keepAlive: true, maxSockets: 40 });
  t.after(() => agent.destroy());

  const mirror = async (number: number): Promise<void> => {
    const size = number % 10 === 0 ? number : Math.floor(3 * 1_048_576 * Math.random() ** 2);
    const start = Math.floor(Math.random() * (pool.length - size));
    const body = pool.subarray(start, start + size);
    const length = number % 2 === 0 ? { 'Content-Length': size } : {};
    const asked = request(`${sluice.url}/mirror`, { method: 'POST', agent, headers: length });
    const digest = createHash('sha256');
    let got = 0;
    const answered = (async () => {
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      assert.equal(response.statusCode, 200);
      for await (const piece of response as AsyncIterable<Buffer>) {
        digest.update(piece);
        got += piece.length;
        if (number % 3 === 0 && Math.random() < 0.1) await sleep(5);
      }
    })();
    for (let at = 0; at < size;) {
      const next = at + 1 + Math.floor(Math.random() * (number % 5 === 0 ? 700 : 100_000));
      if (!asked.write(body.subarray(at, next))) await once(asked, 'drain');
      at = next;
    }
    asked.end();
    await answered;
    assert.equal(got, size, `body ${number}`);
    assert.equal(digest.digest('hex'), createHash('sha256').update(body).digest('hex'), `body ${number}`);
  };
  await Promise.all(Array.from({ length: 120 }, (_, number) => mirror(number)));
  await until('120 lines', () => sluice.logged() === 120);
  assert.deepEqual(sluice.failures(), []);
});

test('600 clients break off anywhere: no descriptor and no slot stays behind', async (t) => {
  const origin = await nodeOrigin(t, folder(t));
  const sluice = await startSluice(t, {
    upstreams: { app: { origins: origin.url, maxConnections: 50, queue: { size: 1000 } } },
  });
  const descriptors = (pid: number): number => {
    try {
      return readdirSync(`/proc/${pid}/fd`).length;
    } catch {
      return 0;
    }
  };
  await (await fetch(`${sluice.url}/name`)).text();
  const before = descriptors(sluice.pid);
  const head = 'Host: a\r\nContent-Length: 300000\r\n\r\n';
  const messages = [
    'GET /zeros?bytes=100000000 HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET /zeros?bytes=100000000&chunked HTTP/1.0\r\nHost: a\r\n\r\n',
    'GET /slow?ms=3000 HTTP/1.1\r\nHost: a\r\n\r\n',
    `POST /mirror HTTP/1.1\r\n${head}${'x'.repeat(150_000)}`,
    `POST /sink?rate=1000 HTTP/1.1\r\n${head}${'x'.repeat(300_000)}`,
    'POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab',
    'GET /name HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(20),
    'GET /na',
  ];
  const breakOff = async (number: number): Promise<void> => {
    const socket = connect(sluice.port, sluice.host);
    socket.on('error', () => {});
    socket.write(messages[number % messages.length] ?? '');
    if (number % 3 === 0) socket.pause();
    else socket.resume();
    await sleep(Math.random() * 200);
    // With FIN, or with RST.
    if (number % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  };
  const round = (): Promise<void[]> => Promise.all(Array.from({ length: 200 }, (_, number) => breakOff(number)));
  await round();
  await round();
  const middle = residentBytes(sluice.pid);
  await round();
  // All slots are free again: as many as there are can be had at once.
  const names = Promise.all(Array.from({ length: 50 }, async () => (await fetch(`${sluice.url}/slow?ms=300`)).text()));
  assert.deepEqual(new Set(await names), new Set(['slow']));
  await fetch(`${sluice.url}/name`, { headers: { connection: 'close' } });
  assert.doesNotMatch(sluice.errors(), / internal /);
  assert.deepEqual(sluice.failures(), []);
  if (before === 0) return;
  // Kept connections stay for 4 s, and a client that only ended its own side may want its answer for some seconds more.
  await until('the descriptors are closed', () => descriptors(sluice.pid) <= before + 5);
  const grown = (residentBytes(sluice.pid) - middle) / 1_048_576;
  t.diagnostic(`descriptors ${before} before, ${descriptors(sluice.pid)} after; memory ${grown.toFixed(1)} MiB more`);
});
