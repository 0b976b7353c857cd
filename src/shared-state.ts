import type { Config } from './config/config.ts';
import { BoardBook, boardKeys, type BoardMap } from './control/boards.ts';
import { bellMemory, Bells } from './core/bells.ts';
import { Board, type BoardMemory } from './core/board.ts';
import { METER } from './core/meter.ts';
import { forgetSlots, Origin } from './core/origin.ts';
import { forgetTally } from './core/tally.ts';
import { forgetConnections } from './listen/listener.ts';
import { callThread, forgetWaiters } from './upstream/backlog.ts';
import { forgetTaken } from './upstream/slots.ts';

/**
 * What all threads share, as the control plane sees it: the boards in force, the origins on them, and the bells. With one
 * thread the control plane writes the same rows as the data plane; else it has a row of its own.
 */
export class SharedState {
  readonly #book: BoardBook;
  readonly #threads: number;
  /** The control plane's row. */
  readonly #row: number;
  readonly bells: SharedArrayBuffer;
  readonly #bells: Bells;
  #config: Config;
  /** What listeners that are gone have counted, by thread: a sum over all listeners must never become less. */
  readonly #gone: readonly Float64Array[];
  /** Every upstream's origins. */
  origins: ReadonlyMap<string, readonly Origin[]> = new Map();

  constructor(config: Config) {
    const { threads } = config;
    this.#threads = threads;
    this.#row = threads > 1 ? threads : 0;
    this.#book = new BoardBook(threads > 1 ? threads + 1 : 1);
    this.bells = bellMemory(threads + 1);
    this.#bells = new Bells(this.bells, threads);
    this.#config = config;
    this.#gone = Array.from({ length: threads }, () => new Float64Array(new Board().meter.length));
  }

  /** Boards of what a reload took out, until nobody holds anything of it: a thread that dies gives back there as well. */
  #leaving: (readonly [key: string, memory: BoardMemory])[] = [];

  /** The boards in force. */
  get boards(): BoardMap {
    return this.#book.boards;
  }

  /** The boards that another config needs. */
  for(config: Config): BoardMap {
    return this.#book.for(config);
  }

  /** Another config is in force. */
  use(config: Config, boards: BoardMap): void {
    this.#leaving = this.#leaving.filter(([, memory]) => isHeld(new Board(memory)));
    for (const [key, memory] of this.boards) {
      if (boards.has(key)) continue;
      if (key.startsWith('listener ')) this.#keep(new Board(memory, this.#row));
      if (!key.startsWith('tally ')) this.#leaving.push([key, memory]);
    }
    this.#book.use(boards);
    this.#config = config;
    const before = new Map([...this.origins.values()].flat().map((one) => [one.board.memory, one]));
    this.origins = new Map(
      Object.entries(config.upstreams).map(([name, { origins }]): [string, Origin[]] => [
        name,
        origins.map((options) => {
          const board = this.#board(boardKeys.originOf(name, options));
          const known = before.get(board.memory);
          known?.update(options);
          return known ?? new Origin(options, board);
        }),
      ]),
    );
  }

  upstream(name: string): Board {
    return this.#board(boardKeys.upstream(name));
  }

  route(name: string): Board {
    return this.#board(boardKeys.route(name));
  }

  /** @param index of the listener in the config */
  listener(index: number): Board {
    return this.#board(boardKeys.listener(this.#config, index));
  }

  /** Requests that wait for an upstream in all threads. */
  waiting(upstream: string): number {
    return this.upstream(upstream).sum(METER.waiting);
  }

  /** Requests at all origins of one upstream, or of all, by the thread that has them. */
  holders(upstream?: string): number[] {
    const origins = upstream === undefined ? [...this.origins.values()].flat() : (this.origins.get(upstream) ?? []);
    return this.#byThread(
      origins.map(({ board }) => board),
      METER.held,
    );
  }

  /** Open connections of all listeners by thread. */
  connections(): number[] {
    return this.#ofListeners(METER.held);
  }

  /** A counter of all listeners that there are or have been, by thread. */
  counted(slot: number): number[] {
    return this.#ofListeners(slot).map((count, thread) => count + this.#gone[thread][slot]);
  }

  /** Gives back what a thread that has died had taken. */
  giveBack(thread: number): void {
    for (const [key, memory] of [...this.boards, ...this.#leaving]) {
      if (key.startsWith('tally ')) {
        forgetTally(memory, thread);
        continue;
      }
      const board = new Board(memory, this.#row);
      if (key.startsWith('origin ')) forgetSlots(board, thread);
      else if (key.startsWith('listener ')) forgetConnections(board, thread);
      else if (key.startsWith('upstream ')) {
        forgetWaiters(board, thread);
        forgetTaken(board, thread);
      }
    }
    for (const upstream of this.origins.keys()) this.stir(upstream);
  }

  /** Lets the threads look whether somebody who waits can be served now. */
  stir(upstream: string): void {
    const board = this.upstream(upstream);
    for (let thread = 0; thread < this.#threads; thread++) {
      callThread(board, thread);
      this.#bells.ring(thread);
    }
  }

  #ofListeners(slot: number): number[] {
    return this.#byThread(
      this.#config.listen.map((_, index) => this.listener(index)),
      slot,
    );
  }

  /** Remembers what a listener has counted before its board is let go. */
  #keep(board: Board): void {
    for (const [thread, sums] of this.#gone.entries()) {
      for (const [slot, count] of board.row(thread).entries()) sums[slot] += count;
    }
  }

  #byThread(boards: readonly Board[], slot: number): number[] {
    return Array.from({ length: this.#threads }, (_, thread) =>
      boards.reduce((sum, board) => sum + board.row(thread)[slot], 0),
    );
  }

  #board(key: string): Board {
    return new Board(this.boards.get(key), this.#row);
  }
}

/** Whether a thread still has something that it would have to give back. */
function isHeld(board: Board): boolean {
  return board.sum(METER.held) > 0 || board.sum(METER.waiting) > 0;
}
