/** What requests tell of an origin, what its check tells, what operators and reloads do: together. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moody, stand } from '../support/moody.ts';
import { eventually, sleep } from '../support/scripted.ts';

/** Twice in a row no answer within 400 ms: not even a busy machine stands still like that by chance. */
const check = { type: 'http', path: '/check', interval: '400ms', timeout: '400ms', rise: 1, fall: 2 } as const;

describe('failed connects and failed answers', () => {
  test('one that was taken out for its answers and cannot be reached has to answer well', async (t) => {
    const [app, other] = [await moody(t, 503), await moody(t)];
    const proxy = await stand(t, [app.url, other.url], {
      eject: { first: '100ms' },
      disableTime: { first: '100ms' },
      keepAlive: { idle: 0 },
    });
    await proxy.asks(5);
    await app.self.refuse();
    await eventually(() => proxy.origin(app).state === 'up', 'the rest to end');
    assert.equal(await proxy.ask(), other.name);
    await app.self.listen();
    await eventually(() => proxy.origin(app).state === 'up', 'the second rest to end');
    // It can be reached, and that is not enough.
    assert.equal(await proxy.ask(), '503');
    await eventually(() => proxy.origin(app).state === 'up', 'the third rest to end');
    assert.equal(await proxy.ask('/200'), app.name);
    assert.deepEqual(
      proxy.of(app).map((line) => line.replace(/ECONN.*/, '')),
      [
        'down: answered 503, failure 5 in a row',
        'up: may be tried again',
        'down: connect-refused: ',
        'up: may be tried again',
        'down: answered 503 when it was tried',
        'up: may be tried again',
        'up: answers again',
      ],
    );
    assert.equal(proxy.origin(app).slots, Infinity);
    assert.equal(await proxy.ejections(app), 3);
  });

  test('one that could not be reached after some bad answers is well when it answers', async (t) => {
    const [app, other] = [await moody(t, 503), await moody(t)];
    const proxy = await stand(t, [app.url, other.url], { disableTime: { first: '100ms' }, keepAlive: { idle: 0 } });
    await proxy.asks(3);
    await app.self.refuse();
    assert.equal(await proxy.ask(), other.name);
    await app.self.listen();
    await eventually(() => proxy.origin(app).state === 'up', 'the rest to end');
    assert.equal(await proxy.ask('/200'), app.name);
    assert.equal(proxy.origin(app).slots, Infinity);
    assert.equal(proxy.origin(app).testing, false);
  });
});

