import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { origin as originAt } from '../../test/support/origins.ts';
import { requestOf } from '../../test/support/request.ts';
import { eventually, origin as scripted, type Peer } from '../../test/support/scripted.ts';
import type { ByteSink } from '../core/answer.ts';
import { Wheel } from '../core/wheel.ts';
import type { CodecSession } from '../codec/codec.ts';
import type { Channel } from './channel.ts';
import { dial } from './dial.ts';
import type { LinkUser } from './link.ts';
import { Pool } from './pool.ts';

/** The channel's limit for pauses here, in milliseconds. */
const IDLE = 1000;

/** A channel that carries an upload, to an origin that reads nothing yet; a clock that stands still. */
async function uploading(
  t: TestContext,
): Promise<{ channel: Channel; far: Peer; clock: ReturnType<typeof manualClock>; heard: string[] }> {
  const silent = await scripted(t, (peer) => peer.pause());
  const clock = manualClock();
  const makeSession = (out: ByteSink): CodecSession => ({
    slots: 1,
    reusable: true,
    idleLimit: -1,
    open: () => 0,
    body: (_id, buffer, start, end) => out.bytes(buffer, start, end),
    end() {},
    abort() {},
    receive() {},
    eof() {},
  });
  const timeouts = { connect: IDLE, firstByte: IDLE, idle: IDLE };
  const keepAlive = { idle: 4000, maxIdle: 128, maxAge: 3_600_000, maxRequests: 100 };
  const pool = new Pool({ timeouts, keepAlive }, clock, new Wheel(clock), makeSession, (error) =>
    assert.ifError(error),
  );
  t.after(() => pool.close(true));
  const heard: string[] = [];
  const user = {
    fail: (code: string) => void heard.push(code),
    requestFlushed: () => void heard.push('flushed'),
    flush: () => true,
  } as unknown as LinkUser;
  const channel = await new Promise<Channel>((resolve, reject) => {
    const waiting = { connected: resolve, notConnected: reject } as unknown as LinkUser;
    dial(originAt(`127.0.0.1:${silent.port}`), pool, waiting);
  });
  const request = requestOf('POST / HTTP/1.1');
  request.framing = 'chunked';
  channel.carry(request, { host: null } as never, user, {} as never);
  await eventually(() => silent.connections.length === 1, 'the origin to accept');
  return { channel, far: silent.connections[0], clock, heard };
}

/** Sends until the kernel takes no more. */
function fill(channel: Channel): void {
  const piece = Buffer.alloc(1024 * 1024);
  do channel.requestBody(piece, 0, piece.length);
  while (channel.requestFlush());
}

describe('a channel that carries an upload', () => {
  test('waits for an origin that takes nothing as long as timeouts.idle', async (t) => {
    const { channel, clock, heard } = await uploading(t);
    fill(channel);
    clock.advance(IDLE - 100);
    assert.deepEqual(heard, []);
    clock.advance(300);
    assert.deepEqual(heard, ['origin-stalled']);
  });

  test('waits for nobody once everything is taken: now the client is to be waited for', async (t) => {
    const { channel, far, clock, heard } = await uploading(t);
    fill(channel);
    far.resume();
    await eventually(() => heard.length > 0, 'the bytes to be taken');
    clock.advance(100 * IDLE);
    assert.deepEqual(heard, ['flushed']);
  });

  test('unless the answer has begun: then its origin may pause as long as timeouts.idle, whatever it has taken', async (t) => {
    const { channel, far, clock, heard } = await uploading(t);
    channel.answerBegun();
    fill(channel);
    clock.advance(IDLE - 100);
    far.resume();
    await eventually(() => heard.length > 0, 'the bytes to be taken');
    assert.deepEqual(heard, ['flushed']);
    clock.advance(300);
    assert.deepEqual(heard, ['flushed', 'answer-stalled']);
  });

  test('each piece that goes out during the answer begins that time anew', async (t) => {
    const { channel, far, clock, heard } = await uploading(t);
    far.resume();
    channel.answerBegun();
    for (let i = 0; i < 10; i++) {
      channel.requestBody(Buffer.from('piece'), 0, 5);
      assert.equal(channel.requestFlush(), true);
      clock.advance(IDLE - 100);
    }
    assert.deepEqual(heard, []);
    clock.advance(300);
    assert.deepEqual(heard, ['answer-stalled']);
  });
});
