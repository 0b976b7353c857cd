/** Streams that a client may take back at once, and how many more for each second: nghttp2's numbers. */
const BURST = 1000;
const PER_SECOND = 33;

/**
 * Bounds requests that are asked and taken back (CVE-2023-44487, "rapid reset"): they do not count as open any more, but an
 * origin has been troubled with each. Those count as well that the client has made us give up by its faults (CVE-2025-8671).
 */
export class Resets {
  #left = BURST;
  #since: number;

  /** @param now clock milliseconds */
  constructor(now: number) {
    this.#since = now;
  }

  /** One more; false when that is too many. */
  count(now: number): boolean {
    this.#left = Math.min(BURST, this.#left + ((now - this.#since) * PER_SECOND) / 1000);
    this.#since = now;
    return --this.#left >= 0;
  }
}
