import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { origin as originAt } from '../../test/support/origins.ts';
import { eventually, origin as scripted, type Peer, type ScriptedOrigin } from '../../test/support/scripted.ts';
import { LineSession, LinkListener } from '../../test/support/shared.ts';
import type { CodecSession } from '../codec/codec.ts';
import type { ByteSink } from '../core/answer.ts';
import { METER } from '../core/meter.ts';
import type { Origin } from '../core/origin.ts';
import { Wheel } from '../core/wheel.ts';
import type { WireLike, WireOwner } from '../core/wire.ts';
import { Channel } from './channel.ts';
import { dial } from './dial.ts';
import type { Link, LinkUser } from './link.ts';
import { Pool, type PoolOptions } from './pool.ts';
import { SharedChannel } from './shared-channel.ts';

const TIMEOUTS = { connect: 1000, firstByte: 2000, idle: 1000 };
const KEEP = { idle: 4000, maxIdle: 128, maxAge: 3_600_000, maxRequests: 100 };

interface Stage {
  readonly clock: ReturnType<typeof manualClock>;
  readonly pool: Pool;
  readonly where: Origin;
  readonly far: ScriptedOrigin;
  readonly sessions: LineSession[];
  readonly channels: SharedChannel[];
  readonly defects: unknown[];
  /** As an upstream does: a place on a connection that is there, or a new one. */
  link(user: LinkUser, how?: { fresh?: boolean; warm?: boolean }): Link;
  /** This many exchanges on one connection, whose requests the origin has read; and the connection's far end. */
  carrying(count: number): Promise<{ users: LinkListener[]; peer: Peer }>;
}

async function stage(t: TestContext, keepAlive: Partial<PoolOptions['keepAlive']> = {}, slots = 10): Promise<Stage> {
  const far = await scripted(t, () => {});
  const clock = manualClock();
  const sessions: LineSession[] = [];
  const defects: unknown[] = [];
  const pool = new Pool(
    { timeouts: TIMEOUTS, keepAlive: { ...KEEP, ...keepAlive } },
    clock,
    new Wheel(clock),
    (out): CodecSession => {
      const session = new LineSession(out, slots);
      sessions.push(session);
      return session;
    },
    (error) => defects.push(error),
    undefined,
    () => true,
  );
  t.after(() => {
    pool.close(true);
    assert.deepEqual([where.connections, where.meter[METER.idle]], [0, 0]);
  });
  const where = originAt(`127.0.0.1:${far.port}`);
  const channels: SharedChannel[] = [];
  const enter = pool.shared.entered.bind(pool.shared);
  pool.shared.entered = (channel) => {
    channels.push(channel);
    enter(channel);
  };
  const link: Stage['link'] = (user, { fresh = false, warm = false } = {}) =>
    pool.shared.join(where, user, fresh, warm, clock.now()) ?? dial(where, pool, user);
  return {
    clock,
    pool,
    where,
    far,
    sessions,
    channels,
    defects,
    link,
    async carrying(count) {
      const users = Array.from({ length: count }, (_, i) => new LinkListener(`GET /${i + 1}`));
      for (const user of users) user.use(link(user));
      await eventually(() => far.connections.length > 0, 'a connection');
      const [peer] = far.connections;
      for (let id = 1; id <= count; id++) {
        assert.equal(await peer.until('\n'), `${id} open GET /${id}\n`);
        assert.equal(await peer.until('\n'), `${id} end\n`);
      }
      return { users, peer };
    },
  };
}

const heard = (users: readonly LinkListener[]): string[] => users.map(({ events }) => events.join(', '));

