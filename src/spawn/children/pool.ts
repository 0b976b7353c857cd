import { isDeepStrictEqual } from 'node:util';
import { showDuration } from '../../core/units.ts';
import { Child, type ChildState, type Nursery, type Reason, REASONS } from './child.ts';
import { type Load, Need, type Sizes } from './need.ts';
import { essence, type SpawnOptions } from './options.ts';
import { Patience } from './patience.ts';

/** What a pool needs beside what its children need. */
export interface Surroundings extends Omit<Nursery, 'turned'> {
  /** Other children take requests than before, or none ever will. */
  changed(): void;
}

/** What is known of one child's work. */
export interface Work {
  /** Requests that it has in hand. */
  readonly inFlight: number;
  /** Requests that it has ended. */
  readonly requests: number;
}

/** What a pool looks at, again and again. */
export interface Sight {
  /** Requests in the queue of its upstream. */
  readonly waiting: number;
  /** `undefined`: nobody sends it anything yet. */
  readonly work: (child: Child) => Work | undefined;
  /** Milliseconds that a child may take to finish what it has. */
  readonly drain: number;
}

/** Milliseconds that a child has to live, once ready, not to count as one that crashes at once. */
const STEADY = 1000;

/** Milliseconds between TERM and KILL when everything is to end at once. */
const AT_ONCE = 1000;

/** Times something has happened. */
export interface Counts {
  starts: number;
  crashes: number;
  /** Children that were replaced. */
  readonly restarts: Record<Reason, number>;
}

/**
 * The children of one `spawn`: as many as are needed, each replaced when it ends, grows old, or is to be another one. It
 * decides in `look`, which is called at intervals, and whenever a child is in another state.
 */
export class Pool {
  readonly name: string;
  readonly counts: Counts = {
    starts: 0,
    crashes: 0,
    restarts: Object.fromEntries(REASONS.map((reason) => [reason, 0])) as Record<Reason, number>,
  };
  #options: SpawnOptions;
  readonly #surroundings: Surroundings;
  readonly #nursery: Nursery;
  readonly #need: Need;
  #slots: number;
  #children: Child[] = [];
  #number = 0;
  readonly #patience = new Patience();
  #why = '';
  /** Why none can be started, as it was said last. */
  #told = '';
  #closing = false;
  #sight: Sight | null = null;
  #looking = false;
  readonly #idle: (() => void)[] = [];

  /** @param slots requests that a child takes at once */
  constructor(name: string, options: SpawnOptions, slots: number, surroundings: Surroundings) {
    this.name = name;
    this.#options = options;
    this.#slots = slots;
    this.#surroundings = surroundings;
    this.#need = new Need(this.#sizes());
    this.#nursery = { ...surroundings, turned: (child, from) => this.#turned(child, from) };
  }

  get options(): SpawnOptions {
    return this.#options;
  }

  /** Those that are not over, in the order of their start. */
  get children(): readonly Child[] {
    return this.#children;
  }

  /** Those that take requests. */
  get members(): readonly Child[] {
    return this.#children.filter(({ state }) => state === 'ready');
  }

  /** Too many have crashed, or none can be started: nobody is to wait for one. */
  get stopped(): boolean {
    return this.#patience.stopped;
  }

  /** Why the last one crashed. */
  get why(): string {
    return this.#why;
  }

  /** How many there are to be. */
  get wanted(): number {
    return this.#need.wanted;
  }

