import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from './config/config.ts';
import { BoardBook, boardKeys } from './control/boards.ts';
import { Overrides } from './control/overrides.ts';
import { type Change, plan, showChange } from './control/plan.ts';
import { bellMemory, Bells } from './core/bells.ts';
import { Board } from './core/board.ts';
import { type Clock, systemClock } from './core/clock.ts';
import { METER } from './core/meter.ts';
import { forgetSlots, Origin } from './core/origin.ts';
import { type Bound, DataPlane, type Place, type Surroundings, type Turned } from './data-plane.ts';
import { forgetConnections } from './listen/listener.ts';
import { Logs } from './observe/logs.ts';
import type { Messages } from './observe/messages.ts';
import { Fleet } from './threads/fleet.ts';
import type { Plane } from './threads/plane.ts';
import { CALLS, forgetWaiters, type Waiting } from './upstream/backlog.ts';
import { tryAgain } from './upstream/health.ts';
import type { Upstream } from './upstream/upstream.ts';

export type { Surroundings } from './data-plane.ts';

/** How this process stands to others. */
export interface Standing {
  /** Other processes of the same user may join its addresses, to take its place. */
  readonly sharing?: boolean;
  /** It takes the place of a process that still listens on its addresses. */
  readonly takeover?: boolean;
}

/** Systems that spread connections over sockets on one address (SO_REUSEPORT, as Node supports it). */
const SPREADING: readonly string[] = ['linux', 'freebsd', 'aix', 'sunos'];

/** Why an origin is in its state, and since when in wall time. */
export interface Reason {
  readonly why: string;
  readonly at: number;
}

/** How often the boards are looked after, in milliseconds. */
const ROUND = 500;

/**
 * One running proxy: the control plane. It has the config in force, drives the data planes of all threads, and looks after
 * what they share.
 */
export class Sluice {
  readonly #clock: Clock;
  /** Wall time of the start. */
  readonly started: number;
  /** Why each origin is in its state, by upstream and origin. */
  readonly #reasons = new Map<string, Reason>();
  readonly #logs: Logs | null;
  readonly #messages: Messages;
  readonly #book: BoardBook;
  readonly #bells: SharedArrayBuffer;
  readonly #plane: Plane;
  /** The data plane, when it is in this thread. */
  readonly #local: DataPlane | null;
  readonly #fleet: Fleet | null;
  /** The row of the boards that this thread writes. */
  readonly #row: number;
  /** As it was given. */
  #given: Config;
  #overrides = new Overrides();
  /** What is in force: what was given, with what operators have changed. */
  #config: Config;
  #loaded: number;
  #bound: Bound = [];
  /** Every upstream's origins as this thread sees them. */
  #origins: ReadonlyMap<string, readonly Origin[]> = new Map();
  #reloading: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | null = null;
  #rounds: (() => void) | null = null;

  /** Throws the system's error when a log file cannot be opened. */
  constructor(config: Config, surroundings: Surroundings = {}, standing: Standing = {}) {
    const { threads } = config;
    this.#given = config;
    this.#config = config;
    this.#clock = surroundings.clock ?? systemClock;
    this.started = this.#loaded = this.#clock.wall();
    const turned: Turned = (...turn) => this.#turned(...turn);
    this.#row = threads > 1 ? threads : 0;
    this.#book = new BoardBook(threads > 1 ? threads + 1 : 1);
    this.#book.use(this.#book.for(config));
    this.#bells = bellMemory(threads + 1);
    const bells = this.#bells;
    const sharing = SPREADING.includes(process.platform) && (threads > 1 || standing.sharing === true);
    const secret = randomBytes(32).toString('base64url');
    const places = Array.from({ length: threads }, (_, thread): Place => {
      return { thread, threads, bells, secret, sharing, takeover: standing.takeover === true };
    });
    if (threads === 1) {
      this.#logs = null;
      this.#fleet = null;
      this.#plane = this.#local = new DataPlane(config, this.#book.boards, places[0], { ...surroundings, turned });
      this.#messages = this.#local;
    } else {
      this.#local = null;
      // Requests are logged by the threads, messages here.
      this.#logs = new Logs({ ...config.log, access: 'off' }, this.#clock, surroundings.messages ?? null);
      this.#messages = this.#logs;
      this.#plane = this.#fleet = new Fleet({
        clock: this.#clock,
        places,
        inForce: () => ({ config: this.#config, boards: this.#book.boards }),
        say: this.say,
        turned,
        lost: (thread) => this.#giveBack(thread),
      });
    }
    this.#look();
  }