describe('a connection that exchanges share', () => {
  test('all who come while it connects wait for the same one, and travel on it together', async (t) => {
    const { carrying, far, where } = await stage(t);
    const { users, peer } = await carrying(3);
    assert.deepEqual([far.connections.length, where.connections, where.meter[METER.opened]], [1, 1, 1]);
    peer.send('2 head 200\n1 head 201\n2 body bb\n1 body a\n2 body B\n');
    peer.send('1 end\n2 end\n');
    await eventually(() => users[1].content === 'bbB' && users[1].events.includes('end'), 'the answers');
    assert.deepEqual(heard(users), ['connected, head 201, end', 'connected, head 200, end', 'connected']);
    assert.equal(users[0].content, 'a');
    assert.equal(users[2].link?.state, 'open');
  });

  test('requests that come in one turn leave in one write; one that travels alone leaves at once', async (t) => {
    const { carrying, channels, link } = await stage(t);
    const { users, peer } = await carrying(1);
    const { socket } = channels[0].wire;
    const write = t.mock.method(socket, '_write');
    const come = (count: number): LinkListener[] => {
      const more = Array.from({ length: count }, (_, i) => new LinkListener(`GET /more${i}`));
      for (const user of more) user.use(link(user));
      return more;
    };
    const [, gone] = come(3);
    gone.link?.abandon();
    const before = write.mock.callCount();
    assert.ok(before <= 1, 'who leaves says so at once, and takes with it what waits');
    assert.equal(
      await peer.until('3 abort\n'),
      '2 open GET /more0\n2 end\n3 open GET /more1\n3 end\n4 open GET /more2\n4 end\n3 abort\n',
    );
    come(2);
    assert.equal(write.mock.callCount(), before);
    assert.equal(await peer.until('6 end\n'), '5 open GET /more0\n5 end\n6 open GET /more1\n6 end\n');
    assert.equal(write.mock.callCount(), before + 1);
    for (const id of [1, 2, 4, 5, 6]) peer.send(`${id} head 200\n${id} end\n`);
    await eventually(() => users[0].events.includes('end') && channels[0].busy === 0, 'all answers');
    const sent = write.mock.callCount();
    come(1);
    assert.equal(write.mock.callCount(), sent + 1);
  });

  test('an origin that is another by the time the connection is there: all who wait get a new one', async (t) => {
    const { where, channels, link, sessions } = await stage(t);
    const users = [new LinkListener(), new LinkListener()];
    for (const user of users) link(user);
    where.address = { ...where.address, scheme: 'h2c' };
    await eventually(() => users.every((user) => user.events.includes('connected')), 'both to have a connection');
    assert.deepEqual(
      channels.map(({ state, address }) => [state, address.scheme]),
      [
        ['closed', 'http'],
        ['open', 'h2c'],
      ],
    );
    assert.equal(sessions.length, 1);
  });

  test('answers that arrive byte by byte', async (t) => {
    const { carrying } = await stage(t);
    const { users, peer } = await carrying(2);
    await peer.drip('1 head 200\n2 head 404\n1 body x\n2 body y\n1 end\n2 end\n');
    await eventually(() => users[1].events.includes('end'), 'the answers');
    assert.deepEqual(heard(users), ['connected, head 200, end', 'connected, head 404, end']);
    assert.deepEqual([users[0].content, users[1].content], ['x', 'y']);
  });

  test('idle once nothing travels on it, used again, and closed after keepAlive.idle', async (t) => {
    const { carrying, link, clock, where, far } = await stage(t);
    const { users, peer } = await carrying(1);
    peer.send('1 head 200\n1 end\n');
    await eventually(() => where.meter[METER.idle] === 1, 'idle');
    assert.equal(users[0].link?.state, 'closed');
    clock.advance(3900);
    const again = new LinkListener();
    again.use(link(again));
    assert.equal(where.meter[METER.idle], 0);
    await peer.until('2 end\n');
    peer.send('2 head 200\n2 end\n');
    await eventually(() => where.meter[METER.idle] === 1, 'idle again');
    assert.deepEqual(again.events, ['head 200', 'end']);
    clock.advance(4100);
    await peer.end();
    assert.deepEqual([where.connections, far.connections.length], [0, 1]);
  });

  test('more exchanges than slots: another connection; the one in use most gets the next', async (t) => {
    const { link, far, where } = await stage(t, {}, 2);
    const users = Array.from({ length: 5 }, () => new LinkListener());
    for (const user of users) user.use(link(user));
    await eventually(() => users.every(({ events }) => events.length === 1), 'all connected');
    // 5 waited for one connection, and two could have it: the others waited for the next ones.
    await eventually(() => far.connections.length === 3, 'three connections');
    assert.equal(where.connections, 3);
    const [a, b, c] = users.map((user) => user.link);
    a?.abandon();
    b?.abandon();
    c?.abandon();
    assert.equal(where.meter[METER.idle], 1);
    const next = new LinkListener();
    next.use(link(next));
    assert.equal(where.meter[METER.idle], 1);
    await eventually(() => far.connections.some(({ held }) => held.includes('3 open GET /\n')), 'on a busy one');
  });

  test('slots that grow and shrink', async (t) => {
    const { carrying, link, far } = await stage(t, {}, 3);
    const { users, peer } = await carrying(2);
    peer.send('slots 1\n1 head 200\n');
    await eventually(() => users[0].events.includes('head 200'), 'the news');
    const other = new LinkListener();
    other.use(link(other));
    assert.equal(other.link?.state, 'connecting');
    await eventually(() => far.connections.length === 2, 'a second connection');
    peer.send('slots 3\n2 head 200\n');
    await eventually(() => users[1].events.includes('head 200'), 'the news');
    const third = new LinkListener();
    third.use(link(third));
    assert.equal(await peer.until('\n'), '3 open GET /\n');
  });

  test('a user that leaves frees its place at once and the peer is told; others go on', async (t) => {
    const { carrying } = await stage(t);
    const { users, peer } = await carrying(2);
    users[0].link?.abandon();
    assert.equal(users[0].link?.state, 'closed');
    assert.equal(await peer.until('\n'), '1 abort\n');
    peer.send('1 head 200\n1 body late\n2 head 200\n2 end\n');
    await eventually(() => users[1].events.includes('end'), 'the other answer');
    assert.deepEqual([users[0].events, users[0].content], [['connected'], '']);
  });

  test('whoever leaves while it connects is not asked about; the last one stops the connecting', async (t) => {
    const { link, where } = await stage(t);
    const [a, b] = [new LinkListener(), new LinkListener()];
    a.use(link(a));
    b.use(link(b));
    a.link?.abandon();
    assert.equal(where.connections, 1);
    await eventually(() => b.events.includes('connected'), 'connected');
    assert.deepEqual(a.events, []);
    const c = new LinkListener();
    b.link?.abandon();
    c.use(link(c, { fresh: true }));
    assert.equal(where.connections, 2);
    c.link?.abandon();
    assert.equal(where.connections, 1);
  });

  test('an answer that ends before its request, which the peer then refuses: it is whole', async (t) => {
    const { link, far, where } = await stage(t);
    const user = new LinkListener('POST /', true);
    user.releases = false;
    user.use(link(user));
    await eventually(() => user.events.length === 1, 'connected');
    user.send('half');
    const [peer] = far.connections;
    await peer.until('1 body half\n');
    peer.send('1 head 413\n1 end\n1 fail origin-closed\n');
    await eventually(() => user.events.includes('end'), 'the answer');
    user.send('more');
    user.link?.requestEnd('');
    user.link?.release(0);
    assert.deepEqual([user.events, where.meter[METER.idle]], [['connected', 'head 413', 'end'], 1]);
    peer.send('ping\n');
    assert.equal(await peer.until('\n'), 'pong\n');
  });

  test('whoever comes in the middle of a read takes another connection', async (t) => {
    const { carrying, link } = await stage(t);
    const { users, peer } = await carrying(1);
    const late = new LinkListener();
    const { head } = users[0];
    users[0].head = function (answer) {
      head.call(users[0], answer);
      late.use(link(late));
    };
    peer.send('1 head 200\n1 body b\n');
    await eventually(() => late.events.includes('connected'), 'connected');
    assert.deepEqual([users[0].content, peer.held], ['b', '']);
  });

  test('nobody joins a connection once it is not to be shared any more', async (t) => {
    const { carrying, link, pool, where } = await stage(t);
    const { users } = await carrying(1);
    (pool as { shares: Pool['shares'] }).shares = () => false;
    const user = new LinkListener();
    assert.equal(pool.shared.join(where, user, false, false, 0), undefined);
    const own = link(user);
    assert.ok(own instanceof Channel);
    own.close();
    assert.equal(users[0].link?.state, 'open');
  });

  test('a request that the protocol cannot tell leaves the connection to the others', async (t) => {
    const { link, far } = await stage(t);
    const [bad, good] = [new LinkListener('GET /refused'), new LinkListener()];
    bad.use(link(bad));
    good.use(link(good));
    await eventually(() => far.connections[0]?.held.includes('open') === true, 'the other request');
    assert.deepEqual(heard([bad, good]), ['connected, refused no-script', 'connected']);
  });

  test('an answer that ends before its request: the peer is told that the rest does not come', async (t) => {
    const { link, far, where } = await stage(t);
    const user = new LinkListener('POST /', true);
    user.use(link(user));
    await eventually(() => user.events.length === 1, 'connected');
    user.send('half');
    const [peer] = far.connections;
    await peer.until('1 body half\n');
    peer.send('1 head 413\n1 end\n');
    assert.equal(await peer.until('\n'), '1 abort\n');
    assert.deepEqual([user.events, where.meter[METER.idle]], [['connected', 'head 413', 'end'], 1]);
  });
});

