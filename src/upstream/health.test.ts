import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { origin } from '../../test/support/origins.ts';
import { Origin, type OriginOptions } from '../core/origin.ts';
import { Wheel } from '../core/wheel.ts';
import { ejectSchema } from './ejection.ts';
import { Health, tryAgain } from './health.ts';

/** What the wheel may be late by. */
const SLACK = 150;

function stage(options: Partial<OriginOptions> = {}) {
  const clock = manualClock();
  const said: string[] = [];
  const health = new Health(
    { disableTime: { first: 1000, most: 30_000 }, eject: ejectSchema.parse({}) },
    clock,
    new Wheel(clock),
    (one, why) => said.push(`${one.state}: ${why}`),
  );
  const one = origin('10.0.0.1', options);
  /** Milliseconds until the origin may be tried. */
  const rest = (): number => {
    let ms = 0;
    for (; one.state === 'down'; ms += 50) clock.advance(50);
    return ms;
  };
  return { clock, said, health, one, rest };
}

describe('health', () => {
  test('each failure in a row doubles the rest, up to the longest', () => {
    const { health, one, rest } = stage();
    for (const wanted of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      health.connectFailed(one, 'connect-refused', 'refused');
      assert.equal(one.state, 'down');
      const rested = rest();
      assert.ok(rested >= wanted && rested <= wanted + SLACK, `${rested}, not ${wanted}`);
    }
    // Even if it goes on for weeks.
    for (let i = 0; i < 2000; i++) {
      health.connectFailed(one, 'connect-refused', 'refused');
      one.state = 'up';
    }
    assert.equal(one.downUntil > 0 && Number.isFinite(one.downUntil), true);
  });

  test('after its rest an origin gets one request, and the others when that one has connected', () => {
    const { health, one, said, rest } = stage({ maxConnections: 10 });
    health.connectFailed(one, 'connect-refused', 'refused');
    rest();
    assert.equal(one.state, 'up');
    one.acquire();
    assert.equal(one.state, 'full');
    health.connected(one);
    assert.equal(one.state, 'up');
    assert.equal(one.slots, 10);
    assert.deepEqual(said, ['down: connect-refused: refused', 'up: may be tried again', 'up: connected again']);
  });

  test('requests that are still under way do not take the one that tests it', () => {
    const { health, one, rest } = stage({ maxConnections: 10 });
    one.acquire();
    one.acquire();
    health.connectFailed(one, 'connect-refused', 'refused');
    rest();
    assert.equal(one.state, 'up');
    one.acquire();
    assert.equal(one.state, 'full');
  });

  test('never more than its limit', () => {
    const { health, one, rest } = stage({ maxConnections: 1 });
    one.acquire();
    health.connectFailed(one, 'connect-refused', 'refused');
    rest();
    assert.equal(one.state, 'full');
    one.release();
    assert.equal(one.state, 'up');
  });

  test('a connection begins the count anew', () => {
    const { health, one, rest } = stage();
    for (let i = 0; i < 4; i++) {
      health.connectFailed(one, 'connect-refused', 'refused');
      rest();
    }
    health.connected(one);
    health.connectFailed(one, 'connect-refused', 'refused');
    assert.ok(rest() <= 1000 + SLACK);
  });

  test('connected while it rests: up at once, and the end of the rest changes nothing', () => {
    const { clock, health, one, said } = stage({ maxConnections: 5 });
    health.connectFailed(one, 'connect-refused', 'refused');
    health.connected(one);
    assert.equal(one.state, 'up');
    clock.advance(5000);
    assert.equal(one.slots, 5);
    assert.deepEqual(said, ['down: connect-refused: refused', 'up: connected again']);
  });

  test('several requests that fail at once are one failure', () => {
    const { health, one, said, rest } = stage();
    health.connectFailed(one, 'connect-refused', 'refused');
    health.connectFailed(one, 'connect-refused', 'refused');
    health.connectFailed(one, 'connect-refused', 'refused');
    assert.equal(one.failures, 1);
    assert.equal(said.length, 1);
    assert.ok(rest() <= 1000 + SLACK);
  });

  test('a healthy origin that connects is no news; a draining one that fails stays draining', () => {
    const { health, one, said } = stage();
    health.connected(one);
    one.state = 'draining';
    health.connectFailed(one, 'connect-refused', 'refused');
    assert.equal(one.state, 'draining');
    assert.deepEqual(said, []);
  });

  test('two threads that take out one of two each at the same moment take out neither', () => {
    const { health, one, said, clock } = stage();
    const other = origin('10.0.0.2');
    health.update({ disableTime: { first: 1000, most: 30_000 }, eject: ejectSchema.parse({ most: 1 }) }, [one, other]);
    const turn = one.turn.bind(one);
    one.turn = (from, to) => {
      // The other thread has seen both up, too, and is as far.
      other.turn('up', 'down');
      return turn(from, to);
    };
    for (let i = 0; i < 6; i++) health.answered(one, 503, clock.now());
    assert.equal(one.state, 'up');
    assert.deepEqual(said, []);
    one.turn = turn;
    other.state = 'up';
    health.answered(one, 503, clock.now());
    assert.deepEqual(said, ['down: answered 503, failure 7 in a row']);
  });

  test('closed or forgotten, nothing wakes it', () => {
    for (const how of ['close', 'forget'] as const) {
      const { clock, health, one } = stage();
      health.connectFailed(one, 'connect-refused', 'refused');
      if (how === 'close') health.close();
      else health.forget(one);
      clock.advance(60_000);
      assert.equal(one.state, 'down', how);
    }
  });
});

test('a thread that tries an origin which another one has just found well leaves it all its slots', () => {
  /** Between two looks at it, another thread has seen it answer. */
  class Overtaken extends Origin {
    override get resting(): boolean {
      const resting = super.resting;
      this.turn('down', 'up');
      this.failures = 0;
      return resting;
    }
  }
  const address = { scheme: 'http', host: '10.0.0.1', port: 80 };
  const one = new Overtaken({ url: 'http://10.0.0.1', address, maxConnections: 8 });
  one.turn('up', 'down');
  one.failures = 1;
  assert.equal(tryAgain(one, 1000), false);
  assert.equal(one.testing, false);
  assert.equal(one.slots, 8);
});
