import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { deafOrigin, eventually, origin, sleep, type ScriptedOrigin } from '../../test/support/scripted.ts';
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

test('a connection is enough, and the origin is told that this was all', async (t) => {
  const app = await origin(t, async (peer) => {
    peer.send('hello\r\n');
    await peer.end();
    peer.fin();
  });
  // Of this clock no second ever passes: the probe ends because the origin closes its side in turn.
  const address = { scheme: 'any', host: '127.0.0.1', port: app.port };
  const tools = { clock: manualClock(), timeout: 1000, signal: new AbortController().signal };
  assert.deepEqual(await tcp.create().probe(address, tools), connected);
  assert.equal(tools.clock.waiting, 0);
  assert.deepEqual(await endings(app), ['fin']);
});

test('one that is in the middle of a greeting sees no reset', async (t) => {
  const app = await origin(t, (peer) => peer.send('220 mail.example ESMTP\r\n'));
  assert.deepEqual(await probe(app.port), connected);
  await sleep(50);
  assert.deepEqual(await endings(app), ['fin']);
});

test('one that does not close its side does not hold it up, and has nobody to talk to any more', async (t) => {
  const app = await origin(t, () => {});
  assert.deepEqual(await probe(app.port, 60_000), connected);
  assert.deepEqual(await endings(app), ['fin']);
  const [peer] = app.connections;
  await eventually(() => {
    if (peer?.ending === 'fin') peer.send('x');
    return peer?.ending === 'reset';
  }, 'what is sent to a closed socket is answered by a reset');
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