describe('back-pressure on a shared connection', () => {
  test('a slow user pauses its own exchange, once, and the others go on', async (t) => {
    const { carrying } = await stage(t);
    const { users, peer } = await carrying(2);
    users[0].takes = false;
    peer.send('1 head 200\n1 body a\n2 head 200\n');
    assert.equal(await peer.until('\n'), '1 stop\n');
    peer.send('1 body b\n2 body c\n2 end\n');
    await eventually(() => users[1].events.includes('end'), 'the other answer');
    assert.deepEqual([users[0].content, users[1].content, peer.held], ['ab', 'c', '']);
    users[0].takes = true;
    users[0].link?.resume();
    assert.equal(await peer.until('\n'), '1 go\n');
    peer.send('1 end\n');
    await eventually(() => users[0].events.includes('end'), 'the end');
  });

  test('a session that can keep no more stops the whole connection, takes nobody new, and goes on', async (t) => {
    const { carrying, link, sessions, far } = await stage(t);
    const { users, peer } = await carrying(2);
    users[0].takes = false;
    sessions[0].full = true;
    peer.send('1 head 200\n');
    await eventually(() => users[0].events.includes('head 200'), 'the head');
    peer.send('2 head 200\n');
    const other = new LinkListener();
    other.use(link(other));
    await eventually(() => far.connections.length === 2, 'a second connection');
    assert.deepEqual(users[1].events, ['connected']);
    sessions[0].full = false;
    users[0].link?.resume();
    await eventually(() => users[1].events.includes('head 200'), 'the rest');
  });

  test('a peer that takes no more of a body: false, and flushed once it does', async (t) => {
    const { link, far } = await stage(t);
    const user = new LinkListener('POST /held', true);
    user.use(link(user));
    await eventually(() => user.events.length === 1, 'connected');
    assert.equal(user.send('abcdef'), false);
    const [peer] = far.connections;
    assert.equal(await peer.until('\n'), '1 open POST /held\n');
    peer.send('1 allow 2\n');
    assert.equal(await peer.until('\n'), '1 body ab\n');
    assert.deepEqual(user.events, ['connected']);
    peer.send('1 allow 100\n');
    assert.equal(await peer.until('\n'), '1 body cdef\n');
    await eventually(() => user.events.includes('flushed'), 'flushed');
    user.link?.requestEnd('');
    assert.equal(user.link?.requestFlush(), true);
    assert.equal(await peer.until('\n'), '1 end\n');
  });

  test('a socket that is full: all wait, and all hear when it is not', async (t) => {
    const { link, far } = await stage(t);
    const users = [new LinkListener('POST /', true), new LinkListener('POST /', true)];
    for (const user of users) user.use(link(user));
    await eventually(() => users[1].events.length === 1, 'connected');
    const [peer] = far.connections;
    peer.pause();
    const piece = 'x'.repeat(1_000_000);
    while (users[0].send(piece));
    assert.equal(users[1].send('y'), false);
    peer.resume();
    await eventually(() => users.every(({ events }) => events.includes('flushed')), 'flushed');
    assert.deepEqual(heard(users), ['connected, flushed', 'connected, flushed']);
  });

  test('a socket that is full, and a peer that takes nothing of one body: that one waits on', async (t) => {
    const { link, far } = await stage(t);
    const users = [new LinkListener('POST /', true), new LinkListener('POST /held', true)];
    for (const user of users) user.use(link(user));
    await eventually(() => users[1].events.length === 1, 'connected');
    const [peer] = far.connections;
    peer.pause();
    const piece = 'x'.repeat(1_000_000);
    while (users[0].send(piece));
    assert.equal(users[1].send('y'), false);
    peer.resume();
    await eventually(() => users[0].events.includes('flushed'), 'flushed');
    peer.send('ping\n');
    await peer.until('pong\n');
    assert.deepEqual(users[1].events, ['connected']);
    peer.send('2 allow 1\n');
    await eventually(() => users[1].events.includes('flushed'), 'the other one, too');
  });

  test('a peer that answers and closes while it is still sent to: the answer is heard', async (t) => {
    const { link, far, where } = await stage(t);
    const user = new LinkListener('POST /', true);
    user.use(link(user));
    await eventually(() => user.events.length === 1, 'connected');
    user.send('x');
    const [peer] = far.connections;
    await peer.until('body x\n');
    peer.send('1 head 413\n1 end\n');
    // What refuses an upload resets who still sends: the next write fails before the answer is read.
    peer.reset();
    user.send('more');
    const late = link(new LinkListener());
    assert.equal(late.state, 'connecting', 'nobody new comes where nothing can be sent');
    late.abandon();
    await eventually(() => where.connections === 0, 'closed');
    assert.deepEqual(user.events, ['connected', 'head 413', 'end']);
  });

  test('what the session answers by itself goes out', async (t) => {
    const { carrying } = await stage(t);
    const { users, peer } = await carrying(1);
    peer.send('ping\n');
    assert.equal(await peer.until('\n'), 'pong\n');
    peer.send('1 head 200\n1 end\n');
    await eventually(() => users[0].link?.state === 'closed', 'the end');
    peer.send('ping\n');
    assert.equal(await peer.until('\n'), 'pong\n');
  });
});

