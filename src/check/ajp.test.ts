import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { origin, type Peer } from '../../test/support/scripted.ts';
import { systemClock } from '../core/clock.ts';
import { ajp } from './ajp.ts';
import type { Finding } from './check.ts';

/** What a probe finds at an origin that does this. */
async function found(t: TestContext, act: (peer: Peer) => Promise<void> | void, timeout = 5000): Promise<Finding> {
  const app = await origin(t, act);
  const address = { scheme: 'ajp', host: '127.0.0.1', port: app.port };
  const finding = await ajp
    .create()
    .probe(address, { clock: systemClock, timeout, signal: new AbortController().signal });
  return finding;
}

const PING = '\x12\x34\x00\x01\x0a';
const PONG = 'AB\x00\x01\x09';

test('CPONG, whole or byte by byte', async (t) => {
  const well = { healthy: true, detail: 'CPONG' };
  const answer = (send: (peer: Peer) => Promise<void> | void) => async (peer: Peer) => {
    assert.equal(await peer.bytes(5), PING);
    await send(peer);
  };
  assert.deepEqual(
    await found(
      t,
      answer((peer) => peer.send(PONG)),
    ),
    well,
  );
  assert.deepEqual(
    await found(
      t,
      answer((peer) => peer.drip(PONG)),
    ),
    well,
  );
});

test('what speaks something else, closes, resets or says nothing is failing', async (t) => {
  const http = await found(t, (peer) => peer.send('HTTP/1.1 400 Bad Request\r\n\r\n'));
  assert.deepEqual(http, { healthy: false, detail: 'the answer to CPING is no CPONG' });
  assert.deepEqual(await found(t, (peer) => peer.fin()), { healthy: false, detail: 'closed before CPONG' });
  const reset = await found(t, async (peer) => {
    await peer.bytes(5);
    peer.reset();
  });
  assert.equal(reset.healthy, false);
  assert.deepEqual(await found(t, () => {}, 600), { healthy: false, detail: 'no CPONG within 600ms' });
  const gone = await origin(t, () => {});
  await gone.refuse();
  const address = { scheme: 'ajp', host: '127.0.0.1', port: gone.port };
  const tools = { clock: systemClock, timeout: 1000, signal: new AbortController().signal };
  assert.deepEqual(await ajp.create().probe(address, tools), {
    healthy: false,
    detail: 'cannot connect: connection refused',
  });
});
