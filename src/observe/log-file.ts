import { closeSync, openSync, write, writeSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';

/** Characters gathered before a write is started. */
const BATCH = 65_536;
/** Milliseconds a line waits at most before it is written. */
const PATIENCE = 250;
/** Characters that may wait for a disk that is slower than the proxy; beyond that, lines are written synchronously. */
const MOST_WAITING = 16_777_216;

/**
 * An append-only log: lines are gathered in memory and written in batches, one write at a time, so that the data path
 * pays for joining strings only. No line is ever dropped: when the disk cannot keep up, the proxy waits for it.
 */
export class LogFile {
  readonly #path: string | null;
  readonly #clock: Clock;
  readonly #failed: (error: NodeJS.ErrnoException) => void;
  #descriptor: number;
  #waiting = '';
  #writing = false;
  #cancel: (() => void) | null = null;
  #closed = false;

  /**
   * @param target `stdout`, `stderr`, or a file's path. Throws the system's error when the file cannot be opened.
   * @param failed hears when a write fails; the lines of that write are lost
   */
  constructor(target: string, clock: Clock, failed: (error: NodeJS.ErrnoException) => void) {
    this.#clock = clock;
    this.#failed = failed;
    this.#path = target === 'stdout' || target === 'stderr' ? null : target;
    this.#descriptor = this.#path === null ? (target === 'stdout' ? 1 : 2) : openSync(this.#path, 'a', 0o640);
  }

  /** Adds one line, with its line end. */
  line(text: string): void {
    this.#waiting += text;
    if (this.#waiting.length >= BATCH) {
      if (!this.#writing) this.#start();
      else if (this.#waiting.length >= MOST_WAITING) this.flush();
    } else this.#cancel ??= this.#clock.after(PATIENCE, () => this.#start(), 'idle');
  }

  /** Opens the file anew: after a rotation has moved it away. */
  reopen(): void {
    if (this.#path === null || this.#closed) return;
    this.flush();
    const fresh = openSync(this.#path, 'a', 0o640);
    const old = this.#descriptor;
    this.#descriptor = fresh;
    // A write in progress ends on the old file.
    if (this.#writing) this.#afterWrite.push(() => closeSync(old));
    else closeSync(old);
  }

  readonly #afterWrite: (() => void)[] = [];

  /** Writes everything that waits, now. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = null;
    let bytes = Buffer.from(this.#waiting, 'latin1');
    this.#waiting = '';
    while (bytes.length > 0) {
      try {
        bytes = bytes.subarray(writeSync(this.#descriptor, bytes));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') continue;
        return this.#failed(error as NodeJS.ErrnoException);
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    if (this.#path === null) return;
    const descriptor = this.#descriptor;
    if (this.#writing) this.#afterWrite.push(() => closeSync(descriptor));
    else closeSync(descriptor);
  }

  #start(): void {
    this.#cancel?.();
    this.#cancel = null;
    if (this.#writing || this.#waiting === '' || this.#closed) return;
    const bytes = Buffer.from(this.#waiting, 'latin1');
    this.#waiting = '';
    this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    this.#writing = true;
    write(this.#descriptor, bytes, 0, bytes.length, null, (error, written) => {
      if (error === null && written < bytes.length) return this.#write(bytes.subarray(written));
      if (error !== null && error.code === 'EAGAIN') return this.#clock.soon(() => this.#write(bytes));
      this.#writing = false;
      for (const run of this.#afterWrite.splice(0)) run();
      if (error !== null) this.#failed(error);
      if (this.#waiting.length >= BATCH) this.#start();
    });
  }
}
