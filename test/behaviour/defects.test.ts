/** What throws in sluice or in the embedding program is told as `internal`, and costs no more than its own request. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type HookFunctions, makeHooks } from '../../src/proxy/hooks.ts';
import type { Messages } from '../../src/observe/messages.ts';
import { type Line, start } from '../support/line.ts';
import { eventually, get, ok, origin, server } from '../support/scripted.ts';

/** A line with hooks, whose messages are the test's to look at. */
async function hooked(t: TestContext, origins: string, hooks: HookFunctions): Promise<{ line: Line; said: string[] }> {
  const said: string[] = [];
  const messages: Messages = { say: (_level, code, message) => void said.push(`${code} ${message}`) };
  return { line: await start(t, origins, {}, {}, { hooks: makeHooks(hooks), messages }), said };
}

/** Asks twice at a time, so that there is another request for a failing one to disturb. */
async function statuses(line: Line, ...targets: string[]): Promise<number[]> {
  const peers = await Promise.all(targets.map(() => line.connect()));
  for (const [i, peer] of peers.entries()) peer.send(get(targets[i]));
  return Promise.all(peers.map(async (peer) => (await peer.answer()).status));
}

/** Everything that can be awaited and is no promise of this realm, or none that behaves. */
function thenable(run: (resolve: (value?: unknown) => void, reject: (error: unknown) => void) => void): Promise<never> {
  // oxlint-disable-next-line unicorn/no-thenable -- it is what this is about
  return { then: run } as never;
}

/** What goes wrong in hooks: what they return or throw. */
const FAULTS: Readonly<Record<string, () => Promise<never>>> = {
  throws: () => {
    throw new Error('broken hook');
  },
  rejects: () => Promise.reject(new Error('broken hook')),
  'rejects at once, by a thenable': () => thenable((_resolve, reject) => reject(new Error('broken hook'))),
  'throws in then': () =>
    thenable(() => {
      throw new Error('broken hook');
    }),
  'has a then that cannot be read': () =>
    // oxlint-disable-next-line unicorn/no-thenable -- the same
    Object.defineProperty({}, 'then', {
      get() {
        throw new Error('broken hook');
      },
    }) as never,
};

for (const where of ['onRequest', 'onResponse'] as const) {
  for (const [fault, run] of Object.entries(FAULTS)) {
    test(`${where} ${fault}: that request is answered 500, the others as ever`, async (t) => {
      const app = await server(t, () => ok());
      const { line, said } = await hooked(t, app.url, {
        [where](view: { target: string; request?: { target: string } }) {
          if ((view.request ?? view).target === '/broken') return run();
          return undefined;
        },
      });
      assert.deepEqual(await statuses(line, '/broken', '/', '/broken', '/'), [500, 200, 500, 200]);
      assert.equal(said.length, 2, said.join('\n'));
      for (const one of said) assert.match(one, /^internal Error: broken hook/);
      const logged = await line.logged(4);
      assert.equal(logged.filter((one) => one.error === 'hook-failed').length, 2);
      await line.settled();
    });
  }

  test(`${where} may return anything that can be awaited, also what calls back at once, twice, or throws after that`, async (t) => {
    const app = await server(t, () => ok());
    const { line, said } = await hooked(t, app.url, {
      [where](view: { target: string; request?: { target: string } }) {
        const { target } = view.request ?? view;
        if (target === '/once') return thenable((resolve) => resolve());
        if (target === '/twice')
          return thenable((resolve, reject) => {
            resolve();
            resolve();
            reject(new Error('too late'));
          });
        return thenable((resolve) => {
          resolve();
          throw new Error('too late');
        });
      },
    });
    assert.deepEqual(await statuses(line, '/once', '/twice', '/throws', '/once'), [200, 200, 200, 200]);
    assert.deepEqual(said, []);
    await line.logged(4);
    await line.settled();
  });
}

test('onRequest may answer by a thenable that calls back at once', async (t) => {
  const app = await server(t, () => ok());
  const { line } = await hooked(t, app.url, {
    onRequest: () => thenable((resolve) => resolve({ status: 403, body: 'no' })),
  });
  const peer = await line.connect();
  peer.send(get());
  assert.equal((await peer.answer()).body, 'no');
  assert.equal(app.requests.length, 0);
});

test('a timer that throws: the other timers go on, and so does the process', async (t) => {
  const app = await origin(t, async (peer) => {
    for (let request = await peer.request(); request !== undefined; request = await peer.request()) {
      if (request.target !== '/silent') peer.send(ok());
    }
  });
  await app.refuse();
  const said: string[] = [];
  let thrown = 0;
  // Called by a timer, once an origin's rest is over: the embedding program's fault, in the middle of ours.
  const messages: Messages = {
    say(_level, code, message) {
      if (code === 'origin-up' && thrown++ === 0) throw new Error('broken messages');
      said.push(`${code} ${message}`);
    },
  };
  const line = await start(
    t,
    app.url,
    { disableTime: { first: '50ms', most: '50ms' }, timeouts: { firstByte: '2s' }, queue: { timeout: '1m' } },
    {},
    { messages },
  );
  const waiting = await line.connect();
  waiting.send(get('/waits-for-the-origin'));
  await eventually(() => thrown > 0, 'the timer to throw');
  await eventually(
    () => said.some((one) => one.startsWith('internal Error: broken messages')),
    'the defect to be told',
  );
  await app.listen();
  const peer = await line.connect();
  peer.send(get('/'));
  assert.equal((await peer.answer()).status, 200);
  assert.equal((await waiting.answer()).status, 200);
  // Another timer, on the same wheel.
  peer.send(get('/silent'));
  assert.equal((await peer.answer()).status, 504);
  assert.equal(said.filter((one) => one.startsWith('internal')).length, 1);
  await line.settled();
});
