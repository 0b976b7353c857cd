/**
 * The window of the connection, given back as soon as bytes are here whoever they are for: it bounds what is on its way, not
 * what is kept, so one slow reader stops nobody else. 16 MiB keep a gigabit full at 100 ms.
 */
export const CONNECTION_WINDOW: number = 16 * 1024 * 1024;

/** Counts what the peer sends on a connection, all streams together. */
export class Inflow {
  /** What the peer may still send. */
  #credit = CONNECTION_WINDOW;
  /** What it has sent since that was last renewed. */
  #taken = 0;
  /** What may still come of streams that we have given up. */
  #stray = 0;

  /** Takes a DATA frame's length, padding included; false when it is more than was allowed. */
  take(length: number): boolean {
    this.#credit -= length;
    this.#taken += length;
    return this.#credit >= 0;
  }

  /** By how much the window is to be opened again now; 0 while that is not worth a frame. */
  renew(): number {
    if (this.#taken * 2 < CONNECTION_WINDOW) return 0;
    const increment = this.#taken;
    this.#credit += increment;
    this.#taken = 0;
    return increment;
  }

  /** A stream has been given up; this much of it may be on its way. */
  giveUp(credit: number): void {
    this.#stray += Math.max(0, credit);
  }

  /** Data of a stream that is over; false when it cannot have been on its way. */
  stray(length: number): boolean {
    this.#stray -= length;
    return this.#stray >= 0;
  }
}