describe('time on a shared connection', () => {
  test('each exchange has its own: firstByte, and idle once it has begun', async (t) => {
    const { carrying, clock, where } = await stage(t);
    const { users, peer } = await carrying(2);
    clock.advance(1500);
    peer.send('1 head 200\n');
    await eventually(() => users[0].events.includes('head 200'), 'the head');
    clock.advance(700);
    assert.deepEqual(heard(users), ['connected, head 200', 'connected, fail answer-timeout']);
    assert.equal(await peer.until('\n'), '2 abort\n');
    clock.advance(500);
    assert.equal(users[0].events.at(-1), 'fail answer-stalled');
    assert.equal(await peer.until('\n'), '1 abort\n');
    // It has said something in that time for one of them, but nothing for the last: nobody knows whether it lives.
    assert.equal(where.connections, 0);
  });

  test('one that has been heard of meanwhile is kept when an exchange is late', async (t) => {
    const { carrying, clock, where } = await stage(t);
    const { users, peer } = await carrying(2);
    peer.send('1 head 200\n1 end\n');
    await eventually(() => users[0].events.includes('end'), 'an answer');
    clock.advance(2100);
    assert.equal(users[1].events.at(-1), 'fail answer-timeout');
    assert.deepEqual([where.connections, where.meter[METER.idle]], [1, 1]);
  });

  test('a user that takes nothing makes nobody late', async (t) => {
    const { carrying, clock } = await stage(t);
    const { users, peer } = await carrying(1);
    users[0].takes = false;
    peer.send('1 head 200\n');
    await peer.until('1 stop\n');
    clock.advance(100_000);
    assert.deepEqual(users[0].events, ['connected', 'head 200']);
    users[0].takes = true;
    users[0].link?.resume();
    clock.advance(1200);
    assert.equal(users[0].events.at(-1), 'fail answer-stalled');
  });

  test('an origin that takes no more of a body is late after idle, unless it takes a part', async (t) => {
    const { link, far, clock } = await stage(t);
    const user = new LinkListener('POST /held', true);
    user.use(link(user));
    await eventually(() => user.events.length === 1, 'connected');
    user.send('abcdef');
    clock.advance(800);
    const [peer] = far.connections;
    peer.send('1 allow 2\n');
    await peer.until('1 body ab\n');
    clock.advance(800);
    assert.deepEqual(user.events, ['connected']);
    clock.advance(500);
    assert.deepEqual(user.events, ['connected', 'fail origin-stalled']);
  });

  test('maxRequests and maxAge: others go on, but nobody new comes', async (t) => {
    const few = await stage(t, { maxRequests: 2 });
    const { users, peer } = await few.carrying(2);
    const third = new LinkListener();
    third.use(few.link(third));
    assert.equal(third.link?.state, 'connecting');
    peer.send('1 head 200\n1 end\n2 head 200\n2 end\n');
    await peer.end();
    assert.deepEqual(heard(users), ['connected, head 200, end', 'connected, head 200, end']);
    const young = await stage(t, { maxAge: 1500 });
    const old = await young.carrying(1);
    young.clock.advance(1600);
    const next = new LinkListener();
    next.use(young.link(next));
    assert.equal(next.link?.state, 'connecting');
    old.peer.send('1 head 200\n1 end\n');
    await old.peer.end();
    assert.equal(old.users[0].events.at(-1), 'end');
  });

  test('warm: a request that may not be sent twice gets what is in use, or was within the last second', async (t) => {
    const { carrying, pool, where, clock } = await stage(t);
    const join = (): LinkListener | undefined => {
      const user = new LinkListener('POST /');
      const link = pool.shared.join(where, user, false, true, clock.now());
      return link === undefined ? undefined : user.use(link);
    };
    const { users, peer } = await carrying(1);
    clock.advance(1500);
    assert.ok(join() !== undefined);
    peer.send('1 head 200\n1 end\n2 head 200\n2 end\n');
    users[0].releases = true;
    await eventually(() => where.meter[METER.idle] === 1, 'idle');
    // Released at the clock time 0, by which it was idle long ago.
    assert.equal(join(), undefined);
  });
});

