/** A clock that stands still until a test moves it. */
import type { Clock } from '../../src/core/clock.ts';

export interface ManualClock extends Clock {
  /** Moves on by `ms`; what falls due meanwhile runs at its time, in order. */
  advance(ms: number): void;
  /** Moves on by `ms` and only then runs what fell due: what a busy or suspended process sees. */
  jump(ms: number): void;
  /** Timers that wait, repeated ones included. */
  readonly waiting: number;
}

interface Entry {
  at: number;
  readonly order: number;
  /** 0 for once. */
  readonly every: number;
  readonly run: () => void;
}

/**
 * @param start of the monotonic scale; not 0, which means "not reached" in an exchange
 * @param wall milliseconds since 1970 at the start
 */
export function manualClock(start = 1000, wall = Date.UTC(2026, 10, 21, 10, 0, 0)): ManualClock {
  let present = start;
  let count = 0;
  const entries = new Set<Entry>();
  const add = (ms: number, every: number, run: () => void): (() => void) => {
    const entry = { at: present + ms, order: count++, every, run };
    entries.add(entry);
    return () => void entries.delete(entry);
  };
  const earliest = (until: number): Entry | undefined =>
    [...entries].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at || a.order - b.order)[0];
  const runDue = (until: number, jumped: boolean): void => {
    for (let entry = earliest(until); entry !== undefined; entry = earliest(until)) {
      if (!jumped) present = Math.max(present, entry.at);
      // As Node does it: a repeated timer that is late runs once, and its next turn counts from then.
      if (entry.every > 0) entry.at = present + entry.every;
      else entries.delete(entry);
      entry.run();
    }
  };
  return {
    now: () => present,
    wall: () => wall + present - start,
    random: () => 0.5,
    after: (ms, run) => add(ms, 0, run),
    every: (ms, run) => add(ms, ms, run),
    // No time passes by it.
    soon: (run) => void setImmediate(run),
    advance(ms) {
      const until = present + ms;
      runDue(until, false);
      present = until;
    },
    jump(ms) {
      present += ms;
      runDue(present, true);
    },
    get waiting() {
      return entries.size;
    },
  };
}
