import { Board, takeOne } from './board.ts';
import { codeOf, type ErrorCode, numberOf } from './errors.ts';
import { METER } from './meter.ts';

/**
 * `up` takes requests · `full` has `maxConnections` in flight · `down` failed to connect and rests until `downUntil` ·
 * `draining` finishes what it has and takes nothing new.
 */
export type OriginState = 'up' | 'full' | 'down' | 'draining';

/** Where an origin listens. `path` is a unix socket's and excludes the other two. */
export interface OriginAddress {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path?: string;
  /** The address to dial when `host` is a name that was resolved, in canonical spelling. */
  readonly ip?: string;
  /** `host` is the name of SRV records, which tell hosts and ports; `port` is 0. Such an address cannot be dialled. */
  readonly srv?: true;
  /** Not an address but a program that is started for each request: its path, or '' where the request names it. */
  readonly program?: string;
}

export interface OriginOptions {
  /** As written by the user, for messages. */
  readonly url: string;
  readonly address: OriginAddress;
  /** Share of the load relative to the others; default 1. */
  readonly weight?: number;
  /** Asked only when no other origin is usable. */
  readonly backup?: boolean;
  /** Requests in flight at once; default no limit. */
  readonly maxConnections?: number;
  /** An operator has taken it out of service: it finishes what it has. */
  readonly drained?: boolean;
}

/** The shared words of an origin's board. */
const STATE = 0;
const IN_FLIGHT = 1;
const SLOTS = 2;
const FAILURES = 3;
/** 0, or while it is tested one more than the requests that were in flight before. */
const TESTING = 4;
const FAILING = 5;
const IN_ROW = 6;
const TIMES = 7;
const FAULT = 8;
/** Its shared points in time. */
const DOWN_UNTIL = 0;
const SINCE = 1;

/** Values of the word `STATE`. That an origin is full follows from its slots. */
const UP = 0;
const DOWN = 1;
const DRAINING = 2;

/** Values of the word `FAILING`; 0 is neither. */
const FAILED = 1;
const UNCHECKED = 2;

/** How "no limit" is written in a word. */
const UNLIMITED = 0x7fff_ffff;

/**
 * One address that can answer. Its counters and state live on its board, so that they are the same for all threads; they
 * change here, in `acquire` and `release`, and in `upstream/health.ts`. What decides is written with Atomics; reads are plain,
 * because a number that is a moment old does no harm where the write looks again, and an atomic read costs four times as much.
 */
export class Origin {
  /** Canonical `host:port`, `[v6]:port` or `unix:/path`: it feeds the hash balancers, so it must not depend on spelling. */
  readonly name: string;
  url: string;
  /** Another object than before once the scheme or the host has changed, though the name has not. */
  address: OriginAddress;
  /** The share in force: less than `fullWeight` while it starts slowly. Balancers go by this one. */
  weight: number;
  /** The share it is configured with. */
  fullWeight: number;
  backup: boolean;
  maxConnections: number;
  readonly board: Board;
  readonly #words: Int32Array;
  readonly #stamps: Float64Array;
  /** This thread's numbers. */
  readonly meter: Float64Array;

  constructor(options: OriginOptions, board: Board = new Board()) {
    this.url = options.url;
    this.address = options.address;
    this.name = originName(options.address);
    this.board = board;
    this.#words = board.words;
    this.#stamps = board.stamps;
    this.meter = board.meter;
    this.weight = this.fullWeight = options.weight ?? 1;
    this.backup = options.backup ?? false;
    this.maxConnections = options.maxConnections ?? Infinity;
    this.resize(this.maxConnections);
    if (options.drained === true) this.state = 'draining';
  }

  /** Takes over what may change while it runs. It is what it is by its name; the scheme and the host may be others. */
  update(options: OriginOptions): void {
    this.url = options.url;
    if (!sameAddress(this.address, options.address)) this.address = options.address;
    this.weight = this.fullWeight = options.weight ?? 1;
    this.backup = options.backup ?? false;
    this.maxConnections = options.maxConnections ?? Infinity;
    this.resize(this.maxConnections);
    if (options.drained === true) this.state = 'draining';
    else if (this.state === 'draining') this.state = 'up';
  }

