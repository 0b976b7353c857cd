/** A request that waits for a slot; part of the attempt itself, so waiting allocates nothing. */
export interface Waiter {
  nextWaiter: Waiter | null;
  previousWaiter: Waiter | null;
  waiting: boolean;
  /** Clock time at which it gives up. */
  deadline: number;
  /** It has excluded origins by trying them: when it cannot be served, the next in line may. */
  readonly picky: boolean;
  /** Time is up. */
  expired(): void;
}

/** Requests that wait for a slot of one upstream: first in, first out, bounded, each with its own deadline. */
export class Backlog {
  first: Waiter | null = null;
  length = 0;
  /** Requests that may wait at once; whoever waits already is not sent away when it shrinks. */
  size: number;
  #last: Waiter | null = null;

  /** @param size requests that may wait at once; 0 means nobody waits */
  constructor(size: number) {
    this.size = size;
  }

  /** False when it is full. */
  push(waiter: Waiter): boolean {
    if (this.length >= this.size) return false;
    waiter.waiting = true;
    waiter.nextWaiter = null;
    waiter.previousWaiter = this.#last;
    if (this.#last === null) this.first = waiter;
    else this.#last.nextWaiter = waiter;
    this.#last = waiter;
    this.length++;
    return true;
  }

  remove(waiter: Waiter): void {
    if (!waiter.waiting) return;
    waiter.waiting = false;
    if (waiter.previousWaiter === null) this.first = waiter.nextWaiter;
    else waiter.previousWaiter.nextWaiter = waiter.nextWaiter;
    if (waiter.nextWaiter === null) this.#last = waiter.previousWaiter;
    else waiter.nextWaiter.previousWaiter = waiter.previousWaiter;
    waiter.nextWaiter = null;
    waiter.previousWaiter = null;
    this.length--;
  }

  /** Ends the waiting of all whose time is up. Deadlines need not be in order: each request brings its own. */
  expire(now: number): void {
    const late: Waiter[] = [];
    for (let waiter = this.first; waiter !== null; waiter = waiter.nextWaiter)
      if (waiter.deadline <= now) late.push(waiter);
    for (const waiter of late) {
      if (!waiter.waiting) continue;
      this.remove(waiter);
      waiter.expired();
    }
  }
}
