/**
 * Most probes at a time in a process. Each takes a file descriptor, and for a name that has not been resolved a thread
 * of the resolver's four; 64 that all time out after 2 s still make 160 origins in an interval of 5 s.
 */
export const MOST_PROBES = 64;

/** Lets so many through at a time; the others wait in order. One for all checkers of a process. */
export class Gate {
  readonly #most: number;
  readonly #waiting = new Set<() => void>();
  #inside = 0;

  constructor(most: number = MOST_PROBES) {
    this.#most = most;
  }

  /** Calls `go` when there is room, maybe at once. Who has been called calls `leave` once. */
  enter(go: () => void): void {
    this.#waiting.add(go);
    this.#admit();
  }

  /** Gives up a place in the line. */
  withdraw(go: () => void): void {
    this.#waiting.delete(go);
  }

  leave(): void {
    this.#inside--;
    this.#admit();
  }

  #admit(): void {
    for (const go of this.#waiting) {
      if (this.#inside >= this.#most) return;
      this.#waiting.delete(go);
      this.#inside++;
      go();
    }
  }
}
