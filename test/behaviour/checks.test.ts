/** Active checks in the running proxy: they decide who serves, from the first one on, through reloads and for names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moody, stand } from '../support/moody.ts';
import { manualClock } from '../support/clock.ts';
import { dnsServer } from '../support/dns-server.ts';
import { eventually, sleep } from '../support/scripted.ts';

/** Twice in a row no answer within 400 ms: not even a busy machine stands still like that by chance. */
const check = { type: 'http', path: '/check', interval: '400ms', timeout: '400ms', rise: 1, fall: 2 } as const;
const block = { ...check, first: 'block' } as const;

for (const threads of [1, 2]) {
  describe(`with ${threads === 1 ? 'one thread' : 'two threads'}`, () => {
    test('first: block lets nothing through before the first check has passed', async (t) => {
      const app = await moody(t);
      app.check = 'hang';
      const proxy = await stand(t, app.url, { check: block }, { threads });
      assert.deepEqual(await proxy.view(app).then(({ state, reason }) => [state, reason]), [
        'down',
        'waits for its first check',
      ]);
      const waiting = [proxy.ask(), proxy.ask(), proxy.ask()];
      await eventually(() => proxy.lines.length === 1, 'the first check to fail');
      await eventually(() => proxy.sluice.shared.waiting('app') === 3, 'the requests to wait');
      assert.deepEqual(proxy.of(app), ['down: first check failed: no answer within 400ms']);
      assert.equal(app.asked, 0);
      app.check = 200;
      assert.deepEqual(await Promise.all(waiting), [app.name, app.name, app.name]);
      assert.deepEqual(proxy.of(app).slice(1), ['up: check passed: status 200']);
      assert.equal(await proxy.ejections(app), 1);
    });

    test('first: block holds for an origin that a reload adds, and the others are not touched', async (t) => {
      const [old, added] = [await moody(t), await moody(t)];
      added.check = 500;
      const proxy = await stand(t, [old.url], { check: block, balance: 'round-robin' }, { threads });
      await eventually(() => proxy.origin(old).state === 'up', 'the first check');
      await proxy.reload({ origins: [old.url, added.url] });
      assert.deepEqual(new Set(await proxy.asks(10)), new Set([old.name]));
      await eventually(() => proxy.of(added).length === 1, 'its first check to fail');
      assert.equal(added.asked, 0);
      added.check = 200;
      await eventually(() => proxy.origin(added).state === 'up', 'its check to pass');
      await proxy.asks(10);
      assert.ok(added.asked > 0);
      assert.deepEqual(proxy.of(old), ['up: first check passed: status 200']);
    });

    test('check: off frees those that the check had taken out, and who waits is served', async (t) => {
      const app = await moody(t);
      app.check = 500;
      const proxy = await stand(t, app.url, { check }, { threads });
      await eventually(() => proxy.origin(app).state === 'down', 'the check to fail');
      const waiting = [proxy.ask(), proxy.ask()];
      await eventually(() => proxy.sluice.shared.waiting('app') === 2, 'two to wait');
      await proxy.reload({ check: 'off' });
      assert.deepEqual(await Promise.all(waiting), [app.name, app.name]);
      assert.equal(proxy.of(app).at(-1), 'up: no longer checked');
      const { checked } = app;
      await sleep(1200);
      assert.ok(app.checked <= checked + 1, 'no more probes');
      assert.equal((await proxy.view(app)).check, null);
    });
  });
}

test('another check begins anew: what the old one had taken out stays out until the new one passes', async (t) => {
  const [app, other] = [await moody(t), await moody(t)];
  app.check = 500;
  const proxy = await stand(t, [app.url, other.url], { check });
  await eventually(() => proxy.origin(app).state === 'down', 'the check to fail');
  await proxy.reload({ check: { ...check, path: '/check2' } });
  await sleep(1200);
  assert.equal(await proxy.ask(), other.name);
  await proxy.reload({ check: 'tcp' });
  await proxy.reload({ check: { type: 'tcp', interval: '400ms', timeout: '400ms' } });
  await eventually(() => proxy.origin(app).state === 'up', 'the new check to pass');
  assert.equal(proxy.of(app).length, 2);
});

