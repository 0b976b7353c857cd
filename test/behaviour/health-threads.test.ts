/** Health is one for all threads: failures add up, and what one thread or the check finds out all know. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { METER } from '../../src/core/meter.ts';
import { moody, stand, type Moody, type Stand } from '../support/moody.ts';
import { eventually } from '../support/scripted.ts';

const top = { threads: 2 };
/** Twice in a row no answer within 400 ms: not even a busy machine stands still like that by chance. */
const check = { type: 'http', path: '/check', interval: '400ms', timeout: '400ms', rise: 1, fall: 2 } as const;

/** Asks until the origin is out; how often that was. */
async function askUntilDown(proxy: Stand, one: Moody): Promise<number> {
  for (let asked = 1; asked <= 200; asked++) {
    await proxy.ask();
    if (proxy.origin(one).state === 'down') return asked;
  }
  throw new Error('it stays up');
}

/** A request that `app` holds, in a thread. */
async function hold(proxy: Stand, app: Moody): Promise<{ thread: number; answer: Promise<string> }> {
  const before = proxy.sluice.shared.holders('app');
  const { held } = app;
  const answer = proxy.ask('/hold');
  await eventually(() => app.held === held + 1, 'a request to be held');
  const thread = proxy.sluice.shared.holders('app').findIndex((count, i) => count > before[i]);
  return { thread, answer };
}

describe('two threads', () => {
  test('failures in a row are those of both together, and all know who is out', async (t) => {
    const [app, other] = [await moody(t, 503), await moody(t)];
    const proxy = await stand(t, [app.url, other.url], { eject: { failures: 20 } }, top);
    // Each of them alone would need twice as many.
    assert.equal(await askUntilDown(proxy, app), 20);
    const byThread = proxy.sluice.shared.counted(METER.requests);
    assert.ok(Math.min(...byThread) > 0, `both have served: ${byThread.join(' ')}`);
    assert.deepEqual(new Set(await proxy.asks(10)), new Set([other.name]));
    await eventually(() => proxy.lines.length > 0, 'the line');
    assert.deepEqual(proxy.lines, [`origin-down app ${app.name}: answered 503, failure 20 in a row`]);
    assert.equal(await proxy.ejections(app), 1);
  });

  test('one request of all tries it, and what comes of it holds for both', async (t) => {
    const [app, other] = [await moody(t, 503), await moody(t)];
    const proxy = await stand(t, [app.url, other.url], { eject: { first: '200ms' } }, top);
    await askUntilDown(proxy, app);
    app.mood = 'hold';
    await eventually(() => proxy.origin(app).state === 'up', 'the rest to end');
    const asked = Array.from({ length: 20 }, () => proxy.ask());
    await eventually(() => other.asked === 19, 'the others to go elsewhere');
    assert.equal(app.held, 1);
    app.letGo(503);
    await eventually(() => proxy.of(app).length === 3, 'its failure to count');
    await Promise.all(asked);
    app.mood = 200;
    await eventually(() => proxy.origin(app).state === 'up', 'the second rest to end');
    assert.equal(await proxy.ask(), app.name);
    assert.deepEqual(new Set(await proxy.asks(10)), new Set([app.name]));
    await eventually(
      () => proxy.lines.length === 5,
      () => proxy.lines.join('\n'),
    );
    assert.deepEqual(proxy.of(app).slice(2), [
      'down: answered 503 when it was tried',
      'up: may be tried again',
      'up: answers again',
    ]);
  });

  test('never both of two, though both fail at the same moment in both', async (t) => {
    for (let round = 0; round < 3; round++) {
      const all = [await moody(t, 503), await moody(t, 503)];
      const urls = all.map(({ url }) => url);
      const proxy = await stand(t, urls, { balance: 'round-robin', eject: { failures: 3, most: 1 } }, top);
      let out = 0;
      const watch = setInterval(() => {
        out = Math.max(out, all.filter((one) => proxy.origin(one).resting).length);
      }, 1);
      const answers = await Promise.all(Array.from({ length: 100 }, () => proxy.ask()));
      clearInterval(watch);
      assert.deepEqual(new Set(answers), new Set(['503']));
      assert.equal(out, 1);
      assert.equal(all.filter((one) => proxy.origin(one).state === 'down').length, 1);
    }
  });

  test('the rest of an origin ends even if the thread that took it out is dead', async (t) => {
    const [app, other] = [await moody(t, 503), await moody(t)];
    const proxy = await stand(t, [app.url, other.url], { eject: { first: '500ms' } }, top);
    await askUntilDown(proxy, app);
    const { fleet } = proxy.sluice;
    await Promise.all([fleet?.kill(0), fleet?.kill(1)]);
    app.mood = 200;
    await eventually(() => proxy.origin(app).state === 'up', 'the rest to end');
    await eventually(() => proxy.lines.some((line) => line.endsWith('may be tried again')), 'the line');
    await eventually(() => proxy.sluice.threads.every(({ state }) => state === 'serving'), 'others to serve');
    assert.equal(await proxy.ask(), app.name);
    assert.equal(proxy.origin(app).slots, Infinity);
  });
});

