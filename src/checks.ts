import { Checker, createCheck, Gate, MOST_PROBES } from './check/index.ts';
import type { LastCheck } from './check/checker.ts';
import type { Config } from './config/config.ts';
import { boardKeys, type BoardMap } from './control/boards.ts';
import { Board } from './core/board.ts';
import type { Clock } from './core/clock.ts';
import { METER } from './core/meter.ts';
import { blockOrigin, type Origin } from './core/origin.ts';
import type { Turned } from './data-plane.ts';
import type { SharedState } from './shared-state.ts';

/** Runs the active checks of all upstreams, and puts what they find where every thread sees it. */
export class Checks {
  readonly #clock: Clock;
  readonly #shared: SharedState;
  readonly #turned: Turned;
  readonly #defect: (error: unknown) => void;
  readonly #gate = new Gate(MOST_PROBES);
  readonly #checkers = new Map<string, Checker<Origin>>();

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
    }
    for (const [name, { check }] of Object.entries(upstreams)) {
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
      turned: (origin, healthy, why) => this.#found(upstream, origin, healthy, why),
      defect: this.#defect,
    });
  }

  #found(upstream: string, origin: Origin, healthy: boolean, why: string): void {
    if (origin.failing !== healthy) return;
    origin.failing = !healthy;
    if (healthy) origin.since = this.#clock.now();
    else origin.meter[METER.ejections]++;
    this.#turned(upstream, origin.name, origin.state, why);
    this.#shared.stir(upstream);
  }
}