test('an upstream that is removed is not probed any more; a wrong reload leaves its checks alone', async (t) => {
  const app = await moody(t);
  const proxy = await stand(t, app.url, { check });
  await eventually(() => app.checked > 1, 'probes');
  await assert.rejects(proxy.sluice.reload({ ...proxy.sluice.given, threads: 2 }));
  const before = app.checked;
  await eventually(() => app.checked > before + 1, 'further probes');
  await proxy.sluice.reload({ ...proxy.sluice.given, upstreams: {}, routes: [] });
  const { checked } = app;
  await sleep(1200);
  assert.ok(app.checked <= checked + 1);
});

test('origins of a name are probed by address, each on its own', { skip: process.platform !== 'linux' }, async (t) => {
  const dns = await dnsServer(t);
  t.after(() => dns.stop());
  const app = await moody(t);
  // Nobody listens on 127.0.0.2: the same port of another address.
  dns.host('app.example', ['127.0.0.1', '127.0.0.2'], 0);
  const proxy = await stand(
    t,
    `http://app.example:${app.self.port}`,
    { check: { ...block, host: 'www.example.org' } },
    { resolver: { servers: dns.address, least: '100ms', timeout: '5s', tries: 1, family: 'ipv4' } },
  );
  const [first, second] = [`127.0.0.1:${app.self.port}`, `127.0.0.2:${app.self.port}`];
  await eventually(
    () => proxy.lines.length === 2,
    () => proxy.lines.join('\n'),
  );
  assert.deepEqual(proxy.lines.toSorted(), [
    `origin-down app ${second}: first check failed: cannot connect: connection refused`,
    `origin-up app ${first}: first check passed: status 200`,
  ]);
  assert.deepEqual(new Set(await proxy.asks(5)), new Set([app.name]));
  const [view] = await proxy.sluice.operator.upstreams();
  assert.deepEqual(
    view.origins.map(({ name, source, check: last }) => [name, source, last?.healthy]),
    [
      [first, 'dns', true],
      [second, 'dns', false],
    ],
  );
  // What a name leads to later is checked before it serves, too.
  dns.host('app.example', ['127.0.0.1', '127.0.0.2', '127.0.0.3'], 0);
  await eventually(() => proxy.lines.length === 3, 'the third to be checked');
  assert.equal(
    proxy.lines[2],
    `origin-down app 127.0.0.3:${app.self.port}: first check failed: cannot connect: connection refused`,
  );
});

test('thousands of turns leave nothing behind', async (t) => {
  const clock = manualClock();
  const app = await moody(t);
  await app.self.refuse();
  const proxy = await stand(
    t,
    app.url,
    { check: { type: 'tcp', interval: '1s', timeout: '900ms', rise: 1, fall: 1 } },
    {},
    { clock },
  );
  const origin = proxy.origin(app);
  /** Lets one probe run, on real sockets, and answers when the origin has turned. */
  const turn = async (state: 'up' | 'down'): Promise<void> => {
    for (; origin.state !== state; await new Promise(setImmediate)) clock.advance(100);
  };
  const cycle = async (): Promise<void> => {
    await app.self.refuse();
    await turn('down');
    await app.self.listen();
    await turn('up');
  };
  await app.self.listen();
  for (let i = 0; i < 50; i++) await cycle();
  const [timers, handles] = [clock.waiting, process.getActiveResourcesInfo().length];
  for (let i = 0; i < 1000; i++) await cycle();
  assert.equal(proxy.lines.length, 2100);
  assert.equal(await proxy.ejections(app), 1050);
  assert.ok(Math.abs(clock.waiting - timers) <= 3, `${timers} timers, then ${clock.waiting}`);
  await eventually(
    () => Math.abs(process.getActiveResourcesInfo().length - handles) <= 5,
    () => `${handles} handles, then ${process.getActiveResourcesInfo().length}`,
  );
});
