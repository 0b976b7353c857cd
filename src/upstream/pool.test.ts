import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { origin as originAt } from '../../test/support/origins.ts';
import { eventually, origin as scripted } from '../../test/support/scripted.ts';
import type { CodecSession } from '../codec/codec.ts';
import type { Origin } from '../core/origin.ts';
import { Wheel } from '../core/wheel.ts';
import type { Channel } from './channel.ts';
import { dial } from './dial.ts';
import type { LinkUser } from './link.ts';
import { Pool, type PoolOptions } from './pool.ts';

const KEEP: PoolOptions['keepAlive'] = { idle: 4000, maxIdle: 128, maxAge: 3_600_000, maxRequests: 100 };

interface Stage {
  readonly clock: ReturnType<typeof manualClock>;
  readonly pool: Pool;
  readonly where: Origin;
  /** The origin's own idle limit in milliseconds, for sessions made from now on. */
  announce(ms: number): void;
  open(): Promise<Channel>;
  /** Back into the pool, as after an exchange. */
  give(channel: Channel): void;
  take(warm?: boolean): Channel | undefined;
}

/** A pool with real sockets to an origin that says nothing, a clock that stands still, and sessions that carry nothing. */
async function stage(t: TestContext, keepAlive: Partial<PoolOptions['keepAlive']> = {}): Promise<Stage> {
  const silent = await scripted(t, () => {});
  const clock = manualClock();
  let idleLimit = -1;
  const makeSession = (): CodecSession => ({
    slots: 1,
    reusable: true,
    idleLimit,
    open: () => 0,
    body() {},
    end() {},
    abort() {},
    receive() {},
    eof() {},
  });
  const timeouts = { connect: 1000, firstByte: 1000, idle: 1000 };
  const pool = new Pool(
    { timeouts, keepAlive: { ...KEEP, ...keepAlive } },
    clock,
    new Wheel(clock),
    makeSession,
    (error) => assert.ifError(error),
  );
  t.after(() => pool.close(true));
  const where = originAt(`127.0.0.1:${silent.port}`);
  return {
    clock,
    pool,
    where,
    announce: (ms) => (idleLimit = ms),
    open: () =>
      new Promise((resolve, reject) => {
        const user = { connected: resolve, notConnected: reject, fail: reject } as unknown as LinkUser;
        dial(where, pool, user);
      }),
    give: (channel) => pool.give(channel, clock.now()),
    take: (warm = false) => pool.take(where, warm, clock.now()),
  };
}

describe('pool', () => {
  test('last in, first out: the warmest is used again', async (t) => {
    const { open, give, take, where } = await stage(t);
    const [a, b, c] = await Promise.all([open(), open(), open()]);
    assert.equal(take(), undefined);
    for (const one of [a, b, c]) give(one);
    assert.equal(a.state, 'idle');
    assert.deepEqual([take(), take()], [c, b]);
    assert.equal(c.state, 'open');
    give(c);
    assert.deepEqual([take(), take(), take()], [c, a, undefined]);
    assert.equal(where.connections, 3);
  });

  test('each origin has its own', async (t) => {
    const { pool, clock, open, give } = await stage(t);
    give(await open());
    assert.equal(pool.take(originAt('127.0.0.1:1'), false, clock.now()), undefined);
  });

  test('idle for too long is closed, and the count of connections follows', async (t) => {
    const { clock, open, give, take, where } = await stage(t);
    const channel = await open();
    give(channel);
    clock.advance(3999);
    assert.equal(channel.state, 'idle');
    clock.advance(250);
    assert.equal(channel.state, 'closed');
    assert.equal(take(), undefined);
    assert.equal(where.connections, 0);
  });

  test('what the origin announces counts instead, less a second for the way', async (t) => {
    const { clock, announce, open, give } = await stage(t);
    announce(10_000);
    const long = await open();
    announce(3000);
    const short = await open();
    announce(1000);
    const none = await open();
    for (const one of [long, short, none]) give(one);
    assert.equal(none.state, 'closed');
    clock.advance(1990);
    assert.equal(short.state, 'idle');
    clock.advance(250);
    assert.equal(short.state, 'closed');
    clock.advance(8990 - 2240);
    assert.equal(long.state, 'idle');
    clock.advance(300);
    assert.equal(long.state, 'closed');
  });

  test('idle 0 keeps none, whatever is announced', async (t) => {
    const { announce, open, give } = await stage(t, { idle: 0 });
    for (const announced of [-1, 60_000]) {
      announce(announced);
      const channel = await open();
      give(channel);
      assert.equal(channel.state, 'closed');
    }
  });

  test('no more idle ones than maxIdle', async (t) => {
    const { open, give } = await stage(t, { maxIdle: 2 });
    const [a, b, c] = await Promise.all([open(), open(), open()]);
    for (const one of [a, b, c]) give(one);
    assert.deepEqual([a.state, b.state, c.state], ['idle', 'idle', 'closed']);
  });

  test('too old is not used again; after enough requests it is closed', async (t) => {
    const { clock, open, give, take } = await stage(t, { maxAge: 10_000, maxRequests: 3, idle: 60_000 });
    const old = await open();
    give(old);
    clock.advance(9999);
    assert.equal(take(), old);
    give(old);
    clock.advance(1);
    assert.equal(take(), undefined);
    assert.equal(old.state, 'closed');
    const worn = await open();
    worn.carried = 2;
    give(worn);
    assert.equal(take(), worn);
    worn.carried = 3;
    give(worn);
    assert.equal(worn.state, 'closed');
  });

  test('a request that may not be sent twice gets only what was used within the last second', async (t) => {
    const { clock, open, give, take } = await stage(t);
    const channel = await open();
    give(channel);
    clock.advance(1000);
    assert.equal(take(true), channel);
    give(channel);
    clock.advance(1001);
    assert.equal(take(true), undefined);
    assert.equal(take(false), channel);
  });

  test('any byte, and the end, close an idle one', async (t) => {
    const { pool, clock, where, open, give, take } = await stage(t);
    const talking = await scripted(t, (peer, nth) => {
      setTimeout(() => (nth === 0 ? peer.send('HTTP/1.1 408 Request Timeout\r\n') : peer.fin()), 50);
    });
    const there = originAt(`127.0.0.1:${talking.port}`);
    for (let nth = 0; nth < 2; nth++) {
      const channel = await new Promise<Channel>((resolve) => {
        dial(there, pool, { connected: resolve, fail() {} } as unknown as LinkUser);
      });
      give(channel);
      await eventually(() => channel.state === 'closed', 'closed');
      assert.equal(pool.take(there, false, clock.now()), undefined);
    }
    assert.equal(there.connections, 0);
    give(await open());
    assert.ok(take() !== undefined);
    assert.equal(where.connections, 1);
  });

  test('draining, an origin keeps nothing', async (t) => {
    const { where, open, give, pool } = await stage(t);
    const [a, b] = await Promise.all([open(), open()]);
    give(a);
    where.state = 'draining';
    pool.drain(where);
    assert.equal(a.state, 'closed');
    give(b);
    assert.equal(b.state, 'closed');
  });

  test('closed: idle ones at once, the others when they come back; or all at once', async (t) => {
    const { pool, open, give, where } = await stage(t);
    const [idle, busy, cut] = await Promise.all([open(), open(), open()]);
    give(idle);
    pool.close(false);
    assert.deepEqual([idle.state, busy.state, cut.state], ['closed', 'open', 'open']);
    give(busy);
    assert.equal(busy.state, 'closed');
    cut.close();
    assert.equal(where.connections, 0);
  });
});
