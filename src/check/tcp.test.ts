import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deafOrigin, eventually, origin, type ScriptedOrigin } from '../../test/support/scripted.ts';
import { systemClock } from '../core/clock.ts';
import type { Finding } from './check.ts';
import { tcp } from './tcp.ts';

function probe(port: number, timeout = 10_000, signal = new AbortController().signal): Promise<Finding> {
  const address = { scheme: 'any', host: '127.0.0.1', port };
  return tcp.create().probe(address, { clock: systemClock, timeout, signal });
}

const connected = { healthy: true, detail: 'connected' };

/** How the probe's connections have ended. */
async function endings({ connections }: ScriptedOrigin): Promise<string[]> {
  await eventually(() => connections.length > 0 && connections.every(({ ending }) => ending !== 'open'), 'it closes');
  return connections.map(({ ending }) => ending);
}

test('a connection is enough, and it is closed politely, even in the middle of a greeting', async (t) => {
  const silent = await origin(t, async (peer) => {
    await peer.end();
    peer.fin();
  });
  assert.deepEqual(await probe(silent.port), connected);
  assert.deepEqual(await endings(silent), ['fin']);
  const mail = await origin(t, async (peer) => {
    peer.send('220 mail.example ESMTP\r\n');
    await peer.end();
    peer.fin();
  });
  assert.deepEqual(await probe(mail.port), connected);
  assert.deepEqual(await endings(mail), ['fin']);
});

test('an origin that does not close its side does not hold it up', async (t) => {
  const app = await origin(t, () => {});
  const begun = Date.now();
  assert.deepEqual(await probe(app.port, 60_000), connected);
  assert.ok(Date.now() - begun < 20_000);
  assert.deepEqual(await endings(app), ['fin']);
});

test('one that accepts and resets can be connected to', async (t) => {
  const app = await origin(t, (peer) => peer.reset());
  // Whether the reset is seen before the connection is, is up to the kernel.
  const { detail } = await probe(app.port);
  assert.match(detail, /^connected$|^cannot connect: connection reset$/);
});

test('nobody listens, or nobody answers', async (t) => {
  const gone = await origin(t, () => {});
  await gone.refuse();
  assert.deepEqual(await probe(gone.port), { healthy: false, detail: 'cannot connect: connection refused' });
  const deaf = Number(new URL(await deafOrigin(t)).port);
  assert.deepEqual(await probe(deaf, 150), { healthy: false, detail: 'no connection within 150ms' });
});

test('a probe that is not wanted any more ends at once', async (t) => {
  const deaf = Number(new URL(await deafOrigin(t)).port);
  const stop = new AbortController();
  const running = probe(deaf, 60_000, stop.signal);
  stop.abort();
  assert.equal((await running).healthy, undefined);
  assert.equal((await probe(deaf, 60_000, stop.signal)).healthy, undefined);
});
