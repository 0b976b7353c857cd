import { Board, takeOne } from '../core/board.ts';
import type { ErrorCode } from '../core/errors.ts';
import { METER } from '../core/meter.ts';

/** A request that waits for a slot; part of the attempt itself, so waiting allocates nothing. */
export interface Waiter {
  nextWaiter: Waiter | null;
  previousWaiter: Waiter | null;
  waiting: boolean;
  /** Its place among the waiters of all threads: lower ones came first. Wraps round; 0 is none. */
  ticket: number;
  /** Clock time at which it gives up. */
  deadline: number;
  /** Clock time since which it is here. */
  readonly since: number;
  /** For operators. */
  show(): Omit<Waiting, 'since' | 'deadline'>;
  /** It has excluded origins by trying them: when it cannot be served, the next in line may. */
  readonly picky: boolean;
  /** Time is up, or there is nothing to wait for: then `vain` says so. */
  expired(vain?: Vain): void;
}

/** Why there is nothing to wait for. */
export interface Vain {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** A request that waits, as operators see it. Clock times. */
export interface Waiting {
  readonly id: string;
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly client: string;
  readonly since: number;
  readonly deadline: number;
}

/** The shared words of an upstream's board. */
const WAITING = 0;
const TICKETS = 1;
/** The own words of each thread: the ticket of its first waiter, and why its bell was rung. */
const HEAD = 0;
const CALL = 1;

/** Why a thread is called: `look` after its first waiter, `pass` the others let it go first. */
export const CALLS = { look: 1, pass: 2 } as const;

/**
 * Requests that wait for a slot of one upstream: first in, first out, bounded, each with its own deadline. Every thread has
 * its own list; on the board is what makes one queue of them: how many wait in all, and the ticket of each list's first.
 */
export class Backlog {
  first: Waiter | null = null;
  /** Those who wait in this thread. */
  length = 0;
  /** Requests of all threads that may wait at once; whoever waits already is not sent away when it shrinks. */
  size: number;
  #last: Waiter | null = null;
  readonly #board: Board;
  readonly #words: Int32Array;

  /** @param size requests that may wait at once; 0 means nobody waits */
  constructor(size: number, board: Board = new Board()) {
    this.size = size;
    this.#board = board;
    this.#words = board.words;
  }

