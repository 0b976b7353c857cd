/**
 * Wakes other threads without a message: one shared word per thread, and nothing to connect anew when a thread is
 * replaced. A bell that is ringing already is not rung again, so a burst costs one system call.
 */
export class Bells {
  readonly #words: Int32Array;
  readonly #own: number;
  #closed = false;

  constructor(memory: SharedArrayBuffer = bellMemory(1), own = 0) {
    this.#words = new Int32Array(memory);
    this.#own = own;
  }

  ring(thread: number): void {
    if (Atomics.exchange(this.#words, thread, 1) === 0) Atomics.notify(this.#words, thread);
  }

  /** Calls `rung`, in a turn of its own, after this thread's bell was rung: once for any number of rings before. */
  listen(rung: () => void): void {
    void this.#wait(rung);
  }

  close(): void {
    this.#closed = true;
    this.ring(this.#own);
  }

  async #wait(rung: () => void): Promise<void> {
    while (!this.#closed) {
      const waiting = Atomics.waitAsync(this.#words, this.#own, 0);
      if (waiting.async) await waiting.value;
      Atomics.store(this.#words, this.#own, 0);
      if (!this.#closed) rung();
    }
  }
}

export function bellMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * 4);
}
