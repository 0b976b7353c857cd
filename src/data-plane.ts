import { TemporaryFile } from './files/temporary.ts';
import type { Config } from './config/config.ts';
import { boardKeys, type BoardMap } from './control/boards.ts';
import type { RecordView } from './control/views.ts';
import { addressKey } from './control/plan.ts';
import { Bells } from './core/bells.ts';
import { Board } from './core/board.ts';
import { type Clock, LONGEST_TIMER, systemClock } from './core/clock.ts';
import type { Exchange } from './core/exchange.ts';
import type { OriginState } from './core/origin.ts';
import { Tally } from './core/tally.ts';
import { Wheel } from './core/wheel.ts';
import { Listener } from './listen/listener.ts';
import { Ledger } from './observe/ledger.ts';
import { Logs, type PreparedLogs } from './observe/logs.ts';
import { Meters } from './observe/meters.ts';
import type { Messages } from './observe/messages.ts';
import type { Spans } from './observe/spans.ts';
import type { Hooks } from './proxy/hooks.ts';
import { handle } from './proxy/proxy.ts';
import type { Rooms } from './proxy/rooms.ts';
import { passes } from './rewrite/index.ts';
import { PlaneUpstreams } from './plane-upstreams.ts';
import { wantLength } from './protocols.ts';
import { listenerOptions } from './room-options.ts';
import { compile } from './route/table.ts';
import { Programs } from './spawn/programs.ts';
import type { Waiting } from './upstream/backlog.ts';
import { Upstream } from './upstream/upstream.ts';
import { isDeepStrictEqual } from 'node:util';

/** What an embedding program may put in place of the real thing. */
export interface Surroundings {
  readonly clock?: Clock;
  readonly hooks?: Hooks | null;
  /** Takes sluice's own messages, instead of the config's `log.error`. */
  readonly messages?: Messages;
  /** Gets a span for each exchange. */
  readonly spans?: Spans | null;
  /** Hears that an origin has come or gone, instead of sluice's own log. */
  readonly turned?: Turned;
}

/** An origin is in another state than before, and why. */
export type Turned = (upstream: string, origin: string, state: OriginState, why: string) => void;

/** A data plane's place among those of the process. */
export interface Place {
  /** From 0. */
  readonly thread: number;
  readonly threads: number;
  readonly bells: SharedArrayBuffer;
  /** For what clients bring back to any thread: sticky cookies. */
  readonly secret: string;
  /** Other threads, or another process, may listen on the same addresses. */
  readonly sharing: boolean;
  /** Addresses may be in use by the process whose place this one takes. */
  readonly takeover: boolean;
}

/** Where the listeners are, in the config's order; what this plane does not listen on is missing. */
export type Bound = readonly (BoundListener | null)[];

interface BoundListener {
  /** 0 for a unix socket. */
  readonly port: number;
  /** `http://127.0.0.1:8080`, `unix:/path`. */
  readonly url: string;
}

/**
 * The data plane of one thread: every room that a request comes through, made from a checked config. It owns its sockets,
 * pools and exchanges, shares the boards with the planes of other threads, and never waits for anybody.
 */
export class DataPlane {
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #logs: Logs;
  readonly #hooks: Hooks | null;
  readonly #spans: Spans | null;
  /** The last failed and slow requests. */
  readonly #ledger: Ledger;
  readonly #place: Place;
  readonly #bells: Bells;
  #config: Config;
  #boards: BoardMap;
  #meters: Meters;
  #rooms: Rooms;
  /** `null` where another thread listens. */
  #listeners: (Listener | null)[];
  readonly #upstreams: PlaneUpstreams;
  /** What a reload took out and is still at work: upstreams and listeners that finish what they have. */
  readonly #leaving = new Set<Upstream | Listener>();
  /** Those that were started for a request. */
  readonly #programs: Programs;
  #prepared: Prepared | null = null;
  #closing: Promise<void> | null = null;
  #cutOff: (() => void) | null = null;
  /** Nobody wants to wait for what runs. */
  #atOnce = false;