  /** Goes over to other options. Children that were started otherwise are replaced, one after the other. */
  update(options: SpawnOptions, slots: number): void {
    const before = this.#options;
    if (isDeepStrictEqual(before, options) && slots === this.#slots) return;
    this.#options = options;
    this.#slots = slots;
    this.#need.update(this.#sizes());
    for (const child of this.#children) child.options = { ...child.options, killDelay: options.killDelay };
    if (!isDeepStrictEqual(essence(before), essence(options))) this.restart('config');
    else if (this.stopped && before.crash.limit !== options.crash.limit) this.#begin();
    this.#look();
  }

  /** Replaces all children, each when its successor is ready; begins again when it had stopped. */
  restart(reason: 'operator' | 'watch' | 'config'): void {
    this.#begin();
    for (const child of this.#children) {
      // One that is not ready yet may never be.
      if (child.state === 'starting') child.end();
      else if (child.state === 'ready') this.#replace(child, reason);
    }
    this.#look();
  }

  /** Somebody may have mended what kept children from being started. */
  again(): void {
    if (this.#patience.mood !== 'unfit') return;
    this.#begin();
    this.#look();
  }

  /** Replaces one child. */
  outgrown(child: Child, reason: 'memory'): void {
    if (child.state === 'ready' && child.outdated === null) this.#replace(child, reason);
  }

  /** Looks at what goes on and does what follows. */
  look(sight: Sight): void {
    this.#sight = sight;
    this.#look();
  }

  /** Starts no more; those that are there serve on. */
  freeze(): void {
    this.#closing = true;
  }

  /** Takes no more requests, and ends all children when they have finished. Resolves when nothing is left. */
  retire(): Promise<void> {
    this.#closing = true;
    for (const child of this.#children) {
      if (child.state === 'ready') child.drain();
      else if (child.state === 'starting') child.end();
    }
    this.#look();
    return this.#gone();
  }

  /**
   * Ends all children now: TERM, and KILL after a while.
   *
   * @param atOnce do not wait for `killDelay`
   */
  end(atOnce: boolean): Promise<void> {
    this.#closing = true;
    for (const child of this.#children) child.end(atOnce ? Math.min(AT_ONCE, child.options.killDelay) : undefined);
    return this.#gone();
  }

  #gone(): Promise<void> {
    return this.#children.length === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  #sizes(): Sizes {
    const { instances, idleTimeout } = this.#options;
    return { ...instances, idleTimeout, slots: this.#slots };
  }

  #look(): void {
    // What is done here turns children, which leads here again.
    if (this.#looking || this.#sight === null) return;
    this.#looking = true;
    try {
      const sight = this.#sight;
      this.#endDrained(sight);
      if (this.#closing) return;
      this.#recycle(sight);
      const now = this.#surroundings.clock.now();
      const { failedAt } = this.#patience;
      if (this.members.some(({ since, readySince }) => since > failedAt && now - readySince >= STEADY)) {
        this.#patience.lived();
      }
      const fit = this.#fit();
      const ready = fit.filter(({ state }) => state === 'ready').length;
      this.#need.look(this.#load(sight), { ready, starting: fit.length - ready }, now);
      this.#grow(now);
      this.#shrink(sight);
    } finally {
      this.#looking = false;
    }
  }

  /** Those that are there or will be, and are to stay. */
  #fit(): Child[] {
    return this.#children.filter(
      ({ state, outdated }) => (state === 'ready' || state === 'starting') && outdated === null,
    );
  }

  #load({ waiting, work }: Sight): Load {
    let inFlight = 0;
    let requests = 0;
    for (const child of this.#children) {
      const done = work(child);
      inFlight += done?.inFlight ?? 0;
      requests += done?.requests ?? 0;
    }
    return { waiting, inFlight, requests };
  }

  #recycle({ work }: Sight): void {
    const { maxRequests, maxAge } = this.#options;
    const now = this.#surroundings.clock.now();
    for (const child of this.#children) {
      if (child.state !== 'ready' || child.outdated !== null) continue;
      if ((work(child)?.requests ?? 0) >= maxRequests) this.#replace(child, 'requests');
      else if (now - child.since >= maxAge) this.#replace(child, 'age');
    }
  }

  #replace(child: Child, reason: Exclude<Reason, 'crash'>): void {
    child.outdated = reason;
    this.counts.restarts[reason]++;
  }

