/** Origins that are new, or back, get their share of the load in steps. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { METER } from '../../src/core/meter.ts';
import { manualClock } from '../support/clock.ts';
import { moody, stand, type Moody, type Stand } from '../support/moody.ts';
import { eventually } from '../support/scripted.ts';

/** Of so many requests, how many an origin got. */
async function share(proxy: Stand, one: Moody, requests = 66): Promise<number> {
  const before = one.asked;
  await proxy.asks(requests);
  return one.asked - before;
}

describe('with a clock of our own', () => {
  test('one that a reload adds goes up in ten steps, and nothing ramps at the start', async (t) => {
    const clock = manualClock();
    const [old, added] = [await moody(t), await moody(t)];
    const options = { balance: 'round-robin', slowStart: '100s' } as const;
    const proxy = await stand(t, [old.url], options, {}, { clock });
    assert.equal((await proxy.view(old)).effectiveWeight, 1);
    await proxy.reload({ origins: [old.url, { url: added.url, weight: 2 }] });
    const seen: number[] = [];
    const weights: number[] = [];
    for (let step = 1; step <= 11; step++) {
      const { weight, effectiveWeight } = await proxy.view(added);
      assert.equal(weight, 2);
      weights.push(effectiveWeight);
      seen.push(await share(proxy, added));
      clock.advance(10_000);
    }
    // Weight 0.2 beside 1 is a sixth of 66, and so on up to two thirds.
    const due = weights.map((weight) => (66 * weight) / (1 + weight));
    assert.deepEqual(
      weights.map((weight) => Math.round(weight * 10)),
      [2, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20],
    );
    for (const [i, count] of seen.entries())
      assert.ok(Math.abs(count - due[i]) <= 2, `${seen.join(' ')} for ${due.join(' ')}`);
    clock.advance(10_000);
    assert.equal((await proxy.view(added)).effectiveWeight, 2);
    assert.equal((await proxy.view(old)).effectiveWeight, 1, 'the other one never ramped');
  });

  test('one that was ejected begins small when it is well, not when it is tried', async (t) => {
    const clock = manualClock();
    const [app, other] = [await moody(t), await moody(t)];
    const options = { balance: 'round-robin', slowStart: '100s', eject: { failures: 3 } } as const;
    const proxy = await stand(t, [app.url, other.url], options, {}, { clock });
    assert.equal(await share(proxy, app), 33, 'at the start nothing ramps');
    app.mood = 503;
    await proxy.asks(6);
    assert.equal(proxy.origin(app).state, 'down');
    clock.advance(10_200);
    assert.equal(proxy.origin(app).state, 'up');
    app.mood = 'hold';
    const tried = Array.from({ length: 20 }, () => proxy.ask());
    await eventually(() => app.held === 1, 'one that tries it');
    clock.advance(50_000);
    app.letGo();
    app.mood = 200;
    await Promise.all(tried);
    assert.equal((await proxy.view(app)).effectiveWeight, 0.1);
    const first = await share(proxy, app);
    assert.ok(first >= 5 && first <= 8, `${first}`);
    clock.advance(95_000);
    assert.equal(await share(proxy, app), 33);
  });

  test('other slowStart options are in force at once; off is off', async (t) => {
    const clock = manualClock();
    const [old, added] = [await moody(t), await moody(t)];
    const proxy = await stand(t, [old.url], { balance: 'round-robin', slowStart: '100s' }, {}, { clock });
    await proxy.reload({ origins: [old.url, added.url] });
    assert.ok((await share(proxy, added)) <= 8);
    await proxy.reload({ slowStart: 0 });
    assert.equal(await share(proxy, added), 33);
    await proxy.reload({ slowStart: '50s' });
    clock.advance(24_000);
    assert.equal((await proxy.view(added)).effectiveWeight, 0.5);
    const half = await share(proxy, added);
    assert.ok(half >= 20 && half <= 24, `${half}`);
  });
});

describe('with two threads', () => {
  const check = { type: 'http', path: '/check', interval: '1s', timeout: '1s', rise: 1, fall: 1 } as const;

  test('one that the check brings back begins small in both, at once', async (t) => {
    const [app, other] = [await moody(t), await moody(t)];
    app.check = 500;
    const options = { balance: 'round-robin', slowStart: '10m', check } as const;
    const proxy = await stand(t, [app.url, other.url], options, { threads: 2 });
    await eventually(() => proxy.origin(app).state === 'down', 'the check to fail');
    app.check = 200;
    await eventually(() => proxy.origin(app).state === 'up', 'the check to pass');
    assert.equal((await proxy.view(app)).effectiveWeight, 0.1);
    const count = await share(proxy, app, 110);
    const [one, two] = [0, 1].map((thread) => proxy.origin(other).board.row(thread)[METER.requests]);
    assert.ok(one > 0 && two > 0, 'both serve');
    assert.ok(count >= 6 && count <= 16, `${count} of 110, not 10`);
  });

  test('first: block at the start is no reason to begin slowly, a failed first check is', async (t) => {
    const [app, late] = [await moody(t), await moody(t)];
    late.check = 500;
    const options = { balance: 'round-robin', slowStart: '10m', check: { ...check, first: 'block' } } as const;
    const proxy = await stand(t, [app.url, late.url], options, { threads: 2 });
    await eventually(() => proxy.lines.length === 2, 'both to be checked');
    assert.equal((await proxy.view(app)).effectiveWeight, 1);
    late.check = 200;
    await eventually(() => proxy.origin(late).state === 'up', 'the other check to pass');
    assert.equal((await proxy.view(late)).effectiveWeight, 0.1);
  });
});
