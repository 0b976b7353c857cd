import { errors, type ErrorCode } from './errors.ts';

/**
 * The numbers in a thread's row of a board, by index. Gauges go up and down; the others only grow. Not every board uses
 * all of them: a route has no connections.
 */
export const METER = {
  /** Gauge. Slots this thread holds, connections it has accepted: what is given back when the thread dies. */
  held: 0,
  /** Gauge. Open connections to an origin, idle ones included. */
  connections: 1,
  /** Gauge. Connections that wait in the pool. */
  idle: 2,
  /** Gauge. Requests that wait in this thread's part of the backlog. */
  waiting: 3,
  /** Connections opened, or accepted. */
  opened: 4,
  /** Connections turned away. */
  refused: 5,
  /** Requests that are over; of an origin: attempts that are. */
  requests: 6,
  /** Requests by the class of their status, 1xx to 5xx, and without one: six numbers. */
  answers: 7,
  /** Attempts that failed, at an origin. */
  failed: 13,
  bytesIn: 14,
  bytesOut: 15,
  /** Times an origin was taken out. */
  ejections: 16,
  /** Clock time since which this thread's first waiter waits; 0 when nobody does. */
  oldest: 27,
  /** Four histograms, see `Histogram`. */
  total: 28,
  first: 45,
  connect: 62,
  queue: 79,
  /** Requests that ended with an error, by the place of their code in the table of errors: room for 96 codes. */
  errors: 96,
  /** Attempts beyond the first, by reason: as many numbers as `RETRY_REASONS`, with room for 64. */
  retries: 192,
} as const;

/** Upper bounds of the buckets of times, in milliseconds; one more bucket holds what is longer. */
export const BOUNDS: readonly number[] = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];
/** Numbers of one histogram: a count for each bucket, then the sum of all. */
export const HISTOGRAM = BOUNDS.length + 2;

/** Adds one time to the histogram that begins at `slot`. */
export function measure(meter: Float64Array, slot: number, ms: number): void {
  let bucket = 0;
  // Most times are in the first few buckets, so looking from the left beats halving.
  while (bucket < BOUNDS.length && ms > BOUNDS[bucket]) bucket++;
  meter[slot + bucket]++;
  meter[slot + HISTOGRAM - 1] += ms;
}

/** The time below which `share` of a histogram's counts lie, within its bucket in proportion; `null` when it is empty. */
export function quantile(counts: readonly number[], share: number): number | null {
  const buckets = counts.slice(0, BOUNDS.length + 1);
  const all = buckets.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let left = share * all;
  for (const [i, count] of buckets.entries()) {
    if (count > 0 && left <= count) {
      const low = i === 0 ? 0 : BOUNDS[i - 1];
      // What is longer than all bounds is told as the last of them: nothing more is known.
      const high = BOUNDS[i] ?? low;
      return low + ((high - low) * left) / count;
    }
    left -= count;
  }
  return BOUNDS[BOUNDS.length - 1];
}

/** Why a request was tried again: what the table of errors allows that for, and a kept connection that had ended. */
export const RETRY_REASONS: readonly (ErrorCode | 'stale-connection')[] = [
  ...(Object.keys(errors) as ErrorCode[]).filter((code) => errors[code].retry !== 'never'),
  'stale-connection',
];

/** The slot of an error code among the errors. */
export const ERROR_SLOTS = new Map<ErrorCode, number>(
  (Object.keys(errors) as ErrorCode[]).map((code, index) => [code, METER.errors + index]),
);

/** The slot of a status among the answers; 0 is none. */
export function answerSlot(status: number): number {
  return status >= 100 && status < 600 ? METER.answers - 1 + Math.floor(status / 100) : METER.answers + 5;
}
