/**
 * Memory that all threads see. Each origin, upstream, listener and route has one board: a few words that threads change
 * with atomic operations, because they must be true for the whole process (slots taken, who waits), and for each thread
 * a row of numbers that only this thread writes, and that whoever wants the whole adds up. So counting costs the data
 * path a store into an array, and no thread ever waits for another.
 *
 * A board belongs to the identity of its thing and outlives reloads with it. It is plain memory: a thread that dies leaves
 * its row behind, from which what it held is given back.
 */

/** Words every board has, before those that are there once per thread. */
const WORDS = 10;
/** Words that are there once per thread. */
const OWN_WORDS = 2;
/** Shared numbers with fractions: points in time. */
const STAMPS = 4;
/** Numbers in a thread's row: see core/meter.ts. */
const ROW = 256;

/** A board's memory, as it is handed to threads. */
export type BoardMemory = SharedArrayBuffer;

export function boardMemory(threads: number): BoardMemory {
  return new SharedArrayBuffer(rowsAt(threads) + threads * ROW * 8);
}

/** One board as one thread sees it. */
export class Board {
  readonly memory: BoardMemory;
  /** The shared words: change them with Atomics. What each means is told where it is used. */
  readonly words: Int32Array;
  /** The shared points in time. */
  readonly stamps: Float64Array;
  /** This thread's row: nobody else writes it. */
  readonly meter: Float64Array;
  readonly thread: number;
  readonly threads: number;

  /** @param thread which row is ours, from 0 */
  constructor(memory: BoardMemory = boardMemory(1), thread = 0) {
    const threads = threadsOf(memory);
    this.memory = memory;
    this.thread = thread;
    this.threads = threads;
    this.words = new Int32Array(memory, STAMPS * 8, WORDS + threads * OWN_WORDS);
    this.stamps = new Float64Array(memory, 0, STAMPS);
    this.meter = this.row(thread);
  }

  /** Any thread's row, to be read. */
  row(thread: number): Float64Array {
    return new Float64Array(this.memory, rowsAt(this.threads) + thread * ROW * 8, ROW);
  }

  /** A number of the rows, over all threads. */
  sum(slot: number): number {
    let sum = 0;
    for (let thread = 0; thread < this.threads; thread++) sum += this.row(thread)[slot];
    return sum;
  }

  /** Several neighbouring numbers of the rows, over all threads. */
  sums(slot: number, count: number): number[] {
    const sums = new Array<number>(count).fill(0);
    for (let thread = 0; thread < this.threads; thread++) {
      const row = this.row(thread);
      for (let i = 0; i < count; i++) sums[i] += row[slot + i];
    }
    return sums;
  }

  /** The index in `words` of the first or second word of a thread. */
  wordOf(thread: number, which: 0 | 1): number {
    return WORDS + which * this.threads + thread;
  }
}

/** Adds one to a word unless that would make it more than `most`; tells whether it did. */
export function takeOne(words: Int32Array, index: number, most: number): boolean {
  for (;;) {
    const now = Atomics.load(words, index);
    if (now >= most) return false;
    if (Atomics.compareExchange(words, index, now, now + 1) === now) return true;
  }
}

/** Where the rows begin: behind stamps and words, in bytes. */
function rowsAt(threads: number): number {
  return (STAMPS + Math.ceil((WORDS + threads * OWN_WORDS) / 2)) * 8;
}

function threadsOf(memory: BoardMemory): number {
  for (let threads = 1; ; threads++) if (rowsAt(threads) + threads * ROW * 8 >= memory.byteLength) return threads;
}
