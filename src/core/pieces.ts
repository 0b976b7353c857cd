/** The least and the most that memory for further bytes is taken at a time. */
const LEAST = 1024;
const MOST = 16_384;

/**
 * Bytes that are kept, in as much memory as they need. They come in pieces of whatever size a stranger likes, and a buffer for
 * each would cost a hundred times what is in it when they are of one byte.
 */
export class Pieces {
  /** Bytes in all. */
  size = 0;
  #whole: Buffer[] = [];
  #last: Buffer | null = null;
  #used = 0;

  add(buffer: Buffer, start: number, end: number): void {
    let from = start;
    if (this.#last !== null) {
      const take = Math.min(end - from, this.#last.length - this.#used);
      buffer.copy(this.#last, this.#used, from, from + take);
      this.#used += take;
      from += take;
    }
    if (from < end) {
      if (this.#last !== null) this.#whole.push(this.#last);
      // The first piece is mostly all there is. More is taken in the measure of what there is already.
      const room = this.size === 0 ? 0 : Math.min(MOST, Math.max(LEAST, this.size));
      this.#last = Buffer.allocUnsafe(Math.max(end - from, room));
      this.#used = buffer.copy(this.#last, 0, from, end);
    }
    this.size += end - start;
  }

  /** All of them in order; valid until more is added. */
  get all(): Buffer[] {
    return this.#last === null ? [] : [...this.#whole, this.#last.subarray(0, this.#used)];
  }

  /** All of them, which are nobody else's from now on. */
  take(): Buffer[] {
    const all = this.all;
    this.clear();
    return all;
  }

  clear(): void {
    this.size = 0;
    this.#whole = [];
    this.#last = null;
    this.#used = 0;
  }
}