describe('reloads', () => {
  test('other `eject` options are in force at once, and whoever rests goes on resting', async (t) => {
    const [app, other] = [await moody(t, 503), await moody(t)];
    const proxy = await stand(t, [app.url, other.url], { eject: { failures: 50 } });
    await proxy.asks(10);
    assert.deepEqual(proxy.lines, []);
    await proxy.reload({ eject: { failures: 11, first: '3s' } });
    await proxy.ask();
    assert.deepEqual(proxy.of(app), ['down: answered 503, failure 11 in a row']);
    await proxy.reload({ eject: { on: [] } });
    assert.equal(await proxy.ask(), other.name);
    await eventually(() => proxy.origin(app).state === 'up', 'the rest to end');
    assert.equal(await proxy.ask(), '503');
    assert.equal(proxy.origin(app).slots, Infinity, 'nothing that it does is held against it now');
  });

  test('one that is removed while it rests is forgotten; added again it is new', async (t) => {
    const [app, other] = [await moody(t, 503), await moody(t)];
    const proxy = await stand(t, [app.url, other.url], { eject: { first: '2s' } });
    await proxy.asks(5);
    await proxy.reload({ origins: [other.url] });
    assert.equal((await proxy.sluice.operator.upstreams())[0].origins.length, 1);
    await sleep(2300);
    assert.deepEqual(proxy.of(app), ['down: answered 503, failure 5 in a row']);
    await proxy.reload({ origins: [app.url, other.url] });
    const view = await proxy.view(app);
    assert.deepEqual([view.state, view.reason, view.failures], ['up', '', 0]);
    await proxy.asks(4);
    assert.equal(proxy.lines.length, 1);
    await proxy.ask();
    assert.equal(proxy.lines.length, 2);
  });

  test('removed while it is tried', async (t) => {
    const [app, other] = [await moody(t, 503), await moody(t)];
    const proxy = await stand(t, [app.url, other.url], { eject: { first: '100ms' } });
    await proxy.asks(5);
    app.mood = 'hold';
    await eventually(() => proxy.origin(app).state === 'up', 'the rest to end');
    const asked = proxy.ask();
    await eventually(() => app.held === 1, 'the request');
    await proxy.reload({ origins: [other.url] });
    app.letGo();
    assert.equal(await asked, app.name);
    assert.equal(proxy.lines.length, 2);
  });

  test('an operator drains one that rests; enabled, it serves', async (t) => {
    const [app, other] = [await moody(t, 503), await moody(t)];
    const proxy = await stand(t, [app.url, other.url], { eject: { first: '100ms' } });
    await proxy.asks(5);
    const { operator } = proxy.sluice;
    await operator.changeOrigin('app', app.name, { state: 'draining' }, undefined, 'test');
    await sleep(250);
    assert.equal((await proxy.view(app)).state, 'draining');
    await operator.changeOrigin('app', app.name, { state: 'up' }, undefined, 'test');
    assert.equal((await proxy.view(app)).state, 'up');
    assert.equal(await proxy.ask('/200'), app.name);
    assert.equal(proxy.origin(app).inRow, 0);
  });
});

describe('checks and requests', () => {
  test('a check that passes does not end a rest, and a rest that ends does not overrule the check', async (t) => {
    const [app, other] = [await moody(t, 503), await moody(t)];
    const proxy = await stand(t, [app.url, other.url], { check, eject: { first: '8s' } });
    await proxy.asks(5);
    const { checked } = app;
    await eventually(() => app.checked > checked + 2, 'checks that pass');
    assert.equal((await proxy.view(app)).check?.healthy, true);
    assert.equal(proxy.origin(app).state, 'down');
    app.check = 500;
    await eventually(() => proxy.of(app).some((line) => line.includes('check failed')), 'the check to fail');
    await eventually(() => !proxy.origin(app).resting, 'the rest to end');
    assert.equal(proxy.origin(app).state, 'down');
    assert.equal(await proxy.ask(), other.name);
    app.check = 200;
    await eventually(() => proxy.origin(app).state === 'up', 'both to be over');
    assert.equal(await proxy.ask('/200'), app.name);
    assert.deepEqual(proxy.of(app), [
      'down: answered 503, failure 5 in a row',
      'down: check failed 2 times: status 500, expected 200-399',
      'down: has rested, but its check fails',
      'up: check passed: status 200',
      'up: answers again',
    ]);
    assert.equal(await proxy.ejections(app), 2);
  });

  test('a check that comes round while the origin still rests says so', async (t) => {
    const [app, other] = [await moody(t, 503), await moody(t)];
    app.check = 500;
    const proxy = await stand(t, [app.url, other.url], {
      check: { ...check, fall: 6 },
      eject: { first: '1m' },
    });
    await proxy.asks(5);
    await eventually(() => proxy.of(app).length === 2, 'the check to fail');
    app.check = 200;
    await eventually(() => proxy.of(app).length === 3, 'the check to pass');
    assert.match(proxy.of(app)[2], /^down: check passed: status 200, but it rests$/);
  });

  test('origins that the check has taken out count: the last one that is left is not ejected', async (t) => {
    const [app, other] = [await moody(t, 503), await moody(t)];
    other.check = 500;
    const proxy = await stand(t, [app.url, other.url], { check });
    await eventually(() => proxy.origin(other).state === 'down', 'the check to fail');
    await proxy.asks(10);
    assert.deepEqual(proxy.of(app), []);
    assert.equal(app.asked, 10);
  });
});
