import { z } from 'zod';
import type { ErrorCode } from '../core/errors.ts';
import { count, duration } from '../core/kind.ts';

/**
 * What an attempt may fail of: `connect` no connection · `timeout` too slow, in either direction · `reset` the origin
 * closed before or in its answer, or turned the request away · `invalid` what it sent is no answer.
 */
export type Failure = 'connect' | 'timeout' | 'reset' | 'invalid';

/** Every error that is the origin's. Others say nothing about it: a client that left, a limit, a defect of ours. */
const FAILURES: Readonly<Partial<Record<ErrorCode, Failure>>> = {
  'connect-refused': 'connect',
  'connect-timeout': 'connect',
  'connect-failed': 'connect',
  'name-not-found': 'connect',
  'program-missing': 'connect',
  'answer-timeout': 'timeout',
  'answer-stalled': 'timeout',
  'origin-stalled': 'timeout',
  'origin-closed': 'reset',
  'answer-incomplete': 'reset',
  'program-ended': 'reset',
  'origin-overloaded': 'reset',
  'bad-answer': 'invalid',
  'answer-head-too-large': 'invalid',
  'bad-upgrade': 'invalid',
};

/** What the error says of the origin; `undefined`: nothing. */
export function failureOf(code: ErrorCode): Failure | undefined {
  return FAILURES[code];
}

/** Taking out origins that fail requests. */
export const ejectSchema = z
  .strictObject({
    on: z
      .array(z.union([z.enum(['connect', 'timeout', 'reset', 'invalid']), z.int().min(400).max(599)]))
      .default(['connect', 'timeout', 'reset', 502, 503, 504])
      .describe(
        'What counts as a failure: `connect`, `timeout`, `reset` (closed before the end of its answer), `invalid` (no HTTP), and statuses. ' +
          'A failed connect takes an origin out at once.',
      ),
    failures: count('Failures in a row after which an origin is taken out.', 5, { least: 1 }),
    share: z
      .union([z.number().gt(0).max(1), z.literal('off')])
      .transform((given) => (given === 'off' ? Infinity : given))
      .default(Infinity)
      .describe(
        'Share of failures at which an origin is taken out: 0.5 is half, or `off`. Counted within `window`, from its first failure on.',
      )
      .meta({ shownDefault: 'off' }),
    window: duration('How far back `share` looks.', '10s', { least: '100ms', most: '1h', off: false }),
    requests: count('Fewest requests within `window` for `share` to mean anything.', 20, { least: 1, off: false }),
    first: duration('How long an origin is out the first time. It doubles with each further time.', '10s', {
      least: '1ms',
      off: false,
    }),
    longest: duration('The longest time out. After as long without trouble, the next one is half as long.', '5m', {
      least: '1ms',
      off: false,
    }),
    most: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe('Most origins that are out, as a share of all. The last one always stays.'),
  })
  .meta({ title: 'eject' });

export type EjectOptions = Readonly<z.output<typeof ejectSchema>>;

/**
 * Whether one more origin may be taken out: never more than `most` of all, never the last one. Of connect failures it is
 * not asked: who cannot be reached is of no use.
 *
 * @param origins all of the upstream that take requests or would, without those that drain
 * @param out those of them that take none, for whatever reason
 */
export function mayEject(origins: number, out: number, most: number): boolean {
  // 0.29 of 100 is 28.999999999999996.
  return out + 1 < origins && out + 1 <= most * origins + 1e-9;
}

export type Decision = 'stay' | 'eject';

/** What all threads know of an origin's failures: an `Origin` has it on its board. */
export interface Standing {
  /** Failures in a row; above 0 also while it is tried after a time out. */
  inRow: number;
  /** Adds one to `inRow` and answers for the sum. */
  addFailure(): number;
  /** It takes no requests because it failed. */
  readonly resting: boolean;
  /** It takes one request, to be tried. */
  readonly testing: boolean;
  /** Times it has been out, less those that are forgotten. */
  times: number;
  /** Clock time of its last coming back. */
  readonly since: number;
}

/**
 * What one origin's requests tell about it. It decides and counts, and has no timers: `ejected` when the decision is
 * carried out, `back` when the time is over. Failures in a row count over all threads, shares in each for itself. A decision that is not carried out (`mayEject`) comes again with the next
 * failure. Times are of a clock's monotonic scale, in milliseconds.
 */
export class Ejection {
  readonly #options: EjectOptions;
  readonly #statuses: ReadonlySet<number>;
  readonly #failures: ReadonlySet<unknown>;
  readonly #lowest: number;
  readonly #window: Window | null;
  /** Statuses below this one are good news, and no news: 0 while there is something to count or to forget. */
  #quiet: number;
  readonly #standing: Standing;