  get state(): OriginState {
    const words = this.#words;
    switch (words[STATE]) {
      case UP:
        if (words[FAILING] !== 0) return 'down';
        return words[IN_FLIGHT] < this.#slots() ? 'up' : 'full';
      case DOWN:
        return 'down';
      default:
        return 'draining';
    }
  }

  set state(state: Exclude<OriginState, 'full'>) {
    Atomics.store(this.#words, STATE, state === 'up' ? UP : state === 'down' ? DOWN : DRAINING);
  }

  /** Goes from one state to another, once: of several threads that want the same only one is told that it did. */
  turn(from: 'up' | 'down', to: 'up' | 'down'): boolean {
    const was = from === 'up' ? UP : DOWN;
    return Atomics.compareExchange(this.#words, STATE, was, to === 'up' ? UP : DOWN) === was;
  }

  /** Requests that hold a slot now in all threads, connecting ones included. */
  get inFlight(): number {
    return this.#words[IN_FLIGHT];
  }

  set inFlight(count: number) {
    Atomics.store(this.#words, IN_FLIGHT, count);
  }

  /** Slots in force: `maxConnections`, or what one request more takes while it tests the origin. */
  get slots(): number {
    const slots = this.#slots();
    return slots === UNLIMITED ? Infinity : slots;
  }

  /** Connect failures in a row. */
  get failures(): number {
    return this.#words[FAILURES];
  }

  set failures(count: number) {
    Atomics.store(this.#words, FAILURES, count);
  }

  /** It has as many slots as it takes to try it with one request. */
  get testing(): boolean {
    return this.#words[TESTING] !== 0;
  }

  /** Lets one request try it, beside those that are there already, which may take hours to end. */
  test(now: number): void {
    this.since = now;
    Atomics.store(this.#words, TESTING, this.inFlight + 1);
  }

  /** It was tried, or need not be: all of its slots are there. */
  tested(): void {
    Atomics.store(this.#words, TESTING, 0);
  }

  /** Whether a request that went to it at this time went before it came back: then it tells nothing of how it is now. */
  before(sent: number): boolean {
    return this.testing && sent < this.since;
  }

  /**
   * Why nobody could connect to it when somebody last tried, where that lasts (`ErrorRow.lasts`): there is no use in waiting for it.
   * '' otherwise.
   */
  get fault(): ErrorCode | '' {
    const number = this.#words[FAULT];
    return number === 0 ? '' : codeOf(number);
  }

  set fault(code: ErrorCode | '') {
    Atomics.store(this.#words, FAULT, numberOf(code));
  }

  /** More about `fault`, where this thread has met it itself. */
  faultDetail = '';

  /** Requests in a row that failed, see upstream/ejection.ts. */
  get inRow(): number {
    return this.#words[IN_ROW];
  }

  set inRow(count: number) {
    Atomics.store(this.#words, IN_ROW, count);
  }

  addFailure(): number {
    return Atomics.add(this.#words, IN_ROW, 1) + 1;
  }

  /** Times it was taken out because requests failed, less those that are forgotten. */
  get times(): number {
    return Atomics.load(this.#words, TIMES);
  }

  set times(count: number) {
    Atomics.store(this.#words, TIMES, count);
  }

  /** The active check says that it cannot serve, or has not said yet that it can. */
  get failing(): boolean {
    return Atomics.load(this.#words, FAILING) !== 0;
  }

  set failing(failing: boolean) {
    Atomics.store(this.#words, FAILING, failing ? FAILED : 0);
  }

  /** It takes no requests because no check has said anything about it yet. */
  get unchecked(): boolean {
    return Atomics.load(this.#words, FAILING) === UNCHECKED;
  }

  /** It rests after failures, until `downUntil`. */
  get resting(): boolean {
    return Atomics.load(this.#words, STATE) === DOWN;
  }

  /** Clock time until which a `down` origin is left alone. */
  get downUntil(): number {
    return this.#stamps[DOWN_UNTIL];
  }

  set downUntil(time: number) {
    this.#stamps[DOWN_UNTIL] = time;
  }

  /** Clock time of the last change between up and down; 0 before the first. */
  get since(): number {
    return this.#stamps[SINCE];
  }

  set since(time: number) {
    this.#stamps[SINCE] = time;
  }

  /** This thread's open connections, idle ones included. */
  get connections(): number {
    return this.meter[METER.connections];
  }

  set connections(count: number) {
    this.meter[METER.connections] = count;
  }

  /** Takes a slot, unless another thread has been faster. The caller has checked `state`. */
  acquire(): boolean {
    const words = this.#words;
    const slots = this.#slots();
    if (slots === UNLIMITED) Atomics.add(words, IN_FLIGHT, 1);
    else if (!takeOne(words, IN_FLIGHT, slots)) return false;
    this.meter[METER.held]++;
    return true;
  }

  /**
   * Gives a slot back.
   *
   * @param sent clock time at which the request that had it went to the origin
   */
  release(sent = Infinity): void {
    const words = this.#words;
    // While it is tested a slot that an earlier request leaves is for nobody, or there would be two that try it. So it goes
    // before it is free.
    for (let testing = Atomics.load(words, TESTING); testing > 1 && sent < this.since;) {
      const was = Atomics.compareExchange(words, TESTING, testing, testing - 1);
      if (was === testing) break;
      testing = was;
    }
    Atomics.sub(words, IN_FLIGHT, 1);
    this.meter[METER.held]--;
  }

  /** Changes how many slots it has when it is not tested. */
  resize(slots: number): void {
    Atomics.store(this.#words, SLOTS, Math.min(slots, UNLIMITED));
  }

  #slots(): number {
    const slots = this.#words[SLOTS];
    const testing = this.#words[TESTING];
    return testing === 0 ? slots : Math.min(slots, testing);
  }
}

/** An origin that nobody may ask until a check has found it well. */
export function blockOrigin(board: Board): void {
  Atomics.store(board.words, FAILING, UNCHECKED);
}

/** Gives back what a thread that has died held of an origin. */
export function forgetSlots(board: Board, thread: number): void {
  const row = board.row(thread);
  const left = Atomics.sub(board.words, IN_FLIGHT, row[METER.held]) - row[METER.held];
  // Whoever of the lost was here before a test began: no more can be left of them than of all.
  const testing = Atomics.load(board.words, TESTING);
  if (testing > left + 1) Atomics.compareExchange(board.words, TESTING, testing, left + 1);
  row[METER.held] = 0;
  row[METER.connections] = 0;
  row[METER.idle] = 0;
}

export function originName(address: OriginAddress): string {
  if (address.program !== undefined) return `${address.scheme}:${address.program}`;
  if (address.path !== undefined) return `unix:${address.path}`;
  const host = (address.ip ?? address.host).toLowerCase();
  return host.includes(':') ? `[${host}]:${address.port}` : `${host}:${address.port}`;
}

/** The name for people: with what it speaks in front, where that is not plain HTTP. `fastcgi+unix:/run/php.sock` */
export function shownAddress(address: OriginAddress): string {
  const name = originName(address);
  const { scheme, path, program } = address;
  if (program !== undefined || scheme === 'http') return name;
  return path === undefined ? `${scheme}://${name}` : `${scheme}+${name}`;
}

function sameAddress(a: OriginAddress, b: OriginAddress): boolean {
  return a.scheme === b.scheme && a.host === b.host && originName(a) === originName(b);
}

/** The port of a scheme when none is given, as registered with IANA; 0: it has none. */
export function defaultPort(scheme: string): number {
  return scheme === 'http' || scheme === 'h2c' ? 80 : scheme === 'https' || scheme === 'h2' ? 443 : 0;
}

/** The authority a client would use for an origin: the name as the user wrote it, without the scheme's default port. */
export function authorityOf({ scheme, host, port, path, program }: OriginAddress): string {
  if (path !== undefined || program !== undefined) return 'localhost';
  const name = originName({ scheme, host, port });
  return port === (defaultPort(scheme) || 80) ? name.slice(0, name.lastIndexOf(':')) : name;
}
