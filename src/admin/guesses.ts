import type { Clock } from '../core/clock.ts';

/** Milliseconds that the answer to the first wrong token waits; it doubles with each further one. */
const FIRST = 100;
const MOST = 5000;
/** A peer that was quiet for so long begins again. */
const FORGET = 600_000;
/** Peers remembered; the oldest goes first. */
const PEERS = 1024;

/**
 * Makes guessing expensive: who shows wrong tokens waits longer and longer for the answer. Only wrong ones wait, so an
 * attacker on the same address cannot keep the operator out.
 */
export class Guesses {
  readonly #clock: Clock;
  readonly #peers = new Map<string, { count: number; last: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A peer has shown a wrong token.
   *
   * @returns milliseconds to wait, and how many it has shown
   */
  wrong(peer: string): { wait: number; count: number } {
    const now = this.#clock.now();
    const before = this.#peers.get(peer);
    const count = before === undefined || now - before.last > FORGET ? 1 : before.count + 1;
    this.#peers.delete(peer);
    this.#peers.set(peer, { count, last: now });
    if (this.#peers.size > PEERS) {
      for (const oldest of this.#peers.keys()) {
        this.#peers.delete(oldest);
        break;
      }
    }
    return { wait: Math.min(MOST, FIRST * 2 ** Math.min(count - 1, 20)), count };
  }
}

/** Whether the n-th is worth a line in the log: the first ones, then ever fewer, so that guessing does not fill a disk. */
export function isTold(count: number): boolean {
  return count <= 5 || (count & (count - 1)) === 0;
}