  constructor(options: EjectOptions, standing: Standing) {
    this.#options = options;
    this.#standing = standing;
    this.#failures = new Set<unknown>(options.on);
    this.#statuses = new Set(options.on.filter((one) => typeof one === 'number'));
    this.#lowest = Math.min(...this.#statuses);
    this.#window = options.share === Infinity ? null : new Window(options.window);
    this.#quiet = this.#lowest;
  }

  /** Whether this status is no news, and nothing is to be done. */
  quiet(status: number): boolean {
    return status < this.#quiet && this.#standing.inRow === 0;
  }

  /** The origin has answered, to the end. With an origin that does not fail it costs two comparisons. */
  answered(status: number, now: number): Decision {
    if (this.quiet(status)) return 'stay';
    return this.#statuses.has(status) ? this.#failed(now) : this.#succeeded(now);
  }

  /** The attempt failed. */
  failed(code: ErrorCode, now: number): Decision {
    const failure = FAILURES[code];
    if (failure === undefined || this.#standing.resting || !this.#failures.has(failure)) return 'stay';
    return failure === 'connect' ? 'eject' : this.#failed(now);
  }

  /** Why the last decision was to eject it, in words. */
  get reason(): string {
    const { inRow } = this.#standing;
    const window = this.#window;
    if (window === null || inRow >= this.#options.failures) return `failure ${inRow} in a row`;
    return `${window.failures} of ${window.requests} requests failed`;
  }

  /** It takes no requests from now on. Answers for how many milliseconds. */
  ejected(now: number): number {
    const { first, longest } = this.#options;
    const standing = this.#standing;
    const times = Math.max(0, standing.times - Math.floor((now - standing.since) / longest));
    const rest = Math.min(first * 2 ** times, longest);
    // Beyond the longest nothing grows, or it would take as many good whiles to shrink.
    standing.times = rest < longest ? times + 1 : times;
    return rest;
  }

  /** The time is over, and the next outcome decides: what was before is no share of anything. */
  back(): void {
    this.#window?.clear();
  }

  #succeeded(now: number): Decision {
    // Requests that were under way when it was taken out are old news.
    if (this.#standing.resting) return 'stay';
    this.#standing.inRow = 0;
    // Successes count from the window's first failure on, until the last has left it. Before that they are not even looked
    // at, which is what makes them cheap; the price is that a burst of failures is not weighed against the good times before.
    if (this.#window === null || !this.#window.add(now, 0)) this.#quiet = this.#lowest;
    return 'stay';
  }

  #failed(now: number): Decision {
    const standing = this.#standing;
    if (standing.resting) return 'stay';
    this.#quiet = 0;
    const inRow = standing.addFailure();
    const { failures, share, requests } = this.#options;
    const window = this.#window;
    window?.add(now, 1);
    if (standing.testing || inRow >= failures) return 'eject';
    if (window === null || window.requests < requests) return 'stay';
    return window.failures >= share * window.requests ? 'eject' : 'stay';
  }
}

/** Into so many parts the window is cut; it moves on by one of them. */
const BUCKETS = 10;

/** Requests and failures of the last while. */
class Window {
  requests = 0;
  failures = 0;
  readonly #width: number;
  readonly #requests = new Uint32Array(BUCKETS);
  readonly #failures = new Uint32Array(BUCKETS);
  /** The newest bucket, counted from the beginning of time. */
  #newest = 0;

  constructor(length: number) {
    this.#width = length / BUCKETS;
  }

  /** Counts a request. False, and nothing is counted, when there is no failure in the window. */
  add(now: number, failure: 0 | 1): boolean {
    const bucket = Math.floor(now / this.#width);
    for (let i = Math.max(this.#newest + 1, bucket - BUCKETS + 1); i <= bucket; i++) this.#drop(i % BUCKETS);
    // A clock never goes back; should it, the newest bucket takes it.
    this.#newest = Math.max(bucket, this.#newest);
    if (this.failures === 0 && failure === 0) return false;
    const at = this.#newest % BUCKETS;
    this.#requests[at]++;
    this.#failures[at] += failure;
    this.requests++;
    this.failures += failure;
    return true;
  }

  clear(): void {
    this.#requests.fill(0);
    this.#failures.fill(0);
    this.requests = 0;
    this.failures = 0;
  }

  #drop(at: number): void {
    this.requests -= this.#requests[at];
    this.failures -= this.#failures[at];
    this.#requests[at] = 0;
    this.#failures[at] = 0;
  }
}