  /** Those who wait in all threads. */
  get total(): number {
    return Atomics.load(this.#words, WAITING);
  }

  /** False when it is full. */
  push(waiter: Waiter): boolean {
    if (!takeOne(this.#words, WAITING, this.size)) return false;
    // Odd ones only, so that no ticket is 0 and wrapping round is harmless.
    waiter.ticket = Atomics.add(this.#words, TICKETS, 2) | 1;
    waiter.waiting = true;
    waiter.nextWaiter = null;
    waiter.previousWaiter = this.#last;
    if (this.#last === null) this.#lead(waiter);
    else this.#last.nextWaiter = waiter;
    this.#last = waiter;
    this.#board.meter[METER.waiting] = ++this.length;
    return true;
  }

  remove(waiter: Waiter): void {
    if (!waiter.waiting) return;
    waiter.waiting = false;
    if (waiter.nextWaiter === null) this.#last = waiter.previousWaiter;
    else waiter.nextWaiter.previousWaiter = waiter.previousWaiter;
    if (waiter.previousWaiter === null) this.#lead(waiter.nextWaiter);
    else waiter.previousWaiter.nextWaiter = waiter.nextWaiter;
    waiter.nextWaiter = null;
    waiter.previousWaiter = null;
    this.#board.meter[METER.waiting] = --this.length;
    Atomics.sub(this.#words, WAITING, 1);
  }

  /** The first of those who wait in this thread. */
  list(most: number): Waiting[] {
    const list: Waiting[] = [];
    for (let one = this.first; one !== null && list.length < most; one = one.nextWaiter) {
      list.push({ ...one.show(), since: one.since, deadline: one.deadline });
    }
    return list;
  }

  /** Ends the waiting of all whose time is up. Deadlines need not be in order: each request brings its own. */
  expire(now: number): void {
    for (const waiter of this.#here()) {
      if (!waiter.waiting || waiter.deadline > now) continue;
      this.remove(waiter);
      waiter.expired();
    }
  }

  /** Ends the waiting of those for whom there is nothing to wait for. */
  dismiss(judge: (waiter: Waiter) => Vain | undefined): void {
    for (const waiter of this.#here()) {
      const vain = waiter.waiting ? judge(waiter) : undefined;
      if (vain === undefined) continue;
      this.remove(waiter);
      waiter.expired(vain);
    }
  }

  /** Those who wait in this thread now: what is done with one may end the waiting of others, or bring new ones. */
  #here(): Waiter[] {
    const here: Waiter[] = [];
    for (let waiter = this.first; waiter !== null; waiter = waiter.nextWaiter) here.push(waiter);
    return here;
  }

  /** The other thread whose first waiter came before this thread's first, earliest first; -1 when there is none. */
  earlierThread(): number {
    const found = this.#threadAfter(0);
    if (found < 0 || this.first === null) return found;
    return before(this.#head(found), this.first.ticket) ? found : -1;
  }

  /** The ticket of the waiter of another thread that is before all of this one's; 0 when there is none. */
  aheadTicket(): number {
    const thread = this.earlierThread();
    return thread < 0 ? 0 : this.#head(thread);
  }

  /** The other thread whose first waiter comes next after this ticket; -1 when there is none. */
  laterThread(ticket: number): number {
    return this.#threadAfter(ticket);
  }

  /** Leaves a note for another thread, which is then to be rung. */
  call(thread: number, why: (typeof CALLS)[keyof typeof CALLS]): void {
    Atomics.or(this.#words, this.#board.wordOf(thread, CALL), why);
  }

  /** Takes the note that other threads have left for this one: 0, or `CALLS` added up. */
  called(): number {
    const index = this.#board.wordOf(this.#board.thread, CALL);
    return Atomics.load(this.#words, index) === 0 ? 0 : Atomics.exchange(this.#words, index, 0);
  }

  #lead(waiter: Waiter | null): void {
    this.first = waiter;
    this.#board.meter[METER.oldest] = waiter?.since ?? 0;
    Atomics.store(this.#words, this.#board.wordOf(this.#board.thread, HEAD), waiter?.ticket ?? 0);
  }

  #head(thread: number): number {
    return Atomics.load(this.#words, this.#board.wordOf(thread, HEAD));
  }

  /** @param ticket 0: from the beginning */
  #threadAfter(ticket: number): number {
    let found = -1;
    let lowest = 0;
    for (let thread = 0; thread < this.#board.threads; thread++) {
      const head = thread === this.#board.thread ? 0 : this.#head(thread);
      if (head === 0 || (ticket !== 0 && !before(ticket, head))) continue;
      if (found < 0 || before(head, lowest)) {
        found = thread;
        lowest = head;
      }
    }
    return found;
  }
}

/** Calls a thread from outside: its waiters may be served now, if there is anything to be had. */
export function callThread(board: Board, thread: number): void {
  Atomics.or(board.words, board.wordOf(thread, CALL), CALLS.pass);
}

/** Gives back what a thread that has died had in the queue of this upstream. */
export function forgetWaiters(board: Board, thread: number): void {
  const row = board.row(thread);
  Atomics.sub(board.words, WAITING, row[METER.waiting]);
  row[METER.waiting] = 0;
  row[METER.oldest] = 0;
  Atomics.store(board.words, board.wordOf(thread, HEAD), 0);
  Atomics.store(board.words, board.wordOf(thread, CALL), 0);
}

/** Whether ticket `a` was drawn before `b`, also across the wrap. */
function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
