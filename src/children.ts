import { resolve } from 'node:path';
import type { Config, UpstreamConfig } from './config/config.ts';
import { boardKeys } from './control/boards.ts';
import type { PoolView } from './control/views.ts';
import { Board } from './core/board.ts';
import type { Clock } from './core/clock.ts';
import { METER } from './core/meter.ts';
import { originName, type OriginOptions } from './core/origin.ts';
import { showDuration } from './core/units.ts';
import type { Messages } from './observe/messages.ts';
import type { SharedState } from './shared-state.ts';
import type { Child, ChildState } from './spawn/children/child.ts';
import { ProcessLauncher } from './spawn/children/launch.ts';
import { memoryOf } from './spawn/children/memory.ts';
import type { SpawnOptions } from './spawn/children/options.ts';
import { Pool, type Work } from './spawn/children/pool.ts';
import { probe } from './spawn/children/ready.ts';
import { watchPaths } from './spawn/children/watch.ts';
import type { ConfiguredOrigin } from './upstream/options.ts';

/** Milliseconds between two looks at what children have to do: as long as a request may wait until one is started for it. */
const LOOK = 50;

/** Milliseconds between two looks at how much memory they have. */
const WEIGH = 5000;

/** Milliseconds that the first children may take when the process that is to be replaced waits for them. */
const BEGINNING = 60_000;

/** Milliseconds after which what could not be put in force is tried again. */
const AGAIN = 1000;

/** A pool, where it belongs, and what it needs to be looked at. */
interface Place {
  readonly upstream: string;
  readonly pool: Pool;
  /** Milliseconds that its children may take to finish what they have. */
  drain: number;
  watched: readonly string[];
  unwatch: () => Promise<void>;
}

export interface ChildrenParts {
  readonly clock: Clock;
  readonly shared: SharedState;
  readonly say: Messages['say'];
  /** Puts in force what `expand` says now. Rejects when that cannot be done. */
  readonly changed: () => Promise<unknown>;
}

/** The processes that sluice starts itself: makes origins of them, and sees that there are as many as are needed. */
export class Children {
  readonly #parts: ChildrenParts;
  readonly #launcher: ProcessLauncher;
  /** By upstream and name. */
  readonly #places = new Map<string, Place>();
  /** Of what is no longer in the config, until nothing is left. */
  readonly #leaving = new Set<Place>();
  readonly #boards = new WeakMap<Child, Board>();
  /** The children that are origins in force, by upstream and origin: also one that has just ended. */
  #inForce: ReadonlyMap<string, Child> = new Map();
  #rounds: (() => void)[] = [];
  #gathering = false;
  #closed = false;
  /** All are ending. */
  #closing = false;
  /** Nobody wants to wait for them. */
  #atOnce = false;

  constructor(parts: ChildrenParts) {
    this.#parts = parts;
    this.#launcher = new ProcessLauncher(parts.clock, parts.say);
  }