describe('the end of a shared connection', () => {
  for (const [name, end] of [
    ['FIN', (peer: Peer) => peer.fin()],
    ['RST', (peer: Peer) => peer.reset()],
  ] as const) {
    test(`${name}: each exchange fails as far as it had come, and none that was whole`, async (t) => {
      const { carrying, where, far, link } = await stage(t);
      const { users, peer } = await carrying(4);
      users[2].releases = false;
      users[3].link?.abandon();
      peer.send('1 head 200\n1 body half\n3 head 200\n3 end\n');
      await eventually(() => users[2].events.includes('end'), 'the answers');
      end(peer);
      await eventually(() => where.connections === 0, 'closed');
      assert.deepEqual(heard(users), [
        'connected, head 200, fail answer-incomplete',
        'connected, fail origin-closed',
        'connected, head 200, end',
        'connected',
      ]);
      const next = new LinkListener();
      next.use(link(next));
      await eventually(() => far.connections.length === 2, 'a new one');
    });
  }

  test('an exchange has heard something when the connection has since it was sent', async (t) => {
    const { carrying } = await stage(t);
    const { users, peer } = await carrying(2);
    assert.deepEqual([users[0].link?.heard, users[1].link?.heard], [false, false]);
    peer.send('1 head 200\n');
    await eventually(() => users[0].events.includes('head 200'), 'the head');
    assert.deepEqual([users[0].link?.heard, users[1].link?.heard], [true, true]);
  });

  test('the origin ends it in peace: what it has begun with goes on, the rest is dismissed, nobody new comes', async (t) => {
    const { carrying, link, where, far } = await stage(t);
    const { users, peer } = await carrying(3);
    peer.send('goaway 2\n1 head 200\n');
    await eventually(() => users[0].events.includes('head 200'), 'the head');
    assert.equal(users[2].events.at(-1), 'fail origin-overloaded');
    assert.deepEqual([users[2].link?.dismissed, users[1].link?.state], [true, 'open']);
    const other = new LinkListener();
    other.use(link(other));
    await eventually(() => far.connections.length === 2, 'a second connection');
    peer.send('1 end\n2 head 200\n');
    await eventually(() => users[1].events.includes('head 200'), 'the head');
    assert.equal(where.connections, 2);
    peer.send('2 end\n');
    await peer.end();
    assert.equal(users[1].events.at(-1), 'end');
    await eventually(() => where.connections === 1, 'closed');
  });

  test('one exchange that is refused alone is not dismissed', async (t) => {
    const { carrying, where } = await stage(t);
    const { users, peer } = await carrying(2);
    peer.send('1 fail origin-overloaded\n');
    await eventually(() => users[0].events.includes('fail origin-overloaded'), 'the refusal');
    assert.deepEqual([users[0].link?.dismissed, users[1].link?.state, where.connections], [false, 'open', 1]);
    assert.equal(peer.held, '', 'a refused exchange is not given up once more');
  });

  test('an idle one that the origin ends is not used again', async (t) => {
    const { carrying, where } = await stage(t);
    const { peer } = await carrying(1);
    peer.send('1 head 200\n1 end\n');
    await eventually(() => where.meter[METER.idle] === 1, 'idle');
    peer.send('goaway 1\n');
    await peer.end();
    await eventually(() => where.connections === 0, 'closed');
  });

  test('fresh: after a kept one has failed, only one that is being opened', async (t) => {
    const { carrying, pool, where, link, clock } = await stage(t);
    await carrying(1);
    const user = new LinkListener();
    assert.equal(pool.shared.join(where, user, true, false, clock.now()), undefined);
    user.use(link(user, { fresh: true }));
    const other = new LinkListener();
    other.use(link(other, { fresh: true }));
    await eventually(() => other.events.includes('connected'), 'connected');
    assert.equal(where.connections, 2);
  });

  test('a connection that cannot be made: all who wait hear it', async (t) => {
    const { far, link, where } = await stage(t);
    await far.refuse();
    const users = [new LinkListener(), new LinkListener()];
    for (const user of users) user.use(link(user));
    await eventually(() => users[1].events.length > 0, 'the failure');
    const failure = 'not connected: connect-refused ECONNREFUSED';
    assert.deepEqual([heard(users), where.connections], [[failure, failure], 0]);
  });

  test('a handshake that fails: all who wait hear why, whether it ends the connection or is judged', async (t) => {
    const { far, pool, where } = await stage(t);
    await far.refuse();
    const why = { code: 'bad-answer', detail: 'no trust' } as const;
    const waiting = (channel: SharedChannel): LinkListener[] =>
      [new LinkListener(), new LinkListener()].map((user) => user.use(channel.join(user)));
    const made = (): SharedChannel => {
      const channel = new SharedChannel(where, pool, () => assert.fail('nobody goes elsewhere'));
      channel.wire.attach(new Socket(), false);
      return channel;
    };
    const judged = made();
    const told = waiting(judged);
    judged.refused(why);
    const broken = made();
    broken.explain = (error) => (error?.code === 'EPROTO' ? why : undefined);
    told.push(...waiting(broken));
    broken.ended();
    broken.closed(Object.assign(new Error(), { code: 'EPROTO' }));
    assert.deepEqual(heard(told), Array<string>(4).fill('not connected: bad-answer no trust'));
    assert.equal(where.connections, 0);
  });

  test('an origin that turns us away after the handshake, having heard nothing: as if there had been no connection', async (t) => {
    const { carrying, link, where, far, channels } = await stage(t);
    const { users, peer } = await carrying(2);
    channels[0].explain = () => ({ code: 'connect-refused', detail: 'no certificate' });
    peer.reset();
    await eventually(() => where.connections === 0, 'the end');
    const refused = 'connected, not connected: connect-refused no certificate';
    assert.deepEqual(heard(users), [refused, refused]);
    const next = new LinkListener();
    next.use(link(next));
    await eventually(() => far.connections.length === 2, 'another connection');
  });

  test('removed, drained and closed', async (t) => {
    const { carrying, pool, where, link } = await stage(t);
    const { users } = await carrying(2);
    const late = new LinkListener();
    late.use(link(late, { fresh: true }));
    assert.equal(pool.cut(where), 2);
    assert.deepEqual(heard([...users, late]), [
      'connected, fail origin-removed',
      'connected, fail origin-removed',
      'not connected: connect-failed the origin was removed',
    ]);
    const again = await stage(t);
    const { users: busy, peer } = await again.carrying(1);
    again.where.state = 'draining';
    again.pool.drain(again.where);
    again.pool.close(false);
    assert.equal(busy[0].link?.state, 'open');
    peer.send('1 head 200\n1 end\n');
    await peer.end();
    assert.equal(busy[0].events.at(-1), 'end');
  });

  test('a defect of the codec costs this connection and no more', async (t) => {
    const { carrying, defects, where } = await stage(t);
    const { users, peer } = await carrying(2);
    peer.send('broken\n');
    await eventually(() => where.connections === 0, 'closed');
    assert.deepEqual(heard(users), ['connected, fail origin-closed', 'connected, fail origin-closed']);
    assert.equal(defects.length, 1);
  });
});