  /** Throws the system's error when a log file cannot be opened. */
  constructor(config: Config, boards: BoardMap, place: Place, surroundings: Surroundings = {}) {
    this.#config = config;
    this.#boards = boards;
    this.#place = place;
    this.#clock = surroundings.clock ?? systemClock;
    this.#wheel = new Wheel(this.#clock, (error) => this.report(error));
    this.#programs = new Programs(this.#clock, (...words) => this.say(...words));
    this.#hooks = surroundings.hooks ?? null;
    this.#spans = surroundings.spans ?? null;
    this.#ledger = new Ledger(config.log, this.#clock);
    this.#logs = new Logs(config.log, this.#clock, surroundings.messages ?? null, place.threads > 1);
    this.#bells = new Bells(place.bells, place.thread);
    this.#meters = new Meters((key) => this.#board(key));
    this.#upstreams = new PlaneUpstreams(config, {
      clock: this.#clock,
      wheel: this.#wheel,
      bells: this.#bells,
      programs: this.#programs,
      secret: place.secret,
      board: (key) => this.#board(key),
      turned: surroundings.turned ?? (() => {}),
      say: this.say,
      report: (error) => this.report(error),
    });
    this.#rooms = {
      clock: this.#clock,
      wheel: this.#wheel,
      table: compile(config.routes),
      passes: passes(config.headers, this.#clock, this.#spans),
      upstreams: this.#upstreams.byName,
      hooks: this.#hooks,
      temporaryFile: (folder) => new TemporaryFile(folder),
      defect: (error) => this.report(error),
      gathers: (upstream) => upstream.options.spool.size > 0 && wantLength(this.#upstreams.schemes(upstream)),
      asked: (exchange) => this.#meters.asked(exchange),
      note: ({ id, upstream, origin }, line) =>
        this.say('warn', 'origin-says', `${upstream} ${origin?.name ?? '-'} ${id === '' ? '-' : id}: ${line}`),
    };
    this.#listeners = config.listen.map((_, index) => this.#makeListener(config, boards, index));
    this.#bells.listen(() => this.#rung());
  }

  /** The upstreams by name, to be looked at: their origins' states and counters, their backlogs. */
  get upstreams(): ReadonlyMap<string, Upstream> {
    return this.#upstreams.byName;
  }

  /**
   * Binds all listeners, or none: rejects with the system's error of the first that cannot be.
   *
   * @param ports where another thread listens already, by listener
   */
  async open(ports: readonly (number | undefined)[]): Promise<Bound> {
    try {
      const { takeover } = this.#place;
      for (const [index, listener] of this.#listeners.entries()) {
        await this.#openListener(listener, ports[index], takeover);
        if (this.#closing === null) continue;
        if (listener !== null) await shut([listener]);
        throw new Error('closed before it was open');
      }
    } catch (error) {
      await this.close(0);
      throw error;
    }
    return bound(this.#listeners);
  }

  /**
   * Does what can fail of going over to another config: binds new listeners and opens log files. Rejects with the
   * system's error, and then has changed nothing. `commit` or `abort` follows.
   */
  async prepare(config: Config, boards: BoardMap, ports: readonly (number | undefined)[]): Promise<Bound> {
    const listeners = await this.#openListeners(config, boards, ports);
    const fresh = listeners.filter((one) => one !== null && !this.#listeners.includes(one)) as Listener[];
    try {
      if (this.#closing !== null) throw new Error('it is being closed');
      this.#prepared = { config, boards, listeners, fresh, logs: this.#logs.prepare(config.log) };
    } catch (error) {
      await shut(fresh);
      throw error;
    }
    return bound(listeners);
  }

  /**
   * Goes over to what was prepared while requests are in hand. What did not change is not touched: its connections,
   * pools, health and queue live on. What is gone takes nothing new and may finish within the old `timeouts.drain`.
   */
  commit(): void {
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared === null) return;
    const { config, listeners, boards } = prepared;
    prepared.logs.commit();
    const before = this.#config;
    const gone = this.#listeners.filter((one): one is Listener => one !== null && !listeners.includes(one));
    const oldBoards = this.#boards;
    this.#boards = boards;
    this.#meters = new Meters((key) => this.#board(key));
    this.#ledger.update(config.log);
    for (const upstream of this.#upstreams.update(config)) {
      this.#retire(upstream, upstream.idle(), before.timeouts.drain, () => upstream.close(true));
    }
    this.#rooms = {
      ...this.#rooms,
      table: compile(config.routes),
      passes: isDeepStrictEqual(before.headers, config.headers)
        ? this.#rooms.passes
        : passes(config.headers, this.#clock, this.#spans),
      upstreams: this.#upstreams.byName,
    };
    for (const [index, options] of config.listen.entries()) {
      const listener = listeners[index];
      listener?.update(listenerOptions(options));
      if (listener !== null && this.#listeners.includes(listener)) {
        this.#countTogether(listener, boardKeys.tally(config, index), boards, oldBoards);
      }
    }
    this.#listeners = listeners;
    this.#config = config;
    for (const listener of gone)
      this.#retire(listener, listener.drain(), before.timeouts.drain, () => listener.abort());
  }

  /** Forgets what was prepared. */
  async abort(): Promise<void> {
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared === null) return;
    prepared.logs.abort();
    await shut(prepared.fresh);
  }

  /** The requests that wait for an upstream in this thread, longest wait first. */
  waiting(upstream: string, most: number): Waiting[] {
    return this.upstreams.get(upstream)?.backlog.list(most) ?? [];
  }

  /** The last failed and slow requests of this thread, newest first. */
  records(most: number): RecordView[] {
    return this.#ledger.records(most);
  }

  /** Logs a defect that nobody caught. */
  report(error: unknown): void {
    this.say('error', 'internal', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  /** Says something in sluice's own log. */
  say: Messages['say'] = (level, code, message) => this.#logs.say(level, code, message);

  /** Writes what the logs still hold and opens their files anew. */
  reopenLogs(): void {
    this.#logs.reopen();
  }

  /**
   * Stops: no new connections or requests, those in hand may end within `grace` milliseconds, the rest is cut. Calling it
   * again with 0 cuts at once.
   *
   * @param handover another process listens on the same addresses, and is to get everybody who comes from now on
   */
  close(grace: number, handover = false): Promise<void> {
    if (grace <= 0) {
      this.#atOnce = true;
      this.#programs.hurry();
      this.#cutOff?.();
    }
    this.#closing ??= this.#drain(grace, handover);
    return this.#closing;
  }

  async #drain(grace: number, handover: boolean): Promise<void> {
    await this.abort();
    const upstreams = [...this.upstreams.values(), ...[...this.#leaving].filter((one) => one instanceof Upstream)];
    const listeners = [...this.#listeners, ...this.#leaving].filter((one) => one instanceof Listener);
    for (const upstream of upstreams) upstream.close(false);
    const peace = Promise.all(listeners.map((listener) => listener.drain(handover)));
    const late = new Promise<void>((resolve) => {
      this.#cutOff = resolve;
      if (grace <= 0 || this.#atOnce) resolve();
    });
    const cancel = grace > 0 && grace < Infinity ? this.#clock.after(grace, () => this.#cutOff?.()) : () => {};
    await Promise.race([peace, late]);
    cancel();
    let cut = 0;
    for (const listener of listeners) cut += listener.abort();
    if (cut > 0) this.say('warn', 'drain-timeout', `cut ${cut} connections that did not end in time`);
    await peace;
    for (const upstream of upstreams) upstream.close(true);
    await this.#programs.close();
    this.#bells.close();
    this.#wheel.close();
    await this.#logs.close();
  }

  /** The listeners of a config in its order: those that are there already, and new ones, bound; or none of them. */
  async #openListeners(
    config: Config,
    boards: BoardMap,
    ports: readonly (number | undefined)[],
  ): Promise<(Listener | null)[]> {
    const there = Map.groupBy(
      this.#listeners.map((listener, index) => ({ listener, key: addressKey(this.#config.listen[index]) })),
      ({ key }) => key,
    );
    const opened: Listener[] = [];
    const listeners: (Listener | null)[] = [];
    try {
      for (const [index, options] of config.listen.entries()) {
        // Several may share an address of port 0; each is taken once.
        const kept = there.get(addressKey(options))?.shift();
        const listener = kept === undefined ? this.#makeListener(config, boards, index) : kept.listener;
        listeners.push(listener);
        if (kept !== undefined || listener === null) continue;
        await this.#openListener(listener, ports[index], false);
        opened.push(listener);
      }
    } catch (error) {
      await shut(opened);
      throw error;
    }
    return listeners;
  }

  async #openListener(listener: Listener | null, port: number | undefined, takeover: boolean): Promise<void> {
    await listener?.open({ port, sharing: this.#place.sharing, takeover });
  }

  /** Lets what is gone finish, and ends it when the time is up. */
  #retire(one: Upstream | Listener, peace: Promise<unknown>, grace: number, end: () => void): void {
    this.#leaving.add(one);
    const cancel = this.#clock.after(Math.min(grace, LONGEST_TIMER), end, 'idle');
    peace.then(
      () => {
        cancel();
        this.#leaving.delete(one);
        if (one instanceof Upstream) one.close(true);
      },
      (error: unknown) => this.report(error),
    );
  }

  /** `null` when another thread has this listener: a unix socket, or any where addresses cannot be shared. */
  #makeListener(config: Config, boards: BoardMap, index: number): Listener | null {
    const options = config.listen[index];
    const alone = options.address.kind === 'unix' || !this.#place.sharing;
    if (alone && this.#place.thread > 0) return null;
    const listener = new Listener(
      listenerOptions(options),
      {
        clock: this.#clock,
        wheel: this.#wheel,
        handle: (exchange) => handle(exchange, this.#rooms),
        done: (exchange) => this.#done(exchange),
        refused: (listener, peer, code) => this.say('warn', code, `${listener} turned ${peer} away`),
        defect: (error) => this.report(error),
      },
      this.#board(boardKeys.listener(config, index), boards),
    );
    this.#countTogether(listener, boardKeys.tally(config, index), boards, null);
    return listener;
  }

  /** @param before the boards that the listener has counted on so far */
  #countTogether(listener: Listener, key: string, boards: BoardMap, before: BoardMap | null): void {
    const memory = boards.get(key);
    if (before !== null && memory === before.get(key)) return;
    const { thread, secret } = this.#place;
    listener.countTogether(memory === undefined ? null : new Tally(memory, thread, Buffer.from(secret).readInt32LE(0)));
  }

  #done(exchange: Exchange): void {
    this.#meters.done(exchange);
    this.#logs.done(exchange);
    this.#ledger.done(exchange);
    this.#spans?.done(exchange);
  }

  #rung(): void {
    for (const upstream of this.upstreams.values()) upstream.rung();
    // Those that a reload took out have waiters still.
    for (const one of this.#leaving) if (one instanceof Upstream) one.rung();
  }

  /** A thing that is on its way out when boards change has none in the new map: it gets one that nobody looks at. */
  #board(key: string, boards = this.#boards): Board {
    const memory = boards.get(key);
    return memory === undefined ? new Board() : new Board(memory, this.#place.thread);
  }
}

/** What a plane has ready for another config. */
interface Prepared {
  readonly config: Config;
  readonly boards: BoardMap;
  readonly listeners: (Listener | null)[];
  /** Those of them that are new. */
  readonly fresh: readonly Listener[];
  readonly logs: PreparedLogs;
}

/** Ends listeners that are not wanted after all. Who has connected meanwhile is cut, or a long answer would hold all up. */
async function shut(listeners: readonly Listener[]): Promise<void> {
  for (const listener of listeners) {
    const peace = listener.drain();
    await listener.unbound;
    listener.abort();
    await peace;
  }
}

function bound(listeners: readonly (Listener | null)[]): Bound {
  return listeners.map((listener) => (listener === null ? null : { port: listener.port, url: listener.url }));
}
