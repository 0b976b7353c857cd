import type { Config } from '../config/config.ts';
import type { RecordView } from '../control/views.ts';
import type { BoardMap } from '../control/boards.ts';
import type { Clock } from '../core/clock.ts';
import type { Waiting } from '../upstream/backlog.ts';
import type { Bound, Place, Turned } from '../data-plane.ts';
import type { Messages } from '../observe/messages.ts';
import type { Plane, Ports } from './plane.ts';
import { RemotePlane, ThreadGone } from './remote.ts';

/** Milliseconds before a thread that died is started again: at once, then longer each time if it keeps dying. */
const AGAIN = { first: 100, most: 10_000 };
/** How often threads are asked for a sign of life, in milliseconds: one that hangs is noticed though nobody wants anything of it. */
const PULSE = 5000;
/** Milliseconds a thread has to live for its death not to count as "again". */
const WELL = 60_000;

export type ThreadState = 'starting' | 'serving' | 'draining' | 'dead';

interface Seat {
  plane: RemotePlane;
  state: ThreadState;
  restarts: number;
  /** Deaths in a row. */
  deaths: number;
  since: number;
}

/** What the fleet needs to know of the one who drives it. */
export interface FleetOptions {
  readonly clock: Clock;
  readonly places: readonly Place[];
  /** What is in force now: what a new thread begins with. */
  inForce(): { readonly config: Config; readonly boards: BoardMap };
  /** What a listener is known by in any config. */
  readonly keyOf: (config: Config, index: number) => string;
  readonly say: Messages['say'];
  readonly turned: Turned;
  /** A thread is gone: what it held on the boards is to be given back before another one takes its place. */
  readonly lost: (thread: number) => void;
}

/** Where the listeners of a config are. */
interface Places {
  readonly config: Config;
  readonly bound: Bound;
}

interface Prepared extends Places {
  /** The threads that have it ready: others came too late, and have it all to do. */
  readonly planes: ReadonlySet<RemotePlane>;
}