  /** The config with an origin for each child that is ready, instead of what starts them. */
  expand(config: Config): Config {
    const upstreams = Object.entries(config.upstreams).map(([name, upstream]): [string, UpstreamConfig] => {
      const spawning = upstream.origins.filter(({ spawn }) => spawn !== undefined);
      if (spawning.length === 0) return [name, upstream];
      const origins = upstream.origins.flatMap((origin) => this.#expandOne(name, origin));
      const pools = spawning.map((origin) => this.#places.get(keyOf(name, origin))?.pool);
      const children = pools.every((pool) => pool?.stopped === true)
        ? { state: 'stopped' as const, why: pools.map((pool) => pool?.why).join('; ') }
        : { state: 'come' as const, why: '' };
      const spawn = Object.fromEntries(spawning.map((origin) => [nameOf(origin), origin.spawn as SpawnOptions]));
      return [name, { ...upstream, origins, spawn, children }];
    });
    return { ...config, upstreams: Object.fromEntries(upstreams) };
  }

  /**
   * This config is in force: `given` as it was given, `expanded` with what is served. Children that are new in the config are
   * started, those that are changed are replaced, those that are gone finish what they have and end.
   *
   * @param reload somebody has asked for it: what could not be started may be there now
   */
  update(given: Config, expanded: Config, reload = false): void {
    const wanted = new Set<string>();
    for (const [upstream, { origins }] of Object.entries(given.upstreams)) {
      for (const origin of origins) {
        if (origin.spawn === undefined) continue;
        wanted.add(keyOf(upstream, origin));
        this.#keep(upstream, origin, origin.spawn, given.timeouts.drain);
      }
    }
    for (const [key, place] of this.#places) if (!wanted.has(key)) this.#retire(key, place);
    if (reload) for (const { pool } of this.#places.values()) pool.again();
    const inForce = new Map<string, Child>();
    for (const place of this.#all()) this.#applied(place, expanded, inForce);
    this.#inForce = inForce;
    this.#turnRounds();
    this.#look();
  }

  /**
   * Starts the children of this config, and resolves when as many as are always to be there are ready. Rejects when some
   * cannot live, or it takes too long.
   */
  async began(given: Config, expanded: Config): Promise<void> {
    const { clock } = this.#parts;
    this.update(given, expanded);
    const until = clock.now() + BEGINNING;
    for (const { upstream, pool } of this.#places.values()) {
      while (!this.#closed && pool.members.length < pool.options.instances.min) {
        const late = clock.now() > until;
        if (pool.stopped || late) {
          const why = pool.stopped ? `do not live: ${pool.why}` : `are not ready after ${showDuration(BEGINNING)}`;
          throw new Error(`the processes of ${upstream} ${why}`);
        }
        await new Promise<void>((next) => clock.after(LOOK, next));
      }
    }
  }

  /** Replaces the children of an upstream one by one; false when it has none. */
  restart(upstream: string): boolean {
    const pools = this.#of(upstream);
    for (const { pool } of pools) pool.restart('operator');
    return pools.length > 0;
  }

  /** The child that is this origin; `undefined`: it is another kind of origin. */
  childOf(upstream: string, origin: string): Child | undefined {
    return this.#inForce.get(`${upstream} ${origin}`);
  }

  /** The pools of an upstream, to be shown. */
  poolsOf(upstream: string): PoolView[] {
    return this.#of(upstream).map(({ pool }) => {
      const states: Record<Exclude<ChildState, 'ended'>, number> = { starting: 0, ready: 0, draining: 0, ending: 0 };
      for (const { state } of pool.children) if (state !== 'ended') states[state]++;
      const { starts, crashes, restarts } = pool.counts;
      return {
        name: pool.name,
        state: pool.stopped ? 'stopped' : 'running',
        reason: pool.why,
        wanted: pool.wanted,
        children: states,
        starts,
        crashes,
        restarts: { ...restarts },
      };
    });
  }

  /** Starts no more, because sluice is ending. Those that are there serve what is in hand. */
  freeze(): void {
    this.#closed = true;
    for (const { pool } of this.#all()) pool.freeze();
  }

  /** When they end, they end at once; also those that have been asked to already. */
  hurry(): void {
    this.#atOnce = true;
    if (this.#closing) for (const { pool } of this.#all()) void pool.end(true);
  }

  /** Ends all children. Resolves when nothing is left of them. */
  async close(): Promise<void> {
    this.freeze();
    this.#closing = true;
    for (const cancel of this.#rounds.splice(0)) cancel();
    const all = this.#all();
    await Promise.all(all.flatMap(({ pool, unwatch }) => [pool.end(this.#atOnce), unwatch()]));
    this.#places.clear();
    this.#leaving.clear();
    this.#launcher.close();
  }

  #all(): Place[] {
    return [...this.#places.values(), ...this.#leaving];
  }

  #of(upstream: string): Place[] {
    return [...this.#places.values()].filter((place) => place.upstream === upstream);
  }

  #expandOne(upstream: string, { spawn, ...origin }: ConfiguredOrigin): OriginOptions[] {
    if (spawn === undefined) return [origin];
    const members = this.#places.get(keyOf(upstream, { spawn, ...origin }))?.pool.members ?? [];
    return members.flatMap(({ name, address }) =>
      address === null ? [] : [{ ...origin, url: `spawn:${name}`, address }],
    );
  }

  #keep(upstream: string, origin: ConfiguredOrigin, spawn: SpawnOptions, drain: number): void {
    const key = keyOf(upstream, origin);
    const slots = origin.maxConnections ?? Infinity;
    let place = this.#places.get(key);
    if (place === undefined) {
      const { clock, say } = this.#parts;
      const named: Messages['say'] = (level, code, message) => say(level, code, `${upstream} ${message}`);
      const surroundings = { clock, say: named, launcher: this.#launcher, probe, changed: () => this.#changed() };
      const pool = new Pool(nameOf(origin), spawn, slots, surroundings);
      place = { upstream, pool, drain, watched: [], unwatch: () => Promise.resolve() };
      this.#places.set(key, place);
    } else place.pool.update(spawn, slots);
    place.drain = drain;
    this.#watch(place, spawn);
  }

  #watch(place: Place, { watch, cwd = '.' }: SpawnOptions): void {
    const { clock, say } = this.#parts;
    const watched = watch.map((path) => resolve(cwd, path));
    if (watched.join('\0') === place.watched.join('\0')) return;
    void place.unwatch();
    place.watched = watched;
    place.unwatch =
      watched.length === 0
        ? () => Promise.resolve()
        : watchPaths(
            watch,
            resolve(cwd),
            clock,
            () => {
              if (this.#closed) return;
              say('info', 'child-watch', `${place.upstream} ${place.pool.name}: what it watches has changed`);
              place.pool.restart('watch');
            },
            (error) => say('error', 'child-watch', `${place.upstream} ${place.pool.name}: ${error.message}`),
          );
  }

  #retire(key: string, place: Place): void {
    this.#places.delete(key);
    this.#leaving.add(place);
    void place.unwatch();
    place.unwatch = () => Promise.resolve();
    void place.pool.retire().then(() => this.#leaving.delete(place));
  }

  /** Takes note of who is asked now, and whom nobody asks any more. */
  #applied({ upstream, pool }: Place, { upstreams }: Config, inForce: Map<string, Child>): void {
    const { shared } = this.#parts;
    const there = new Set(upstreams[upstream]?.origins.map(({ address }) => originName(address)));
    for (const child of pool.children) {
      if (child.address === null) continue;
      const name = originName(child.address);
      const isThere = there.has(name);
      if (isThere) inForce.set(`${upstream} ${name}`, child);
      if (isThere && !this.#boards.has(child)) {
        this.#boards.set(child, new Board(shared.boards.get(boardKeys.originOf(upstream, { address: child.address }))));
      }
      child.isOut = !isThere;
    }
  }

  #turnRounds(): void {
    if (this.#rounds.length > 0 || this.#all().length === 0 || this.#closed) return;
    const { clock } = this.#parts;
    this.#rounds = [clock.every(LOOK, () => this.#look()), clock.every(WEIGH, () => void this.#weigh())];
  }

  #look(): void {
    const { shared } = this.#parts;
    for (const { upstream, pool, drain } of this.#all()) {
      pool.look({ waiting: shared.waiting(upstream), work: (child) => this.#work(child), drain });
    }
  }

  #work(child: Child): Work | undefined {
    const board = this.#boards.get(child);
    if (board === undefined) return undefined;
    return { inFlight: board.sum(METER.held), requests: board.sum(METER.requests) };
  }

  /** Replaces children that have grown too large. */
  async #weigh(): Promise<void> {
    const watched = [...this.#places.values()].filter(({ pool }) => pool.options.maxMemory < Infinity);
    if (watched.length === 0) return;
    const groups = new Set(watched.flatMap(({ pool }) => pool.members.map(({ pid }) => pid)));
    const sizes = await memoryOf(groups);
    for (const { pool } of watched) {
      for (const child of pool.members) {
        if ((sizes.get(child.pid) ?? 0) > pool.options.maxMemory) pool.outgrown(child, 'memory');
      }
    }
  }

  /** Several children often turn at once. */
  #changed(): void {
    if (this.#gathering || this.#closed) return;
    this.#gathering = true;
    this.#parts.clock.soon(() => {
      this.#gathering = false;
      if (this.#closed) return;
      this.#parts.changed().catch(() => this.#parts.clock.after(AGAIN, () => this.#changed(), 'idle'));
    });
  }
}

/** Filled in where the config was completed. */
function nameOf({ spawn }: ConfiguredOrigin): string {
  return spawn?.name ?? '';
}

function keyOf(upstream: string, origin: ConfiguredOrigin): string {
  return `${upstream} ${nameOf(origin)}`;
}
