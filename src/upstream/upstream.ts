import { isDeepStrictEqual } from 'node:util';
import type { Ask, Balancer } from '../balance/balancer.ts';
import { type CgiOptions, mergeCgi, type RouteCgiOptions } from '../codec/cgi/options.ts';
import type { RequestTarget } from '../codec/codec.ts';
import { Bells } from '../core/bells.ts';
import { Board } from '../core/board.ts';
import type { Clock } from '../core/clock.ts';
import { METER, RETRY_REASONS } from '../core/meter.ts';
import { authorityOf, type Origin, type OriginAddress } from '../core/origin.ts';
import type { Request } from '../core/request.ts';
import { Timer, type Wheel } from '../core/wheel.ts';
import { releaseSlot, slotsTaken, takeSlot } from './slots.ts';
import { Backlog, CALLS, type Vain, type Waiter } from './backlog.ts';
import { dial } from './dial.ts';
import { Health, type HealthOptions } from './health.ts';
import { keyOf } from './key.ts';
import type { Link, LinkUser } from './link.ts';
import type { Coming } from './options.ts';
import type { Pool, PoolOptions } from './pool.ts';
import { RetryBudget } from './retry.ts';

export interface UpstreamOptions extends HealthOptions {
  readonly queue: {
    /** Requests that may wait. */
    readonly size: number;
    /** Milliseconds each may wait. */
    readonly timeout: number;
  };
  readonly retries: {
    /** Times an idempotent request is sent again elsewhere after it failed. */
    readonly count: number;
    /** Retries as a share of requests. */
    readonly budget: number;
    /** Bytes of a request body kept for sending it again. */
    readonly buffer: number;
  };
  /** Requests in flight at all origins together. */
  readonly maxInFlight: number;
  /** Milliseconds over which an origin that has come, or come back, gets its share of the load. */
  readonly slowStart: number;
  /** For bodies of unknown length on their way to origins that want to know it. */
  readonly spool: {
    /** Bytes in memory, and altogether; nothing is gathered when that is 0. */
    readonly memory: number;
    readonly size: number;
    /** Bytes in memory of all such bodies together. */
    readonly total: number;
    /** For those that are not in memory; '' is the system's. */
    readonly folder: string;
  };
  /** For origins that are told in CGI's names. */
  readonly cgi: CgiOptions;
  /** `pass` the client's Host on, send the origin's own, or this text. */
  readonly host: string;
  /** Whether origins that sluice starts itself come when requests wait. */
  readonly children?: Coming;
}

/** A request that wants an origin: what the balancer asks it, and what the backlog needs. */
export interface Applicant extends Ask, Waiter, LinkUser {
  /** Look at backup origins as well. */
  backups: boolean;
  /** The applicant will not go to this origin (any more). */
  excludes(origin: Origin): boolean;
  /** A slot of this origin is the applicant's, until `release`. */
  assigned(origin: Origin): void;
}

/** How a request for a slot ended: with one, in the backlog, or without hope; `expired` has been told why. */
export type Admission = 'assigned' | 'waiting' | 'backlog-full' | 'no-origin' | 'expired';

/** How often the backlog looks for requests whose time is up, in milliseconds. */
const EXPIRY_STEP = 50;

/** A named group of origins, and everything they share: balancer, channels, backlog, health, retry budget. */
export class Upstream {
  readonly name: string;
  options: UpstreamOptions;
  origins: readonly Origin[] = [];
  balancer: Balancer;
  readonly pool: Pool;
  readonly backlog: Backlog;
  readonly health: Health;
  budget: RetryBudget;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  /** Bytes in memory of bodies that are gathered, or have been and are not sent yet. */
  readonly gathered = { held: 0 };
  #hasBackups = false;
  /** Weakly, because a request may still be on its way to an origin that is gone. */
  readonly #targets = new WeakMap<Origin, RequestTarget>();
  /** Where they were when the targets were made. */
  readonly #addresses = new WeakMap<Origin, OriginAddress>();
  /** Those with options of routes: made once, because what is made of options is remembered by them. */
  readonly #routed = new WeakMap<RequestTarget, WeakMap<RouteCgiOptions, RequestTarget>>();
  readonly #expiry: Timer;
  readonly #ramp: Timer;
  /** What its threads share. */
  readonly board: Board;
  readonly #bells: Bells;
  /** Who was ahead of this thread's waiters when it last looked by itself; 0 is nobody. */
  #ahead = 0;