/** The data planes of a process with several threads, as one. A thread that dies is replaced. */
export class Fleet implements Plane {
  readonly #options: FleetOptions;
  readonly #seats: Seat[];
  #places: Places;
  #prepared: Prepared | null = null;
  #opened = false;
  #pulse: (() => void) | null = null;
  #closing = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#places = { config: options.inForce().config, bound: [] };
    this.#seats = options.places.map((place) => ({
      plane: this.#start(place),
      state: 'starting',
      restarts: 0,
      deaths: 0,
      since: options.clock.now(),
    }));
  }

  get threads(): readonly { readonly state: ThreadState; readonly restarts: number }[] {
    return this.#seats;
  }

  /** Where the listeners are. */
  get bound(): Bound {
    return this.#places.bound;
  }

  /** The first thread binds; the others join it at the ports it got. */
  async open(): Promise<Bound> {
    const { config } = this.#places;
    try {
      const [first, ...others] = this.#seats;
      const bound = await first.plane.open([]);
      this.#places = { config, bound };
      await Promise.all(others.map(({ plane }) => plane.open(portsOf(bound))));
    } catch (error) {
      await this.close(0);
      throw error;
    }
    this.#opened = true;
    this.#pulse = this.#options.clock.every(PULSE, () => {
      // Whoever does not answer is ended by then; nobody waits for what this would tell.
      this.waiting('', 0).catch(() => {});
    });
    for (const [thread, seat] of this.#seats.entries()) {
      if (seat.state === 'starting') seat.state = 'serving';
      else void this.#replace(this.#options.places[thread]);
    }
    return this.bound;
  }

  async prepare(config: Config, boards: BoardMap): Promise<Bound> {
    const alive = this.#seats.filter(({ state }) => state === 'serving').map(({ plane }) => plane);
    const planes = new Set<RemotePlane>();
    let bound = this.#carried(config);
    try {
      for (const plane of alive) {
        const own: Bound | null = await spared(plane.prepare(config, boards, portsOf(bound)));
        if (own === null) continue;
        planes.add(plane);
        bound = merged(bound, own);
      }
    } catch (error) {
      await this.abort();
      throw error;
    }
    this.#prepared = { config, bound, planes };
    return bound;
  }

  /** A thread that cannot go along is ended: whoever takes its place begins with what is in force. */
  async commit(): Promise<void> {
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared === null) return;
    this.#places = prepared;
    await this.#all(async (plane) => {
      try {
        await (prepared.planes.has(plane) ? plane.commit() : this.#bring(plane));
      } catch (error) {
        if (error instanceof ThreadGone) throw error;
        await plane.kill(`cannot go over to the new config: ${(error as Error).message}`);
      }
    });
  }

  async abort(): Promise<void> {
    this.#prepared = null;
    await this.#all((plane) => plane.abort());
  }

  async reopenLogs(): Promise<void> {
    await this.#all((plane) => plane.reopenLogs());
  }

  async close(grace: number, handover = false): Promise<void> {
    this.#closing = true;
    this.#pulse?.();
    for (const seat of this.#seats) if (seat.state === 'serving') seat.state = 'draining';
    await Promise.all(this.#seats.map(({ plane }) => plane.close(grace, handover)));
  }

  async waiting(upstream: string, most: number): Promise<Waiting[]> {
    const lists = await this.#all((plane) => plane.waiting(upstream, most));
    return lists
      .flat()
      .toSorted((a, b) => a.since - b.since)
      .slice(0, most);
  }

  async records(most: number): Promise<RecordView[]> {
    const lists = await this.#all((plane) => plane.records(most));
    return lists
      .flat()
      .toSorted((a, b) => (a.at < b.at ? 1 : -1))
      .slice(0, most);
  }

  /** Ends one thread as a defect would. For tests of what happens then. */
  kill(thread: number): Promise<void> {
    return this.#seats[thread].plane.kill();
  }

  #start(place: Place): RemotePlane {
    const { config, boards } = this.#options.inForce();
    const { clock, say, turned } = this.#options;
    return new RemotePlane({ config, boards, place }, { clock, say, turned, died: (why) => this.#died(place, why) });
  }

  #died(place: Place, why: string): void {
    const { clock, say, lost } = this.#options;
    const seat = this.#seats[place.thread];
    seat.state = 'dead';
    seat.deaths = clock.now() - seat.since < WELL ? seat.deaths + 1 : 1;
    // Also while all are leaving: those who wait in other threads want its slots.
    lost(place.thread);
    if (this.#closing) return say('error', 'thread-died', `thread ${place.thread}: ${why}; its requests are lost`);
    // Whoever waits for the start hears of it there.
    if (!this.#opened) return;
    const rest = seat.deaths === 1 ? 0 : Math.min(AGAIN.most, AGAIN.first * 2 ** (seat.deaths - 2));
    say('error', 'thread-died', `thread ${place.thread}: ${why}; its requests are lost, another one takes its place`);
    clock.after(rest, () => void this.#replace(place), 'idle');
  }

  async #replace(place: Place): Promise<void> {
    if (this.#closing) return;
    const seat = this.#seats[place.thread];
    const { clock, say } = this.#options;
    seat.state = 'starting';
    seat.since = clock.now();
    seat.restarts++;
    const plane = (seat.plane = this.#start(place));
    try {
      const own = await plane.open(portsOf(this.bound));
      // One that was alone with a listener has bound it anew, as far as its config is still the one in force.
      if (plane.config === this.#places.config) this.#places = { ...this.#places, bound: merged(this.bound, own) };
      // A reload does not wait for threads that are starting.
      for (let reached = plane.config; reached !== this.#options.inForce().config;) reached = await this.#bring(plane);
      seat.state = 'serving';
      say('info', 'thread-started', `thread ${place.thread} serves again`);
    } catch (error) {
      if (error instanceof ThreadGone) return;
      say('error', 'thread-failed', `thread ${place.thread} cannot serve: ${(error as Error).message}`);
      await plane.kill();
    }
  }

  /** Brings a thread to what is in force; answers what that is. */
  async #bring(plane: RemotePlane): Promise<Config> {
    const { config, boards } = this.#options.inForce();
    await plane.prepare(config, boards, portsOf(this.bound));
    await plane.commit();
    return config;
  }

  /** Where the listeners of another config are already: they may have another order, or be others. */
  #carried(next: Config): Bound {
    const { config, bound } = this.#places;
    const { keyOf } = this.#options;
    const there = new Map(config.listen.map((_, index) => [keyOf(config, index), bound[index] ?? null]));
    return next.listen.map((_, index) => there.get(keyOf(next, index)) ?? null);
  }

  /** Asks every thread that serves; one that dies meanwhile has no part in it. */
  async #all<Value>(ask: (plane: RemotePlane) => Promise<Value>): Promise<Value[]> {
    const serving = this.#seats.filter(({ state }) => state === 'serving');
    const answers = await Promise.all(serving.map(({ plane }) => spared(ask(plane))));
    return answers.filter((answer) => answer !== null) as Value[];
  }
}

function portsOf(bound: Bound): Ports {
  return bound.map((one) => one?.port);
}

/** What one thread has bound, added to what is known: not every thread has every listener. */
function merged(known: Bound, own: Bound): Bound {
  return own.map((one, index) => one ?? known[index] ?? null);
}

/** The answer, or `null` from a thread that has died: who takes its place begins with what is in force. */
async function spared<Value>(answer: Promise<Value>): Promise<Value | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ThreadGone) return null;
    throw error;
  }
}
