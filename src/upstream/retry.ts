import type { Clock } from '../core/clock.ts';

/** Retries per second that are always allowed, so that a quiet proxy can retry at all. */
const FLOOR = 10;
/** Most that can be saved up: a burst of failures after a long calm. */
const CAP = 1000;

/**
 * Bounds retries to a share of the requests, so that a failing upstream gets at most that much more load, and not a
 * multiple. A request that never reached an origin costs nothing here: sending it elsewhere adds no load.
 */
export class RetryBudget {
  readonly #share: number;
  readonly #floor: number;
  readonly #clock: Clock;
  #saved = FLOOR;
  #at: number;

  /**
   * @param share retries per request, for example 0.2
   * @param planes threads that share what is always allowed
   */
  constructor(share: number, clock: Clock, planes = 1) {
    this.#share = share;
    this.#floor = FLOOR / planes;
    this.#clock = clock;
    this.#at = clock.now();
  }

  /** A request has come. */
  request(): void {
    if (this.#saved < CAP) this.#saved += this.#share;
  }

  /** Whether one more retry is allowed; counts it if so. */
  spend(): boolean {
    const now = this.#clock.now();
    this.#saved = Math.min(CAP, this.#saved + ((now - this.#at) / 1000) * this.#floor);
    this.#at = now;
    if (this.#saved < 1) return false;
    this.#saved--;
    return true;
  }
}
