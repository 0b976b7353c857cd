/** Causes that waiting does not mend, and those that only look so: who waits, who is told at once, and what a reload does. */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { UpstreamInput } from '../../src/config/index.ts';
import { authority } from '../support/certificates.ts';
import { start } from '../support/line.ts';
import { checked } from '../support/running.ts';
import { eventually, get, ok } from '../support/scripted.ts';
import { scripts } from '../support/scripts.ts';
import { secureServer } from '../support/secure.ts';

/** A server that does this with each connection, the first of which is 1. */
async function front(t: TestContext, script: (socket: Socket, nth: number) => void): Promise<number> {
  let count = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    script(socket, ++count);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const one of sockets) one.destroy();
  });
  return (server.address() as AddressInfo).port;
}

const reloaded = (
  origins: UpstreamInput['origins'],
  more: Omit<UpstreamInput, 'origins'>,
): ReturnType<typeof checked> =>
  checked({
    listen: '127.0.0.1:0',
    log: { access: 'off', error: 'off' },
    upstreams: { app: { balance: 'first', ...more, origins } },
  });

/** Long enough that nothing but a reload brings an origin back. */
const REST = { disableTime: { first: '20s', most: '30s' } } as const;

test('one alert of the moment fails nobody', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const app = await secureServer(t, ca.issue('app'), ({ target }) => ok(target));
  const port = await front(t, (socket, nth) => {
    // internal_error, as Go says it when it could not get a certificate.
    if (nth === 1) return void socket.once('data', () => socket.end(Buffer.from([21, 3, 3, 0, 2, 2, 80])));
    const inner = connect(app.port, '127.0.0.1').on('error', () => {});
    socket.pipe(inner).pipe(socket);
  });
  const line = await start(t, `https://127.0.0.1:${port}`, { tls: { verify: false } });
  const peers = await Promise.all([1, 2, 3].map(() => line.connect()));
  for (const peer of peers) peer.send(get('/'));
  for (const peer of peers) assert.equal((await peer.answer()).status, 200);
  await line.logged(3);
});

test('another protocol in a reload brings an origin back that did not speak the first', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const app = await secureServer(t, ca.issue('app'), ({ target }) => ok(target), { ALPNProtocols: ['http/1.1'] });
  const tls = { verify: false };
  const line = await start(t, `h2://127.0.0.1:${app.port}`, { tls, ...REST });
  const peer = await line.connect();
  peer.send(get('/a'));
  assert.equal((await peer.answer()).status, 502);
  await line.sluice.reload(reloaded(`https://127.0.0.1:${app.port}`, { tls, ...REST }));
  const again = await line.connect();
  again.send(get('/b'));
  assert.equal((await again.answer()).status, 200);
});

test('a reload looks again also where nothing of the config has changed', async (t) => {
  const { folder } = scripts(t);
  const file = join(folder, 'late');
  const line = await start(t, `cgi:${file}`, REST);
  const peer = await line.connect();
  peer.send(get('/a'));
  assert.equal((await peer.answer()).status, 502);
  writeFileSync(file, '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\nhere"\n');
  chmodSync(file, 0o755);
  await line.sluice.reload(reloaded(`cgi:${file}`, REST));
  const again = await line.connect();
  again.send(get('/b'));
  assert.equal((await again.answer()).body, 'here');
});

test("a check's last word counts: of what is restarted nobody is told the old cause", async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  let down = false;
  const port = await front(t, (socket) => {
    if (down) return void socket.resetAndDestroy();
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  });
  const check = { type: 'http', path: '/', interval: '300ms', timeout: '250ms', fall: 1 } as const;
  const line = await start(t, `https://127.0.0.1:${port}`, {
    tls: { verify: false },
    check,
    queue: { timeout: '300ms' },
  });
  await eventually(() => line.first.fault === 'tls-not-spoken', 'the cause');
  const peer = await line.connect();
  peer.send(get('/a'));
  assert.equal((await peer.answer()).status, 502);
  down = true;
  await eventually(() => line.first.fault === '', 'another cause');
  // Worth waiting for, if in vain this time.
  const later = await line.connect();
  later.send(get('/b'));
  assert.equal((await later.answer()).status, 504);
  await line.logged(2);
});
