import { type ErrorCode, errors } from '../core/errors.ts';
import type { Origin } from '../core/origin.ts';
import type { Link } from '../upstream/link.ts';
import { isIdempotent } from '../core/methods.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** Times that a request which no connection had room for is taken to another one of its origin, before that counts against it. */
const MOST_DISMISSALS = 8;

/**
 * What one exchange has tried, and whether it may try once more. Made when something has failed for the first time: a
 * request that nothing happens to has none.
 */
export class Tries {
  /** The next connection must be a new one: a kept one has just failed. */
  fresh = false;
  readonly #upstream: Upstream;
  readonly #tried: Origin[] = [];
  #retries = 0;
  #dismissals = 0;
  /** Ask this origin again: its kept connection failed, not the origin. */
  #again: Origin | null = null;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  /** Not every origin will do. */
  get picky(): boolean {
    return this.#tried.length > 0 || this.#again !== null;
  }

  /** Whether this origin is one to be asked next. */
  allows(origin: Origin): boolean {
    const again = this.#again;
    // Unless it has turned out meanwhile that the origin is gone as well, and not its kept connection only.
    if (again !== null && again.state !== 'down' && again.state !== 'draining') return origin === again;
    return !this.#tried.includes(origin);
  }

  excludes(origin: Origin): boolean {
    return this.#tried.includes(origin);
  }

  exclude(origin: Origin): void {
    this.#tried.push(origin);
  }

  /** A new attempt begins. @returns whether it needs a new connection */
  next(): boolean {
    const { fresh } = this;
    this.fresh = false;
    this.#again = null;
    return fresh;
  }

  /** Whether it was the end of a connection that others have used before, which says nothing about the origin. */
  isStale(code: ErrorCode, link: Link, reused: boolean): boolean {
    if (code === 'origin-closed') return reused && !link.heard;
    // A burst may be larger than what the origin lets one connection carry.
    return errors[code].retry === 'always' && link.dismissed && this.#dismissals++ < MOST_DISMISSALS;
  }

  /**
   * Whether a request whose body, if any, is still there may be sent again after this error; then it counts as tried.
   *
   * @param stale see `isStale`: the same origin is asked again
   */
  again(code: ErrorCode, origin: Origin, method: string, stale: boolean): boolean {
    const { options, budget } = this.#upstream;
    const rule = errors[code].retry;
    if (rule === 'never') return false;
    if (rule !== 'always' && !isIdempotent(method)) return false;
    if (stale) {
      // The other kept ones may be at their end as well.
      this.fresh = code === 'origin-closed';
      this.#again = origin;
      return true;
    }
    if (rule !== 'always') {
      if (this.#retries >= options.retries.count || !budget.spend()) return false;
      this.#retries++;
    }
    this.#tried.push(origin);
    return true;
  }
}
