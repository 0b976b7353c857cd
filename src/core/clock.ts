/**
 * The only door to time, timers and randomness. Everything that waits or rolls dice takes a `Clock`, so tests own time.
 */
export interface Clock {
  /** Milliseconds on a monotonic scale, with fractions. */
  now(): number;
  /** Milliseconds since 1970, for log lines and `Date` fields. */
  wall(): number;
  /** A number in [0, 1). */
  random(): number;
  /** Calls `run` once after `ms`; the answer cancels it. `idle` lets the process end meanwhile. */
  after(ms: number, run: () => void, idle?: 'idle'): () => void;
  /** Calls `run` every `ms` until cancelled; never keeps the process alive by itself. */
  every(ms: number, run: () => void): () => void;
  /** Calls `run` when the current turn of the event loop is over. */
  soon(run: () => void): void;
}

/** The longest time that `after` can wait, in milliseconds: 24.8 days. Node takes a longer one for 1 ms. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  random: () => Math.random(),
  after(ms, run, idle) {
    const timer = setTimeout(run, ms);
    if (idle === 'idle') timer.unref();
    return () => clearTimeout(timer);
  },
  every(ms, run) {
    const timer = setInterval(run, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
  soon: (run) => void setImmediate(run),
};