  constructor(
    name: string,
    options: UpstreamOptions,
    origins: readonly Origin[],
    balancer: Balancer,
    pool: Pool,
    log: (origin: Origin, why: string) => void,
    board: Board = new Board(),
    bells: Bells = new Bells(),
  ) {
    this.board = board;
    this.#bells = bells;
    this.name = name;
    this.options = options;
    this.balancer = balancer;
    this.pool = pool;
    this.#clock = pool.clock;
    this.#wheel = pool.wheel;
    this.backlog = new Backlog(options.queue.size, board);
    this.budget = new RetryBudget(options.retries.budget, pool.clock, board.threads);
    this.health = new Health(options, pool.clock, pool.wheel, (origin, why) => {
      log(origin, why);
      this.#reweigh();
      this.#dismiss();
      this.wake();
    });
    this.#expiry = new Timer(() => this.#expire());
    this.#ramp = new Timer(() => this.#raise());
    this.#adopt(origins);
  }

  /**
   * Goes over to other options, origins or another balancer while requests are in hand. Origins that stay keep their
   * state, counters and channels; those that are gone take no new requests, and are returned.
   */
  update(options: UpstreamOptions, pool: PoolOptions, origins: readonly Origin[], balancer: Balancer): Origin[] {
    const gone = this.origins.filter((origin) => !origins.includes(origin));
    const now = this.#clock.now();
    for (const origin of origins) if (!this.origins.includes(origin) && origin.since === 0) origin.since = now;
    if (options.retries.budget !== this.options.retries.budget) {
      this.budget = new RetryBudget(options.retries.budget, this.#clock, this.board.threads);
    }
    const renewed = this.origins.filter((origin) => origins.includes(origin) && this.#isRenewed(origin, pool));
    this.options = options;
    this.pool.options = pool;
    this.pool.weed();
    this.balancer = balancer;
    this.backlog.size = options.queue.size;
    for (const origin of gone) {
      origin.state = 'draining';
      this.health.forget(origin);
      this.pool.drain(origin);
    }
    this.#adopt(origins);
    for (const origin of renewed) this.health.renewed(origin);
    this.#dismiss();
    // There may be slots now that were not there before.
    this.wake();
    return gone;
  }

  /** What the balancer of this upstream chooses by, from one request. */
  keyOf(request: Request, address: string): string {
    return keyOf(this.balancer.key, request, address);
  }

  /** Gives the applicant a slot now, or a place in the backlog, or neither. */
  admit(applicant: Applicant): Admission {
    // Those who wait come first; a newcomer may only pass when nobody does.
    if (this.backlog.total === 0) {
      const origin = this.#take(applicant);
      if (origin !== undefined) {
        applicant.assigned(origin);
        return 'assigned';
      }
    } else this.wake();
    const vain = this.#vain(applicant);
    if (vain !== undefined) {
      applicant.expired(vain);
      return 'expired';
    }
    if (this.origins.every((origin) => !mayServe(origin, applicant)) && !this.#mayCome()) return 'no-origin';
    if (!this.backlog.push(applicant)) return 'backlog-full';
    if (this.backlog.length === 1) this.#wheel.arm(this.#expiry, EXPIRY_STEP);
    // Whoever was let in above may have left a slot that nobody ahead can use.
    this.wake();
    return applicant.waiting ? 'waiting' : 'assigned';
  }

  /** The slot of an exchange that went to the origin at this clock time is free again. */
  release(origin: Origin, sent: number): void {
    origin.release(sent);
    releaseSlot(this.board);
    if (this.backlog.total > 0) this.wake();
  }

  /**
   * Serves those who wait, in order, as far as slots go. When somebody in another thread has waited longer, that thread is
   * called instead; when slots may be left over, the thread whose first waiter comes next. So a slot goes from thread
   * to thread in the order of their tickets, and whoever is overtaken is overtaken by one thread's waiters at most.
   *
   * @param passed those of other threads had their turn and could not use it
   */
  wake(passed = false): void {
    const ahead = passed ? -1 : this.backlog.earlierThread();
    if (ahead >= 0) return this.#call(ahead, CALLS.look);
    const { first } = this.backlog;
    if (first === null || !this.#serve() || this.backlog.total === 0) return;
    // A call that nobody can use would only come too late, and let somebody overtake.
    if (!this.origins.some((origin) => origin.state === 'up')) return;
    const next = this.backlog.laterThread(first.ticket);
    if (next >= 0) this.#call(next, CALLS.pass);
  }

  /** Counts that a request goes on to another attempt. */
  retried(reason: (typeof RETRY_REASONS)[number]): void {
    this.board.meter[METER.retries + RETRY_REASONS.indexOf(reason)]++;
  }

  /** Another thread has rung. */
  rung(): void {
    const calls = this.backlog.called();
    if (calls === 0) return;
    this.#reweigh();
    this.wake((calls & CALLS.pass) !== 0);
  }

  /** Nobody is there who could serve, but somebody will be: what waits brings it about. */
  #mayCome(): boolean {
    return this.options.children?.state === 'come' && this.origins.every(({ state }) => state === 'draining');
  }

  /**
   * Why there is nothing to wait for: nobody will be started, or everybody who could serve this request is out for what waiting does
   * not mend. One that is busy, or out for another cause, is worth waiting for.
   */
  #vain(applicant: Applicant): Vain | undefined {
    const { children } = this.options;
    if (children?.state === 'come') return undefined;
    let last: Origin | undefined;
    for (const origin of this.origins) {
      if (!mayServe(origin, applicant)) continue;
      if (origin.state !== 'down' || origin.fault === '') return undefined;
      last = origin;
    }
    if (last !== undefined) return last.fault === '' ? undefined : { code: last.fault, detail: last.faultDetail };
    return children === undefined || applicant.picky ? undefined : { code: 'children-stopped', detail: children.why };
  }

  /** Ends the waiting of those who wait in vain. */
  #dismiss(): void {
    if (this.backlog.length > 0) this.backlog.dismiss((waiter) => this.#vain(waiter as Applicant));
  }

  #call(thread: number, why: (typeof CALLS)[keyof typeof CALLS]): void {
    this.backlog.call(thread, why);
    this.#bells.ring(thread);
  }

  /** Whether connections to this origin are to be made in another way than so far. */
  #isRenewed(origin: Origin, { tls }: PoolOptions): boolean {
    return this.#addresses.get(origin) !== origin.address || !isDeepStrictEqual(tls, this.pool.options.tls);
  }

