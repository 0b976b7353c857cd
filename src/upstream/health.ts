import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../core/clock.ts';
import { type ErrorCode, errors } from '../core/errors.ts';
import { METER } from '../core/meter.ts';
import type { Origin } from '../core/origin.ts';
import { Timer, type Wheel } from '../core/wheel.ts';
import { Ejection, type EjectOptions, mayEject } from './ejection.ts';

/** How long an origin rests after connect failures, in milliseconds: `first`, doubled each time, up to `most`. */
interface RestOptions {
  readonly first: number;
  readonly most: number;
}

export interface HealthOptions {
  readonly disableTime: RestOptions;
  readonly eject: EjectOptions;
}

/**
 * What is known of origins' health from their requests. A failed connect, or too many failed requests, take an origin out
 * for a while; when the rest is over it gets one request, and the others only after that one has gone well, so that a
 * dead origin never costs more than one request its detour.
 */
export class Health {
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #changed: (origin: Origin, why: string) => void;
  readonly #timers = new Map<Origin, Timer>();
  #options: HealthOptions;
  #origins: readonly Origin[] = [];
  #ejections = new Map<Origin, Ejection>();

  /** @param changed hears of every transition; slots may have become free */
  constructor(options: HealthOptions, clock: Clock, wheel: Wheel, changed: (origin: Origin, why: string) => void) {
    this.#options = options;
    this.#clock = clock;
    this.#wheel = wheel;
    this.#changed = changed;
  }

  /** Goes over to other options or origins; what is known of those that stay is kept as long as the options do. */
  update(options: HealthOptions, origins: readonly Origin[]): void {
    const before = isDeepStrictEqual(options.eject, this.#options.eject)
      ? this.#ejections
      : new Map<Origin, Ejection>();
    this.#options = options;
    this.#origins = origins;
    this.#ejections = new Map(
      origins.map((origin) => [origin, before.get(origin) ?? new Ejection(options.eject, origin)]),
    );
  }

  /** A connection could not be made. True when the origin is out; false when that is not to be held against it. */
  connectFailed(origin: Origin, code: ErrorCode, detail: string): boolean {
    if (!this.#options.eject.on.includes('connect')) return false;
    const { first, most } = this.#options.disableTime;
    origin.faultDetail = detail;
    // Of several failures at the same moment, in any thread, one counts.
    if (!origin.turn('up', 'down')) return true;
    origin.failures++;
    origin.fault = errors[code].lasts ? code : '';
    this.#rest(origin, Math.min(first * 2 ** Math.min(origin.failures - 1, 30), most), `${code}: ${detail}`);
    return true;
  }

  /** A connection was made. */
  connected(origin: Origin): void {
    if (origin.failures === 0 && origin.fault === '') return;
    origin.failures = 0;
    origin.fault = '';
    // One that was taken out for what it answered has to answer well.
    if (origin.inRow === 0) this.#well(origin, 'connected again');
  }

  /**
   * A request was answered, to the end; or its answer has begun and need not be waited for.
   *
   * @param sent clock time at which it went to the origin
   */
  answered(origin: Origin, status: number, sent: number): void {
    const ejection = this.#ejections.get(origin);
    if (ejection === undefined || ejection.quiet(status) || origin.before(sent)) return;
    const tested = origin.testing && origin.inRow > 0;
    if (ejection.answered(status, this.#clock.now()) === 'eject')
      return this.#eject(origin, ejection, `answered ${status}`);
    if (tested && origin.inRow === 0) this.#well(origin, 'answers again');
  }

  /** A request failed after it was sent, or began to be. */
  failed(origin: Origin, code: ErrorCode, sent: number): void {
    const ejection = this.#ejections.get(origin);
    if (ejection === undefined || origin.before(sent)) return;
    if (ejection.failed(code, this.#clock.now()) === 'eject') this.#eject(origin, ejection, code);
  }

  /** What has kept everybody from connecting may be mended, because it is done in another way now: one request may try it. */
  renewed(origin: Origin): void {
    if (origin.fault === '') return;
    origin.fault = '';
    this.#rested(origin);
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

  #eject(origin: Origin, ejection: Ejection, why: string): void {
    // Read before anything changes: what it was taken out for.
    const reason = origin.testing ? `${why} when it was tried` : `${why}, ${ejection.reason}`;
    const may = this.#mayBeOut(origin);
    if (may && !origin.turn('up', 'down')) return;
    // Another thread may have taken out another one at the same moment: then neither has, and the next failure decides.
    // It is out for its answers now, whatever kept others from connecting before.
    origin.fault = '';
    if (may && this.#mayBeOut(origin)) return this.#rest(origin, ejection.ejected(this.#clock.now()), reason);
    if (may) origin.turn('down', 'up');
    // Too many are out already: better one that fails at times than nobody.
    if (origin.testing) this.#well(origin, `${reason}, but too many are out`);
  }

  /** Whether this origin may be out beside all others that are. */
  #mayBeOut(origin: Origin): boolean {
    const serving = this.#origins.filter(({ state }) => state !== 'draining');
    const out = serving.filter((one) => one !== origin && one.state === 'down').length;
    return mayEject(serving.length, out, this.#options.eject.most);
  }

  #rest(origin: Origin, rest: number, why: string): void {
    origin.tested();
    origin.meter[METER.ejections]++;
    origin.downUntil = this.#clock.now() + rest;
    let timer = this.#timers.get(origin);
    if (timer === undefined) this.#timers.set(origin, (timer = new Timer(() => this.#rested(origin))));
    this.#wheel.arm(timer, rest);
    this.#changed(origin, why);
  }

  #rested(origin: Origin): void {
    if (!tryAgain(origin, this.#clock.now())) return;
    if (origin.inRow > 0) this.#ejections.get(origin)?.back();
    this.#changed(origin, rested(origin));
  }

  /** All of its slots are there again. */
  #well(origin: Origin, why: string): void {
    origin.since = this.#clock.now();
    origin.tested();
    origin.turn('down', 'up');
    this.#changed(origin, why);
  }
}

/** An origin that has rested takes one request; false when it is not resting any more. */
export function tryAgain(origin: Origin, now: number): boolean {
  if (!origin.resting) return false;
  origin.test(now);
  const ejected = origin.inRow > 0 || origin.failures === 0;
  if (!origin.turn('down', 'up')) {
    // Another thread was faster. If it has found the origin well already, nobody else would end the trying.
    if (origin.failures === 0 && origin.inRow === 0) origin.tested();
    return false;
  }
  // Out for what it answered, it has to answer well. A success in another thread may just have come too late to count.
  if (ejected) origin.inRow = 1;
  return true;
}

/** What is said of an origin that has rested. */
export function rested(origin: Origin): string {
  return origin.failing ? 'has rested, but its check fails' : 'may be tried again';
}
