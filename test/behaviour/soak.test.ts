import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { seeded } from '../support/origins.ts';
import { start } from '../support/line.ts';
import { eventually, get, ok, post, sleep } from '../support/scripted.ts';

const dice = seeded(11);
const draw = (most: number): number => Math.floor(dice.random() * most);
/** Requests of the soak; the time they take is a few seconds. */
const REQUESTS = Number(process.env['SLUICE_SOAK'] ?? 4000);

/** Everything that is not reachable goes now, so that what is left was kept by somebody. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** An origin that answers, dawdles, breaks off or resets, as the dice say. */
async function moody(t: TestContext): Promise<string> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let held = '';
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('data', (chunk: Buffer) => {
      held += chunk.latin1Slice();
      if (!held.includes('\r\n\r\n')) return;
      if (held.startsWith('POST') && !held.endsWith('!')) return;
      held = '';
      const mood = draw(20);
      if (mood === 0) socket.destroy();
      else if (mood === 1) socket.resetAndDestroy();
      else if (mood === 2) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
      else if (mood === 3) socket.end('HTTP/1.1 200 OK\r\n\r\nto the end');
      else if (mood === 4) socket.write('nonsense\r\n\r\n');
      else if (mood === 5) socket.write(ok('x'.repeat(300_000)));
      else if (mood === 6) socket.write(`${ok()}surplus`);
      else if (mood < 12) setTimeout(() => socket.destroyed || socket.write(ok('late')), draw(20));
      else socket.write(ok('fine'));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A client that asks and leaves at any moment. */
function restless(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
    const body = `${'b'.repeat(draw(100_000))}!`;
    const bytes = draw(3) === 0 ? post(body) : get('/').repeat(1 + draw(3));
    socket.write(bytes.slice(0, draw(4) === 0 ? draw(bytes.length) : undefined));
    const leave = (): void => {
      if (draw(2) === 0) socket.resetAndDestroy();
      else socket.destroy();
    };
    if (draw(10) === 0) socket.once('connect', leave);
    else setTimeout(leave, draw(40));
  });
}

test(`${REQUESTS} clients that leave at any moment, before origins in any mood: nothing is left behind`, async (t) => {
  const origins = [await moody(t), await moody(t), await moody(t)];
  const line = await start(
    t,
    origins,
    {
      balance: 'random-two',
      maxConnections: 8,
      keepAlive: { idle: '500ms' },
      disableTime: { first: '50ms', most: '100ms' },
      // With these moods some are taken out for a while at any time, and at the end all are to be there.
      eject: { on: ['connect'] },
    },
    { timeouts: { head: '2s', body: '2s' } },
  );
  const storm = async (count: number): Promise<void> => {
    let left = count;
    await Promise.all(
      Array.from({ length: 40 }, async () => {
        while (left-- > 0) await restless(line.port);
      }),
    );
    // Connections are accepted in their order: once this one is answered, those of the clients that left have been, too.
    const last = await line.connect();
    last.send('x\r\n');
    await last.until('400 Bad Request');
    // Who ended its side while requests of its pipeline were left is served on for a moment.
    await line.settled();
    await sleep(800);
    await line.settled();
    await eventually(() => line.app.origins.every((one) => one.connections === 0), 'all channels to close');
    // What the runner and the kernel still hold of closed sockets goes in a few turns.
    await sleep(100);
    collect();
  };
  await storm(REQUESTS / 4);
  const before = process.memoryUsage();
  await storm(REQUESTS);
  const after = process.memoryUsage();
  const grown = (after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers) / 1_048_576;
  assert.ok(grown < 6, `${grown.toFixed(1)} MiB more than before`);
  for (const one of line.app.origins) {
    assert.equal(one.inFlight, 0);
    assert.equal(one.slots, 8);
    assert.ok(one.state === 'up', one.state);
  }
  // And it works as on the first day.
  const peer = await line.connect();
  let answered = 0;
  for (let i = 0; i < 5; i++) {
    peer.send(get());
    await peer.until('\r\n\r\n').then(
      () => answered++,
      () => {},
    );
    if (peer.ending !== 'open') break;
    await sleep(30);
  }
  assert.ok(answered > 0);
  assert.deepEqual(
    line.said.filter((one) => one.startsWith('error')),
    [],
  );
});