  /** Gives slots to this thread's waiters; false when there are none for anybody. */
  #serve(): boolean {
    for (let waiter = this.backlog.first; waiter !== null;) {
      const next: Waiter | null = waiter.nextWaiter;
      const applicant = waiter as Applicant;
      const origin = this.#take(applicant);
      if (origin === undefined) {
        if (!applicant.picky) return false;
      } else {
        this.backlog.remove(applicant);
        applicant.assigned(origin);
      }
      // What was just started may have ended others' waiting: then begin again.
      waiter = next !== null && !next.waiting ? this.backlog.first : next;
    }
    return true;
  }

  /** A link to the origin whose slot the user holds: an open one, or one that connects (`connected` comes later). */
  channel(origin: Origin, user: LinkUser, fresh: boolean, warm: boolean, now: number): Link {
    const { pool } = this;
    const kept = fresh ? undefined : pool.take(origin, warm, now);
    return kept ?? pool.shared.join(origin, user, fresh, warm, now) ?? dial(origin, pool, user);
  }

  /** @param cgi of the route that the request came by */
  target(origin: Origin, cgi?: RouteCgiOptions): RequestTarget {
    const target = this.#targets.get(origin) as RequestTarget;
    if (cgi === undefined) return target;
    let routed = this.#routed.get(target);
    if (routed === undefined) this.#routed.set(target, (routed = new WeakMap()));
    let own = routed.get(cgi);
    if (own === undefined) routed.set(cgi, (own = { ...target, cgi: mergeCgi(target.cgi, cgi) }));
    return own;
  }

  /** Resolves when nothing of this thread is in flight or waiting. */
  async idle(): Promise<void> {
    while (this.backlog.length > 0 || this.origins.some((origin) => origin.meter[METER.held] > 0)) {
      await new Promise<void>((resolve) => this.#clock.after(EXPIRY_STEP, resolve, 'idle'));
    }
  }

  close(now: boolean): void {
    this.pool.close(now);
    if (!now) return;
    this.backlog.expire(Infinity);
    this.health.close();
    this.#wheel.drop(this.#expiry);
    this.#wheel.drop(this.#ramp);
  }

  #adopt(origins: readonly Origin[]): void {
    const { host, cgi } = this.options;
    this.origins = origins;
    this.#hasBackups = origins.some((origin) => origin.backup);
    for (const origin of origins) {
      const authority = authorityOf(origin.address);
      const own = host !== 'pass' && host !== 'origin';
      const secure = this.pool.offerOf(origin.address) !== null;
      const { program } = origin.address;
      const target = { authority: own ? host : authority, replaceHost: host !== 'pass', secure, cgi };
      this.#addresses.set(origin, origin.address);
      this.#targets.set(origin, program === undefined ? target : { ...target, program });
    }
    for (const origin of origins) if (origin.state === 'draining') this.pool.drain(origin);
    this.health.update(this.options, origins);
    this.#wheel.drop(this.#ramp);
    this.#weigh();
    this.balancer.update(origins);
    this.#raise();
  }

  /** Goes on with the slow start of origins, wherever they were found to be back. */
  #raise(): void {
    this.#reweigh();
    const { slowStart } = this.options;
    if (slowStart > 0) this.#wheel.arm(this.#ramp, Math.min(slowStart / RAMP_STEPS, RAMP_LATE));
  }

  #reweigh(): void {
    if (this.options.slowStart > 0 && this.#weigh()) this.balancer.update(this.origins);
  }

  /** Sets the weights that are in force now; tells whether one is another than before. */
  #weigh(): boolean {
    const { slowStart } = this.options;
    const now = this.#clock.now();
    let changed = false;
    for (const origin of this.origins) {
      const weight = origin.fullWeight * warmth(origin.since, now, slowStart);
      if (weight === origin.weight) continue;
      origin.weight = weight;
      changed = true;
    }
    return changed;
  }

  /** A slot for the applicant. Asks again when another thread has taken the slot that was just seen free. */
  #take(applicant: Applicant): Origin | undefined {
    for (;;) {
      const origin = this.#pick(applicant);
      if (origin === undefined) return undefined;
      if (!origin.acquire()) continue;
      if (takeSlot(this.board, this.options.maxInFlight)) return origin;
      // Nobody is turned away for the moment that this one had a slot: the upstream itself is full.
      origin.release();
    }
  }

  #pick(applicant: Applicant): Origin | undefined {
    if (slotsTaken(this.board) >= this.options.maxInFlight) return undefined;
    applicant.backups = false;
    const origin = this.balancer.pick(applicant);
    if (origin !== undefined || !this.#hasBackups) return origin;
    applicant.backups = true;
    return this.balancer.pick(applicant);
  }

  #expire(): void {
    this.backlog.expire(this.#clock.now());
    // Another thread may have found out.
    this.#dismiss();
    if (this.backlog.length === 0) return;
    this.#wheel.arm(this.#expiry, EXPIRY_STEP);
    if (this.board.threads === 1) return;
    // Whoever should have called, or was called, may have died before it could act.
    const ahead = this.backlog.aheadTicket();
    this.wake(ahead !== 0 && ahead === this.#ahead);
    this.#ahead = ahead;
  }
}

/** Steps in which a slow start goes up. */
const RAMP_STEPS = 10;

/** The longest that an origin which another thread has found to be back has its full share here, in milliseconds. */
const RAMP_LATE = 250;

/** The share of its weight that an origin has `now`, when it came at `since` and starts slowly; 0 is from the beginning. */
export function warmth(since: number, now: number, slowStart: number): number {
  if (slowStart <= 0 || since === 0 || now - since >= slowStart) return 1;
  return Math.max(1, Math.ceil(((now - since) / slowStart) * RAMP_STEPS)) / RAMP_STEPS;
}

/** Whether the origin could serve the applicant once it is free or back: waiting makes sense. */
function mayServe(origin: Origin, applicant: Applicant): boolean {
  return origin.state !== 'draining' && !applicant.excludes(origin);
}
