import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { manualClock } from '../../test/support/clock.ts';
import { Timer, Wheel } from './wheel.ts';

const TICK = 50;
/** Rounding up to a tick, one for the tick that has begun, one for a turn that was a little late. */
const LATEST = 3 * TICK;

function stage() {
  const clock = manualClock();
  const wheel = new Wheel(clock);
  const fired: [name: string, at: number][] = [];
  const begun = clock.now();
  return {
    clock,
    wheel,
    fired,
    names: () => fired.map(([name]) => name),
    timer: (name: string, also: () => void = () => {}): Timer =>
      new Timer(() => {
        fired.push([name, clock.now() - begun]);
        also();
      }),
  };
}

function assertMet(at: number | undefined, deadline: number): void {
  assert.ok(at !== undefined, `the deadline ${deadline} was not met`);
  assert.ok(at >= deadline && at <= deadline + LATEST, `fired at ${at}, deadline ${deadline}`);
}

describe('wheel', () => {
  test('a deadline is never met early, and at most three ticks late', () => {
    for (const ms of [1, 49, 50, 51, 99, 100, 1000, 4321, 30_000]) {
      for (const offset of [0, 1, 25, 49, 50]) {
        const { clock, wheel, fired, timer } = stage();
        wheel.arm(timer('other'), 100_000_000);
        clock.advance(offset);
        wheel.arm(timer('x'), ms);
        clock.advance(ms + LATEST);
        assert.equal(fired.length, 1, `${ms} ms at ${offset}`);
        assertMet(fired[0]?.[1], offset + ms);
      }
    }
  });

  test('a deadline beyond one round of the wheel waits for its round', () => {
    const { clock, wheel, fired, timer } = stage();
    const hour = 3_600_000;
    wheel.arm(timer('far'), hour);
    clock.advance(hour - 1);
    assert.equal(fired.length, 0);
    clock.advance(LATEST + 1);
    assertMet(fired[0]?.[1], hour);
  });

  test('exactly one round away, and its neighbours', () => {
    for (const ticks of [1021, 1022, 1023, 1024, 1025, 2048]) {
      const { clock, wheel, fired, timer } = stage();
      wheel.arm(timer('x'), ticks * TICK);
      clock.advance(ticks * TICK + LATEST);
      assertMet(fired[0]?.[1], ticks * TICK);
    }
  });

  test('a deadline that is moved on again and again is met once, after the last', () => {
    const { clock, wheel, fired, timer } = stage();
    const one = timer('x');
    for (let i = 0; i < 100; i++) {
      wheel.arm(one, 1000);
      clock.advance(300);
    }
    assert.deepEqual(fired, []);
    clock.advance(700 + LATEST);
    assert.equal(fired.length, 1);
    assertMet(fired[0]?.[1], 99 * 300 + 1000);
  });

  test('a deadline that is moved closer is met at the closer time', () => {
    const { clock, wheel, fired, timer } = stage();
    const one = timer('x');
    wheel.arm(one, 60_000);
    wheel.arm(one, 200);
    clock.advance(70_000);
    assert.equal(fired.length, 1);
    assertMet(fired[0]?.[1], 200);
  });

  test('disarmed, dropped, or armed with 0, less, Infinity or NaN: never', () => {
    const { clock, wheel, fired, timer } = stage();
    const ends: ((one: Timer) => void)[] = [
      (one) => wheel.disarm(one),
      (one) => wheel.drop(one),
      ...[0, -5, Infinity, Number.NaN].map((ms) => (one: Timer) => wheel.arm(one, ms)),
    ];
    for (const end of ends) {
      const one = timer('x');
      wheel.arm(one, 100);
      end(one);
    }
    clock.advance(10_000);
    assert.deepEqual(fired, []);
  });

  test('a timer dropped from the middle, the head and the end of a slot leaves the others there', () => {
    for (const which of [0, 1, 2]) {
      const { clock, wheel, names, timer } = stage();
      const all = ['a', 'b', 'c'].map((name) => timer(name));
      for (const one of all) wheel.arm(one, 500);
      wheel.drop(all[which]);
      clock.advance(1000);
      assert.deepEqual(names().toSorted(), ['a', 'b', 'c'].toSpliced(which, 1));
    }
  });

  test('what fires may arm itself, and arm, disarm and drop its neighbours', () => {
    const { clock, wheel, names, timer } = stage();
    const dropped = timer('dropped');
    const disarmed = timer('disarmed');
    const moved = timer('moved');
    let rounds = 0;
    const again = timer('again', () => {
      wheel.drop(dropped);
      wheel.disarm(disarmed);
      wheel.arm(moved, 1000);
      if (++rounds < 3) wheel.arm(again, 100);
    });
    // In one slot, newest first: `again` is the first that fires.
    for (const one of [dropped, disarmed, moved, again]) wheel.arm(one, 100);
    clock.advance(750);
    assert.deepEqual(names(), ['again', 'again', 'again']);
    clock.advance(2000);
    assert.deepEqual(names(), ['again', 'again', 'again', 'moved']);
  });

  test('a timer that throws takes no other with it, and is told of', () => {
    const clock = manualClock();
    const told: unknown[] = [];
    const wheel = new Wheel(clock, (error) => void told.push(error));
    const fired: string[] = [];
    const timer = (name: string, also: () => void = () => {}): Timer =>
      new Timer(() => {
        fired.push(name);
        also();
      });
    const bad = timer('bad', () => {
      throw new Error('defect');
    });
    const others = ['a', 'b'].map((name) => timer(name));
    wheel.arm(others[0], 100);
    wheel.arm(bad, 100);
    wheel.arm(others[1], 100);
    clock.advance(400);
    assert.deepEqual(fired.toSorted(), ['a', 'b', 'bad']);
    assert.match(String(told), /defect/);
  });

  test('the wheel stands still while nothing is armed, and starts again', () => {
    const { clock, wheel, fired, timer } = stage();
    assert.equal(clock.waiting, 0);
    const one = timer('x');
    wheel.arm(one, 100);
    assert.equal(clock.waiting, 1);
    clock.advance(1000);
    assert.equal(clock.waiting, 0);
    clock.advance(123_456);
    wheel.arm(one, 100);
    clock.advance(1000);
    assert.equal(fired.length, 2);
    assertMet(fired[1]?.[1], 1000 + 123_456 + 100);
  });

  test('armed while the process was busy: the deadline counts from then, not from the last turn', () => {
    const { clock, wheel, fired, timer } = stage();
    wheel.arm(timer('other'), 100_000_000);
    clock.advance(1000);
    // The process works for two seconds, then arms, and only afterwards gets to its timers.
    const late = timer('late');
    let armed = false;
    clock.after(1, () => {
      armed = true;
      wheel.arm(late, 500);
    });
    clock.jump(2000);
    assert.ok(armed);
    // Up to four ticks are caught up.
    clock.advance(500 - 4 * TICK - 1);
    assert.deepEqual(fired, []);
    clock.advance(4 * TICK + LATEST);
    assert.equal(fired.length, 1);
  });

  test('time in which the process did not run does not count: what arrived meanwhile can still be read', () => {
    const { clock, wheel, fired, timer } = stage();
    wheel.arm(timer('x'), 1000);
    clock.advance(500);
    clock.jump(3_600_000);
    assert.deepEqual(fired, []);
    clock.advance(500 + LATEST);
    assert.equal(fired.length, 1);
  });

  test('a little lateness of every turn does not add up', () => {
    const { clock, wheel, fired, timer } = stage();
    wheel.arm(timer('x'), 30_000);
    for (let at = 0; at < 30_000 + LATEST + 80; at += 80) clock.jump(80);
    assert.equal(fired.length, 1);
    assert.ok((fired[0]?.[1] ?? 0) <= 30_000 + LATEST + 80, `fired at ${fired[0]?.[1]}`);
  });

  test('closed: nothing fires, nothing turns, whatever is armed or dropped afterwards', () => {
    const { clock, wheel, fired, timer } = stage();
    const one = timer('x');
    wheel.arm(one, 100);
    wheel.close();
    wheel.arm(timer('y'), 100);
    wheel.drop(one);
    wheel.arm(one, 100);
    assert.equal(clock.waiting, 0);
    clock.advance(1000);
    assert.deepEqual(fired, []);
  });

  test('any sequence of arming, moving and ending meets the deadlines of a model that has a list', () => {
    const index = fc.nat(4);
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('arm' as const), index, ms: fc.integer({ min: 1, max: 9000 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant('arm' as const), index, ms: fc.integer({ min: 50_000, max: 130_000 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constantFrom('disarm' as const, 'drop' as const), index, ms: fc.constant(0) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('wait' as const),
          index: fc.constant(0),
          ms: fc.integer({ min: 1, max: 4000 }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant('wait' as const),
          index: fc.constant(0),
          ms: fc.integer({ min: 50_000, max: 140_000 }),
        }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const clock = manualClock();
        const wheel = new Wheel(clock);
        const due = new Map<number, number>();
        const timers = [0, 1, 2, 3, 4].map(
          (name) =>
            new Timer(() => {
              const deadline = due.get(name);
              assertMet(deadline === undefined ? undefined : clock.now(), deadline ?? -1);
              due.delete(name);
            }),
        );
        for (const { do: what, index: name, ms } of [...steps, { do: 'wait' as const, index: 0, ms: 200_000 }]) {
          if (what === 'wait') clock.advance(ms);
          else if (what === 'arm') {
            due.set(name, clock.now() + ms);
            wheel.arm(timers[name], ms);
          } else {
            due.delete(name);
            wheel[what](timers[name]);
          }
          for (const deadline of due.values()) assert.ok(clock.now() <= deadline + LATEST, 'a deadline was missed');
        }
        assert.equal(due.size, 0);
      }),
      { numRuns: 150 },
    );
  });
});
