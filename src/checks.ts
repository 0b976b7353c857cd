import { isDeepStrictEqual } from 'node:util';
import { Checker, createCheck, Gate, MOST_PROBES } from './check/index.ts';
import type { LastCheck } from './check/checker.ts';
import { offerOf } from './codec/index.ts';
import type { Config } from './config/config.ts';
import { boardKeys, type BoardMap } from './control/boards.ts';
import { Board } from './core/board.ts';
import type { Clock } from './core/clock.ts';
import { type ErrorCode, errors } from './core/errors.ts';
import { METER } from './core/meter.ts';
import { blockOrigin, type Origin } from './core/origin.ts';
import type { Turned } from './data-plane.ts';
import type { SharedState } from './shared-state.ts';
import { probeSecurely } from './upstream/dial.ts';
import type { TlsOptions } from './upstream/tls/options.ts';
import { Security } from './upstream/tls/security.ts';

/** Runs the active checks of all upstreams, and puts what they find where every thread sees it. */
export class Checks {
  readonly #clock: Clock;
  readonly #shared: SharedState;
  readonly #turned: Turned;
  readonly #defect: (error: unknown) => void;
  readonly #gate = new Gate(MOST_PROBES);
  readonly #checkers = new Map<string, Checker<Origin>>();
  /** By upstream: whom to trust over TLS, and what that was made from. */
  readonly #securities = new Map<string, { readonly tls: TlsOptions; readonly security: Security }>();

  constructor(clock: Clock, shared: SharedState, turned: Turned, defect: (error: unknown) => void) {
    this.#clock = clock;
    this.#shared = shared;
    this.#turned = turned;
    this.#defect = defect;
  }

  /** Closes origins that are new in these boards and may not serve before they were checked. */
  block({ upstreams }: Config, boards: BoardMap): void {
    for (const [name, { check, origins }] of Object.entries(upstreams)) {
      if (check?.first !== 'block') continue;
      for (const origin of origins) {
        const key = boardKeys.originOf(name, origin);
        if (!this.#shared.boards.has(key)) blockOrigin(new Board(boards.get(key)));
      }
    }
  }

  /** Checks what is in force now. */
  update({ upstreams }: Config): void {
    for (const [name, checker] of this.#checkers) {
      if (Object.hasOwn(upstreams, name)) continue;
      checker.close();
      this.#checkers.delete(name);
      this.#securities.delete(name);
    }
    for (const [name, { check, tls }] of Object.entries(upstreams)) {
      if (!isDeepStrictEqual(this.#securities.get(name)?.tls, tls)) {
        this.#securities.set(name, { tls, security: new Security(tls, this.#clock) });
      }
      const origins = this.#shared.origins.get(name) ?? [];
      let checker = this.#checkers.get(name);
      if (checker === undefined && check === null) continue;
      if (checker === undefined) this.#checkers.set(name, (checker = this.#make(name)));
      checker.update(origins, check);
      if (check === null) for (const origin of origins) this.#found(name, origin, true, 'no longer checked');
    }
  }

  /** The last probe's word about an origin; `null` without one. */
  last(upstream: string, origin: Origin): LastCheck | null {
    return this.#checkers.get(upstream)?.last(origin) ?? null;
  }

  close(): void {
    for (const checker of this.#checkers.values()) checker.close();
    this.#checkers.clear();
  }

  #make(upstream: string): Checker<Origin> {
    return new Checker<Origin>({
      clock: this.#clock,
      gate: this.#gate,
      create: createCheck,
      secure: (address) => {
        const offer = offerOf(address.scheme);
        const security = this.#securities.get(upstream)?.security;
        return offer === null || security === undefined ? null : probeSecurely(address, security, offer);
      },
      found: (origin, healthy, code) => {
        // It still fails, but perhaps for another cause, which is worth waiting for or not.
        const fault = faultOf(code);
        if (healthy || !origin.failing || origin.unchecked || origin.fault === fault) return;
        origin.fault = fault;
        this.#shared.stir(upstream);
      },
      turned: (origin, healthy, why, code) => this.#found(upstream, origin, healthy, why, faultOf(code)),
      defect: this.#defect,
    });
  }

  /** @param fault see `Origin.fault` */
  #found(upstream: string, origin: Origin, healthy: boolean, why: string, fault: ErrorCode | '' = ''): void {
    // Nobody has been told yet that one waits for its first check.
    if (origin.failing !== healthy && !origin.unchecked) return;
    // At the start all are as cold as each other, and none begins slowly: 0 is from the start.
    if (!healthy || origin.since > 0) origin.since = this.#clock.now();
    if (!healthy) origin.meter[METER.ejections]++;
    origin.failing = !healthy;
    origin.fault = fault;
    this.#turned(upstream, origin.name, origin.state, healthy && origin.resting ? `${why}, but it rests` : why);
    this.#shared.stir(upstream);
  }
}

/** As in `Origin.fault`. */
function faultOf(code: ErrorCode | undefined): ErrorCode | '' {
  return code !== undefined && errors[code].lasts ? code : '';
}