describe('a connection whose handshake tells what it is', () => {
  /** Sessions that are shared only where `shared` was agreed on. */
  async function negotiating(t: TestContext): Promise<{ pool: Pool; where: Origin; agreed: (string | undefined)[] }> {
    const far = await scripted(t, () => {});
    const clock = manualClock();
    const agreed: (string | undefined)[] = [];
    const make = (out: ByteSink, _origin: Origin, alpn?: string): CodecSession => {
      agreed.push(alpn);
      const session = new LineSession(out, 10);
      // Nothing is opened on the one that is not shared.
      if (alpn === 'single') session.abort = () => {};
      return session;
    };
    const options = { timeouts: TIMEOUTS, keepAlive: KEEP };
    const shares = (_origin: Origin, alpn?: string): boolean => alpn === undefined || alpn === 'shared';
    const pool = new Pool(options, clock, new Wheel(clock), make, assert.ifError, undefined, shares);
    t.after(() => pool.close(true));
    return { pool, where: originAt(`127.0.0.1:${far.port}`), agreed };
  }

  test('one exchange at a time: who came first gets it as a channel, the others one each', async (t) => {
    const { pool, where, agreed } = await negotiating(t);
    const links: Link[] = [];
    const user = (): LinkUser => ({ connected: (link: Link) => links.push(link), fail() {} }) as unknown as LinkUser;
    const opened = new Set<SharedChannel>();
    const join = (one: LinkUser): Link => {
      const there = pool.shared.join(where, one, false, false, 0);
      if (there !== undefined) return there;
      const channel = new SharedChannel(where, pool, join);
      channel.wire.attach(new Socket(), false);
      opened.add(channel);
      return channel.join(one);
    };
    const waiting = Array.from({ length: 4 }, () => join(user()));
    assert.equal(opened.size, 1);
    waiting[3].abandon();
    const [first] = opened;
    first.opened('single');
    assert.deepEqual([links.length, links[0] instanceof Channel, links[0].state], [1, true, 'open']);
    // Nobody waits for a connection together any more, as each is for one exchange.
    assert.equal(opened.size, 3);
    waiting[2].abandon();
    assert.deepEqual([where.connections, first.state], [2, 'closed']);
    for (const channel of [...opened].slice(1)) channel.opened('shared');
    assert.deepEqual([links.length, links[1] instanceof Channel], [2, false]);
    assert.deepEqual(agreed, ['single', 'shared']);
    links[0].close();
  });
});

