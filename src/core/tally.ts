import type { BoardMemory } from './board.ts';

/** Counters of each thread, twice: enough for a hundred thousand addresses to hardly ever share both of theirs. */
const CELLS = 65_536;

export function tallyMemory(threads: number): BoardMemory {
  return new SharedArrayBuffer(threads * 2 * CELLS * 4);
}

/**
 * Counts things by name over all threads in memory of a fixed size (a count-min sketch: Cormode and Muthukrishnan, 2005):
 * a name is counted in two cells, and the lower one is its count. Two names that share both cells are counted together;
 * which ones do hangs on a secret, so nobody can choose names that do. Each thread writes its own cells, so what a dead
 * thread has counted can be forgotten.
 */
export class Tally {
  readonly #cells: Int32Array;
  readonly #own: number;
  readonly #threads: number;
  readonly #seed: number;

  /** @param seed the same for all threads, and known to nobody else */
  constructor(memory: BoardMemory, thread: number, seed: number) {
    this.#cells = new Int32Array(memory);
    this.#own = thread * 2 * CELLS;
    this.#threads = this.#cells.length / (2 * CELLS);
    this.#seed = seed;
  }

  /** How many there are in all threads; another thread's last moment may be missing. */
  count(name: string): number {
    const [first, second] = this.#places(name);
    return Math.min(this.#sum(first), this.#sum(second));
  }

  add(name: string, number: 1 | -1): void {
    const [first, second] = this.#places(name);
    this.#cells[this.#own + first] += number;
    this.#cells[this.#own + second] += number;
  }

  #sum(place: number): number {
    let sum = 0;
    for (let thread = 0; thread < this.#threads; thread++) sum += this.#cells[thread * 2 * CELLS + place];
    return sum;
  }

  #places(name: string): [first: number, second: number] {
    // FNV-1a from a secret beginning, then the finisher of MurmurHash3: all bits of the name reach all bits of both places.
    let hash = this.#seed | 0;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x0100_0193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
    const other = Math.imul(hash ^ (hash >>> 13) ^ this.#seed, 0xc2b2_ae35);
    return [(hash >>> 16) % CELLS, CELLS + ((other >>> 16) % CELLS)];
  }
}

/** Forgets what a thread that has died had counted. */
export function forgetTally(memory: BoardMemory, thread: number): void {
  new Int32Array(memory, thread * 2 * CELLS * 4, 2 * CELLS).fill(0);
}
