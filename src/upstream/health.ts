import type { Clock } from '../core/clock.ts';
import { METER } from '../core/meter.ts';
import type { Origin } from '../core/origin.ts';
import { Timer, type Wheel } from '../core/wheel.ts';

/** How long an origin rests after connect failures, in milliseconds: `first`, doubled each time, up to `most`. */
export interface RestOptions {
  readonly first: number;
  readonly most: number;
}

/**
 * What is known of origins' health from trying to reach them. A failed connect takes an origin out for a while; when
 * the rest is over it gets one request, and the others only after that one has connected, so that a dead origin never
 * costs more than one request its detour.
 */
export class Health {
  rest: RestOptions;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #changed: (origin: Origin, why: string) => void;
  readonly #timers = new Map<Origin, Timer>();

  /** @param changed hears of every transition; slots may have become free */
  constructor(rest: RestOptions, clock: Clock, wheel: Wheel, changed: (origin: Origin, why: string) => void) {
    this.rest = rest;
    this.#clock = clock;
    this.#wheel = wheel;
    this.#changed = changed;
  }

  /** A connection could not be made. */
  connectFailed(origin: Origin, why: string): void {
    // Of several failures at the same moment, in any thread, one counts.
    if (!origin.turn('up', 'down')) return;
    origin.failures++;
    origin.meter[METER.ejections]++;
    const rest = Math.min(this.rest.first * 2 ** Math.min(origin.failures - 1, 30), this.rest.most);
    origin.since = this.#clock.now();
    origin.downUntil = origin.since + rest;
    let timer = this.#timers.get(origin);
    if (timer === undefined) this.#timers.set(origin, (timer = new Timer(() => this.#rested(origin))));
    this.#wheel.arm(timer, rest);
    this.#changed(origin, why);
  }

  /** A connection was made. */
  connected(origin: Origin): void {
    if (origin.failures === 0) return;
    origin.failures = 0;
    if (origin.turn('down', 'up')) origin.since = this.#clock.now();
    origin.testing = false;
    origin.resize(origin.maxConnections);
    this.#changed(origin, 'connected again');
  }

  /** An origin is gone for good. */
  forget(origin: Origin): void {
    const timer = this.#timers.get(origin);
    if (timer !== undefined) this.#wheel.drop(timer);
    this.#timers.delete(origin);
  }

  close(): void {
    for (const timer of this.#timers.values()) this.#wheel.drop(timer);
  }

  #rested(origin: Origin): void {
    if (tryAgain(origin, this.#clock.now())) this.#changed(origin, 'may be tried again');
  }
}

/** An origin that has rested takes one request; false when it is not resting any more. */
export function tryAgain(origin: Origin, now: number): boolean {
  if (!origin.resting) return false;
  // One more than what is left of earlier requests, which may take hours to end.
  origin.testing = true;
  origin.resize(Math.min(origin.maxConnections, origin.inFlight + 1));
  if (!origin.turn('down', 'up')) return false;
  origin.since = now;
  return true;
}
