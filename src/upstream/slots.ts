import { type Board, takeOne } from '../core/board.ts';
import { METER } from '../core/meter.ts';

/**
 * Requests in flight at all origins of an upstream, over all threads: what `maxInFlight` bounds. They are counted without
 * a bound as well, because a reload may set one.
 */

/** A shared word of an upstream's board; the backlog has the ones before. */
const IN_FLIGHT = 2;

export function slotsTaken(board: Board): number {
  return Atomics.load(board.words, IN_FLIGHT);
}

/** False when there are `most` already. */
export function takeSlot(board: Board, most: number): boolean {
  if (most === Infinity) Atomics.add(board.words, IN_FLIGHT, 1);
  else if (!takeOne(board.words, IN_FLIGHT, most)) return false;
  board.meter[METER.held]++;
  return true;
}

export function releaseSlot(board: Board): void {
  Atomics.sub(board.words, IN_FLIGHT, 1);
  board.meter[METER.held]--;
}

/** Gives back what a thread that has died held of this upstream. */
export function forgetTaken(board: Board, thread: number): void {
  const row = board.row(thread);
  Atomics.sub(board.words, IN_FLIGHT, row[METER.held]);
  row[METER.held] = 0;
}
