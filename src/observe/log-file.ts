import { closeSync, fstatSync, openSync, write, writeSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';

/** Characters gathered before a write is started. */
const BATCH = 65_536;
/** Milliseconds a line waits at most before it is written. */
const PATIENCE = 250;
/** Characters that may wait for a disk that is slower than the proxy; beyond that, lines are written synchronously. */
const MOST_WAITING = 16_777_216;
/** Bytes that a pipe takes in one piece, whoever else writes to it (PIPE_BUF on Linux; POSIX promises 512). */
const ATOMIC = 4096;
/** Milliseconds until a descriptor that takes nothing is asked again. */
const SLOW = 10;
/** Something to wait on for a while. */
const NEVER = new Int32Array(new SharedArrayBuffer(4));

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
  #failing = false;
  readonly #afterWrite: (() => void)[] = [];
  /** Most bytes of one write. A file that is appended to takes any number in one piece. */
  readonly #most: number;

  /**
   * @param target `stdout`, `stderr`, or a file's path. Throws the system's error when the file cannot be opened.
   * @param failed hears of the first of several writes that fail; the lines of those are lost
   * @param sharing other threads write to the same target: their lines must not get into the middle of ours
   */
  constructor(target: string, clock: Clock, failed: (error: NodeJS.ErrnoException) => void, sharing = false) {
    this.#clock = clock;
    this.#failed = failed;
    this.#path = target === 'stdout' || target === 'stderr' ? null : target;
    this.#descriptor = this.#path === null ? (target === 'stdout' ? 1 : 2) : openSync(this.#path, 'a', 0o640);
    this.#most = sharing && !fstatSync(this.#descriptor).isFile() ? ATOMIC : Infinity;
  }

  /** Adds one line, with its line end. */
  line(text: string): void {
    this.#waiting += text;
    if (this.#waiting.length >= BATCH) {
      if (!this.#writing) this.#start();
      else if (this.#waiting.length >= MOST_WAITING) this.flush();
    } else this.#cancel ??= this.#clock.after(PATIENCE, () => this.#start(), 'idle');
  }

  /**
   * Writes what waits and opens the file anew, after a rotation has moved it away. When that fails the old one stays in
   * use.
   */
  reopen(): void {
    if (this.#path === null || this.#closed) return;
    const old = this.#descriptor;
    // Nothing may overtake a write in progress, which ends on the old file: what waits behind it begins the new one.
    if (!this.#writing) this.flush();
    try {
      this.#descriptor = openSync(this.#path, 'a', 0o640);
    } catch (error) {
      return this.#fail(error as NodeJS.ErrnoException);
    }
    if (this.#writing) this.#afterWrite.push(() => closeSync(old));
    else closeSync(old);
    if (this.#writing) this.flush();
  }

  /** Writes everything that waits, now. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = null;
    // A closed descriptor's number may be somebody else's by now.
    if (this.#closed) return;
    let bytes = Buffer.from(this.#waiting, 'latin1');
    this.#waiting = '';
    while (bytes.length > 0) {
      try {
        bytes = bytes.subarray(writeSync(this.#descriptor, this.#piece(bytes)));
      } catch (error) {
        const failure = error as NodeJS.ErrnoException;
        if (failure.code !== 'EAGAIN') return this.#fail(failure);
        Atomics.wait(NEVER, 0, 0, SLOW);
      }
    }
    this.#failing = false;
  }

  /** Writes what waits. Resolves when the last write has ended. */
  async close(): Promise<void> {
    if (this.#closed) return;
    while (this.#writing) await new Promise<void>((resolve) => this.#afterWrite.push(resolve));
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    if (this.#path !== null) closeSync(this.#descriptor);
  }

  #start(): void {
    this.#cancel?.();
    this.#cancel = null;
    if (this.#writing || this.#waiting === '' || this.#closed) return;
    const bytes = Buffer.from(this.#waiting, 'latin1');
    this.#waiting = '';
    this.#write(this.#descriptor, bytes);
  }

  #write(descriptor: number, bytes: Buffer): void {
    this.#writing = true;
    const piece = this.#piece(bytes);
    write(descriptor, piece, 0, piece.length, null, (error, written) => {
      if (error === null && written < bytes.length) return this.#write(descriptor, bytes.subarray(written));
      // A pipe that is read slowly, and that somebody has made non-blocking.
      if (error?.code === 'EAGAIN') return void this.#clock.after(SLOW, () => this.#write(descriptor, bytes));
      this.#writing = false;
      if (error === null) this.#failing = false;
      else this.#fail(error);
      for (const run of this.#afterWrite.splice(0)) run();
      // Whoever's patience ended during the write waits for nothing else.
      if (this.#waiting.length >= BATCH || this.#cancel === null) this.#start();
    });
  }

  /** What may be written at once: all, or as many whole lines as fit; a longer line goes alone. */
  #piece(bytes: Buffer): Buffer {
    if (bytes.length <= this.#most) return bytes;
    const end = bytes.lastIndexOf(10, this.#most - 1);
    return bytes.subarray(0, end >= 0 ? end + 1 : bytes.indexOf(10) + 1 || bytes.length);
  }

  /** Tells of the first of several failures in a row: a full disk has many. */
  #fail(error: NodeJS.ErrnoException): void {
    if (!this.#failing) this.#failed(error);
    this.#failing = true;
  }
}