describe('checks', () => {
  test('one that fails takes the origin out for all, one that passes wakes who waits in any thread', async (t) => {
    const app = await moody(t);
    const proxy = await stand(t, app.url, { check }, top);
    assert.deepEqual(new Set(await proxy.asks(10)), new Set([app.name]));
    app.check = 500;
    await eventually(() => proxy.origin(app).state === 'down', 'the check to fail');
    const { asked } = app;
    const waiting = Array.from({ length: 20 }, () => proxy.ask());
    await eventually(() => proxy.sluice.shared.waiting('app') === 20, 'all to wait');
    const board = proxy.sluice.shared.upstream('app');
    const lists = [board.row(0)[METER.waiting], board.row(1)[METER.waiting]];
    assert.ok(Math.min(...lists) > 0, `in both threads: ${lists.join(' ')}`);
    const view = await proxy.view(app);
    assert.deepEqual([view.state, view.check?.healthy, view.until], ['down', false, null]);
    assert.equal(view.reason, 'check failed 2 times: status 500, expected 200-399');
    assert.equal(app.asked, asked);
    app.check = 200;
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set([app.name]));
    assert.deepEqual(proxy.of(app), [
      'down: check failed 2 times: status 500, expected 200-399',
      'up: check passed: status 200',
    ]);
    assert.equal(await proxy.ejections(app), 1);
  });
});

describe('maxInFlight', () => {
  test('never more at all origins than that, in both threads together; and all are served', async (t) => {
    const all = [await moody(t, 'hold'), await moody(t, 'hold'), await moody(t, 'hold')];
    const urls = all.map(({ url }) => url);
    const proxy = await stand(t, urls, { balance: 'round-robin', maxInFlight: 4, maxConnections: 3 }, top);
    const asked = Array.from({ length: 120 }, () => proxy.ask());
    const held = (): number => all.reduce((sum, one) => sum + one.held, 0);
    for (let left = 120; left > 0; left--) {
      await eventually(
        () => held() === Math.min(4, left),
        () => `${Math.min(4, left)} at once, not ${held()}`,
      );
      // The one that is free now is at this origin, or at that.
      const one = all[left % 3].held > 0 ? all[left % 3] : all.find((each) => each.held > 0);
      one?.letGo();
    }
    assert.deepEqual(new Set(await Promise.all(asked)), new Set(all.map(({ name }) => name)));
  });

  test('a reload that sets it counts those that are there', async (t) => {
    const app = await moody(t, 'hold');
    const proxy = await stand(t, app.url, {}, top);
    const old = [proxy.ask(), proxy.ask(), proxy.ask()];
    await eventually(() => app.held === 3, 'three to be held');
    await proxy.reload({ maxInFlight: 2 });
    const next = proxy.ask();
    await eventually(() => proxy.sluice.shared.waiting('app') === 1, 'the next to wait');
    app.letGo();
    await Promise.race(old);
    assert.equal(proxy.sluice.shared.waiting('app'), 1, 'two are there still');
    app.letGo();
    await eventually(() => app.held === 2, 'the next to be there');
    app.letGo();
    app.letGo();
    assert.deepEqual(new Set(await Promise.all([...old, next])), new Set([app.name]));
  });

  test('a slot that a dead thread had is there again', async (t) => {
    const app = await moody(t);
    const proxy = await stand(t, app.url, { maxInFlight: 2 }, top);
    const first = await hold(proxy, app);
    const second = await hold(proxy, app);
    // So many that some are with the other thread.
    const waiting = Array.from({ length: 30 }, () => proxy.ask());
    await eventually(() => proxy.sluice.shared.waiting('app') === 30, 'the others to wait');
    await proxy.sluice.fleet?.kill(first.thread);
    assert.notEqual(await first.answer, app.name);
    const answers = await Promise.all(waiting);
    assert.ok(answers.includes(app.name), answers.join(' '));
    app.letGo();
    app.letGo();
    await second.answer;
    await eventually(() => proxy.origin(app).inFlight === 0, 'all to be over');
    const more = [await hold(proxy, app), await hold(proxy, app)];
    while (app.held > 0) app.letGo();
    await Promise.all(more.map(({ answer }) => answer));
  });
});