  /** The config as it was given. */
  get given(): Config {
    return this.#given;
  }

  /** The config in force: what was given, with what operators have changed. */
  get config(): Config {
    return this.#config;
  }

  /** Wall time since which the given config is in force. */
  get loaded(): number {
    return this.#loaded;
  }

  get overrides(): Overrides {
    return this.#overrides;
  }

  get draining(): boolean {
    return this.#closing !== null;
  }

  /** The addresses in use, in the config's order. */
  get addresses(): string[] {
    return this.#bound.map((one) => one?.url ?? '');
  }

  /** The upstreams by name, when they are in this thread: to be looked at. */
  get upstreams(): ReadonlyMap<string, Upstream> {
    return this.#local?.upstreams ?? new Map();
  }

  /** Every upstream's origins, with what all threads know of them. */
  get origins(): ReadonlyMap<string, readonly Origin[]> {
    return this.#origins;
  }

  /** Requests that wait for an upstream in all threads. */
  waiting(upstream: string): number {
    return this.#board(boardKeys.upstream(upstream)).sum(METER.waiting);
  }

  /** Requests at an upstream's origins, by the thread that has them. */
  holders(upstream: string): number[] {
    const boards = (this.#origins.get(upstream) ?? []).map(({ board }) => board);
    return Array.from({ length: this.#config.threads }, (_, thread) =>
      boards.reduce((sum, board) => sum + board.row(thread)[METER.held], 0),
    );
  }

  /** Open client connections of all listeners in all threads. */
  get connections(): number {
    return this.#config.listen.reduce(
      (sum, _, index) => sum + this.#board(boardKeys.listener(this.#config, index)).sum(METER.held),
      0,
    );
  }

  #board(key: string): Board {
    return new Board(this.#book.boards.get(key), this.#row);
  }

  /** The threads that serve; `null` when there is only this one. */
  get fleet(): Fleet | null {
    return this.#fleet;
  }

  /** Binds all listeners, or none: rejects with the system's error of the first that cannot be. */
  async open(): Promise<void> {
    try {
      this.#bound = await this.#plane.open([]);
    } catch (error) {
      await this.close(0);
      throw error;
    }
    this.#rounds = this.#clock.every(ROUND, () => this.#round());
  }

  /**
   * Goes over to another config while requests are in hand. What did not change is not touched: its connections, pools,
   * health and queue live on. What is gone takes nothing new and may finish within the old `timeouts.drain`. When
   * something cannot be done (an address is taken, a log file cannot be opened), nothing changes and this rejects.
   * Reloads run one after the other.
   *
   * @returns what was changed
   */
  reload(config: Config): Promise<Change[]> {
    return this.#inTurn(async () => {
      if (config.threads !== this.#given.threads) {
        throw new Error(
          'the number of threads cannot change while they run: restart sluice, or leave `threads` as it is',
        );
      }
      const changes = await this.#apply(config, this.#overrides.afterReload());
      this.#loaded = this.#clock.wall();
      for (const change of changes) this.say('info', 'reload', showChange(change));
      this.say('info', 'reload', changes.length === 0 ? 'nothing has changed' : 'done');
      return changes;
    });
  }

  /**
   * Lays an operator's changes over the config, in all threads. Like a reload it does all or nothing, and waits for its
   * turn; `change` is called when that has come, and may throw.
   */
  override(change: (overrides: Overrides) => Overrides): Promise<Change[]> {
    return this.#inTurn(() => this.#apply(this.#given, change(this.#overrides.at(this.#clock.wall()))));
  }

  /** The requests that wait for an upstream, longest wait first. */
  async queue(upstream: string, most: number): Promise<Waiting[]> {
    return this.#plane.waiting(upstream, most);
  }

  /** Why an origin is in its state; `undefined` when it has been up from the start. */
  reason(upstream: string, origin: string): Reason | undefined {
    return this.#reasons.get(`${upstream} ${origin}`);
  }

  /** Logs a defect that nobody caught. */
  report(error: unknown): void {
    this.say('error', 'internal', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  /** Says something in sluice's own log. */
  say: Messages['say'] = (level, code, message) => this.#messages.say(level, code, message);

  /** Writes what the logs still hold and opens their files anew. */
  reopenLogs(): void {
    this.#logs?.reopen();
    Promise.resolve(this.#plane.reopenLogs()).catch((error: unknown) => this.report(error));
  }

  /**
   * Stops: no new connections or requests, those in hand may end within `grace` milliseconds (default
   * `timeouts.drain`), the rest is cut. Calling it again with 0 cuts at once.
   */
  close(grace: number = this.#config.timeouts.drain): Promise<void> {
    if (grace <= 0 && this.#closing !== null) void this.#plane.close(0).catch(() => {});
    this.#closing ??= this.#reloading.then(async () => {
      this.#rounds?.();
      await this.#plane.close(grace);
      await this.#logs?.close();
    });
    return this.#closing;
  }

  #inTurn<Value>(run: () => Promise<Value>): Promise<Value> {
    const turn = this.#reloading.then(() => {
      if (this.#closing !== null) throw new Error('sluice is shutting down: it takes no new config');
      return run();
    });
    this.#reloading = turn.catch(() => {});
    return turn;
  }

  /** Puts another config in force, in all threads; or rejects, and changes nothing. */
  async #apply(given: Config, overrides: Overrides): Promise<Change[]> {
    const config = overrides.over(given);
    const changes = plan(this.#config, config);
    if (!isDeepStrictEqual(config, this.#config)) {
      const boards = this.#book.for(config);
      const bound = await this.#plane.prepare(config, boards, []);
      this.#logs?.update({ ...config.log, access: 'off' });
      this.#book.use(boards);
      this.#config = config;
      this.#bound = bound;
      await this.#plane.commit();
      this.#look();
    }
    this.#given = given;
    this.#overrides = overrides;
    return changes;
  }

  /** An origin has come or gone. */
  #turned(...[upstream, origin, state, why]: Parameters<Turned>): void {
    this.#reasons.set(`${upstream} ${origin}`, { why, at: this.#clock.wall() });
    this.say(state === 'down' ? 'warn' : 'info', `origin-${state}`, `${upstream} ${origin}: ${why}`);
  }

  /** Sees the origins of the config in force. */
  #look(): void {
    for (const key of this.#reasons.keys()) if (!this.#book.boards.has(`origin ${key}`)) this.#reasons.delete(key);
    const { boards } = this.#book;
    const before = new Map([...this.#origins].flatMap(([, list]) => list.map((one) => [one.board.memory, one])));
    this.#origins = new Map(
      Object.entries(this.#config.upstreams).map(([name, { origins }]): [string, Origin[]] => [
        name,
        origins.map((options) => {
          const memory = boards.get(boardKeys.originOf(name, options)) as SharedArrayBuffer;
          const known = before.get(memory);
          known?.update(options);
          return known ?? new Origin(options, new Board(memory, this.#row));
        }),
      ]),
    );
  }

  /** What comes due: operators' changes that end, and what threads see to unless they have died. */
  #round(): void {
    if (this.#overrides.next <= this.#clock.wall()) {
      this.override((overrides) => overrides)
        .then((changes) => changes.forEach((change) => this.say('info', 'override-ended', showChange(change))))
        .catch((error: unknown) => this.report(error));
    }
    if (this.#fleet === null) return;
    const now = this.#clock.now();
    for (const [upstream, origins] of this.#origins) {
      for (const origin of origins) {
        if (!origin.resting || origin.downUntil + ROUND > now) continue;
        if (!tryAgain(origin, now)) continue;
        this.#turned(upstream, origin.name, origin.state, 'may be tried again');
        this.#stir(upstream);
      }
    }
  }

  /** Gives back what a thread that has died had taken. */
  #giveBack(thread: number): void {
    for (const [key, memory] of this.#book.boards) {
      const board = new Board(memory, this.#row);
      if (key.startsWith('origin ')) forgetSlots(board, thread);
      else if (key.startsWith('listener ')) forgetConnections(board, thread);
      else if (key.startsWith('upstream ')) forgetWaiters(board, thread);
    }
    for (const upstream of this.#origins.keys()) this.#stir(upstream);
  }

  /** Lets the threads look whether somebody who waits can be served now. */
  #stir(upstream: string): void {
    const memory = this.#book.boards.get(boardKeys.upstream(upstream));
    if (memory === undefined) return;
    const board = new Board(memory, this.#row);
    const bells = new Bells(this.#bells, this.#row);
    for (let thread = 0; thread < this.#config.threads; thread++) {
      Atomics.or(board.words, board.wordOf(thread, 1), CALLS.pass);
      bells.ring(thread);
    }
  }
}