describe('a stream in the place of a socket', () => {
  class Owner implements WireOwner {
    readonly events: string[] = [];
    takes = true;

    received(buffer: Buffer, length: number): boolean {
      this.events.push(buffer.latin1Slice(0, length));
      return this.takes;
    }

    ended(): void {
      this.events.push('ended');
    }

    flushed(): void {
      this.events.push('flushed');
    }

    closed(error: NodeJS.ErrnoException | null): void {
      this.events.push(`closed ${error?.code ?? ''}`);
    }

    defect(error: unknown): void {
      assert.ifError(error);
    }
  }

  async function detached(
    t: TestContext,
    target = '/',
  ): Promise<{ owner: Owner; wire: WireLike; peer: Peer; where: Origin; link: Link; clock: Stage['clock'] }> {
    const { link, far, where, clock } = await stage(t);
    const user = new LinkListener(`GET ${target}`, true);
    user.use(link(user));
    await eventually(() => user.events.length === 1, 'connected');
    user.link?.requestFlush();
    const [peer] = far.connections;
    await peer.until('\n');
    peer.send('1 head 101\n');
    await eventually(() => user.events.includes('head 101'), 'the head');
    const owner = new Owner();
    const own = user.link as Link;
    const wire = own.detach();
    wire.adopt(owner);
    return { owner, wire, peer, where, link: own, clock };
  }

  test('bytes go both ways, and each side ends by itself', async (t) => {
    const { owner, wire, peer, where, clock } = await detached(t);
    wire.text('a');
    wire.bytes(Buffer.from('xbx'), 1, 2);
    assert.equal(wire.flush(), true);
    assert.equal(await peer.until('b\n'), '1 body a\n1 body b\n');
    peer.send('1 body c\n');
    await eventually(() => owner.events.length === 1, 'a byte');
    clock.advance(1_000_000);
    peer.send('1 end\n');
    await eventually(() => owner.events.length === 2, 'the end');
    wire.text('d');
    wire.finish();
    assert.equal(await peer.until('end\n'), '1 body d\n1 end\n');
    await eventually(() => owner.events.length === 3, 'closed');
    assert.deepEqual(owner.events, ['c', 'ended', 'closed ']);
    assert.deepEqual([wire.dead, where.meter[METER.idle], peer.held], [true, 1, '']);
  });

  test('a reader that is slow pauses it; a peer that is slow is waited for', async (t) => {
    const { owner, wire, peer } = await detached(t, '/held');
    owner.takes = false;
    peer.send('1 body c\n');
    assert.equal(await peer.until('\n'), '1 stop\n');
    wire.resume();
    assert.equal(await peer.until('\n'), '1 go\n');
    wire.text('abc');
    assert.equal(wire.flush(), false);
    wire.finish();
    peer.send('1 allow 1\n');
    assert.equal(await peer.until('\n'), '1 body a\n');
    assert.equal(wire.dead, false);
    peer.send('1 allow 2\n1 end\n');
    assert.equal(await peer.until('end\n'), '1 body bc\n1 end\n');
    await eventually(() => wire.dead, 'closed');
  });

  test('destroyed: the peer is told, and the owner later', async (t) => {
    const { owner, wire, peer, where } = await detached(t);
    wire.destroy();
    assert.deepEqual(owner.events, []);
    assert.equal(await peer.until('\n'), '1 abort\n');
    assert.deepEqual(owner.events, ['closed ']);
    assert.equal(where.connections, 1);
    wire.text('late');
    assert.deepEqual([wire.flush(), wire.queued], [true, 0]);
    wire.destroy();
  });

  test('the peer gives it up, or the connection dies', async (t) => {
    const refused = await detached(t);
    refused.peer.send('1 fail origin-closed\n');
    await eventually(() => refused.owner.events.length === 1, 'closed');
    assert.deepEqual([refused.owner.events, refused.link.state], [['closed '], 'closed']);
    const lost = await detached(t);
    lost.peer.reset();
    await eventually(() => lost.owner.events.length === 1, 'closed');
    assert.deepEqual(lost.owner.events, ['closed ECONNRESET']);
  });
});