  /** Starts what is missing. While some are to be replaced there is one more than wanted, so that there are never fewer. */
  #grow(now: number): void {
    const most = this.#patience.starting(now);
    const outdated = this.members.filter((child) => child.outdated !== null).length;
    // Where none can be started nobody waits for one, so that none would be wanted where there may be none.
    const least = Math.max(this.wanted, this.#patience.mood === 'unfit' ? 1 : 0);
    const wanted = least + (outdated > 0 ? 1 : 0);
    const there = this.#fit();
    let fit = there.length;
    let starting = there.filter(({ state }) => state === 'starting').length;
    while (fit < least && fit + outdated < wanted && starting < most) {
      this.#start();
      fit++;
      starting++;
    }
  }

  #start(): void {
    this.counts.starts++;
    this.#children.push(new Child(`${this.name}.${++this.#number}`, this.#options, this.#nursery));
  }

  /** Drains what is too much: first those that have a successor, then those that have the least to do. */
  #shrink({ work }: Sight): void {
    const inFlight = (child: Child): number => work(child)?.inFlight ?? 0;
    const order = this.members.toSorted(
      (a, b) => Number(b.outdated !== null) - Number(a.outdated !== null) || inFlight(a) - inFlight(b),
    );
    for (const child of order.slice(0, Math.max(0, order.length - this.wanted))) child.drain();
  }

  #endDrained({ work, drain }: Sight): void {
    const now = this.#surroundings.clock.now();
    for (const child of this.#children) {
      if (child.state !== 'draining') continue;
      const idle = child.isOut && (work(child)?.inFlight ?? 0) === 0;
      if (idle || now - child.turnedAt >= drain) child.end();
    }
  }

  #turned(child: Child, from: ChildState): void {
    const crashed = child.crashed && (from === 'starting' || from === 'ready');
    if (child.state === 'ended') {
      this.#children = this.#children.filter((one) => one !== child);
      if (this.#children.length === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
    if (crashed && !this.#closing) this.#crashed(child);
    // Whatever kept others from being started is mended.
    if (child.state === 'ready' && this.#patience.mood === 'unfit') this.#begin();
    if (from === 'ready' || child.state === 'ready') this.#surroundings.changed();
    this.#look();
  }

  #crashed(child: Child): void {
    const { clock } = this.#surroundings;
    const now = clock.now();
    this.counts.crashes++;
    this.counts.restarts.crash++;
    this.#why = `${child.shown} ${child.why}`;
    if (child.readySince !== 0 && now - child.readySince >= STEADY) return;
    const before = this.#patience.mood;
    const pause = this.#patience.failed(child, this.#options.crash, now);
    const { mood } = this.#patience;
    this.#tell(child, pause, before !== mood);
    if ((before === 'trying') !== (mood === 'trying')) this.#surroundings.changed();
    if (mood !== 'crashing') clock.after(pause, () => this.#look(), 'idle');
  }

  #tell({ unfit, why }: Child, pause: number, turned: boolean): void {
    const { say } = this.#surroundings;
    const { mood, failures } = this.#patience;
    const mended = 'its `spawn` or what it watches changes';
    if (mood === 'crashing') {
      const hint = `no more are started until \`sluice restart\`, or until ${mended}`;
      say(
        'error',
        'children-stopped',
        `${this.name}: ${failures} children in a row did not live: ${hint}; ${this.#why}`,
      );
    } else if (mood === 'unfit') {
      // It is tried again and again, and said once.
      if (!turned && why === this.#told) return;
      this.#told = why;
      const hint = `requests are refused until one can; the next is tried in ${showDuration(pause)}, on a reload, \`sluice restart\`, or when ${mended}`;
      say(
        'error',
        'children-stopped',
        `${this.name}: no child can be started: ${why.replace(/^cannot be started: /, '')}; ${hint}`,
      );
    } else if (failures > 1 && !unfit) {
      say('info', 'child-pause', `${this.name}: the next child is started in ${showDuration(pause)}`);
    }
  }

  #begin(): void {
    const { stopped } = this;
    this.#patience.begin();
    this.#told = '';
    if (stopped) this.#surroundings.changed();
  }
}
