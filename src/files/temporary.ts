import { randomUUID } from 'node:crypto';
import { close, open, read, unlink, write } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Done = (error: Error | null) => void;
type Step = (fd: number, next: () => void) => void;

/**
 * Bytes that go to the disk and are read again. The file loses its name as soon as it is open: however this process
 * ends, the system takes the room back, and nobody else opens it. What is asked for is done in order, one at a time.
 */
export class TemporaryFile {
  readonly #folder: string;
  #fd = -1;
  #error: Error | null = null;
  #busy = false;
  #closed = false;
  readonly #steps: { readonly run: Step; readonly failed: Done }[] = [];

  /** @param folder where; '' is the system's for temporary files */
  constructor(folder: string) {
    this.#folder = folder === '' ? tmpdir() : folder;
  }

  /** Writes all of these bytes there. They have to stay as they are until `done`. */
  write(bytes: Buffer, position: number, done: Done): void {
    const from = (fd: number, at: number, next: () => void): void =>
      write(fd, bytes, at, bytes.length - at, position + at, (error, written) => {
        if (error !== null || written === 0) {
          // A disk that is full says so, or takes nothing.
          this.#error = error ?? new Error('nothing was written');
          next();
          done(this.#error);
        } else if (at + written < bytes.length) from(fd, at + written, next);
        else {
          next();
          done(null);
        }
      });
    this.#do((fd, next) => from(fd, 0, next), done);
  }

  /** Reads at most `into.length` bytes from there; `length` 0 is the end of the file. */
  read(into: Buffer, position: number, done: (error: Error | null, length: number) => void): void {
    const run: Step = (fd, next) =>
      read(fd, into, 0, into.length, position, (error, length) => {
        next();
        done(error, length);
      });
    this.#do(run, (error) => done(error, 0));
  }

  /** Gives the room back, after what is being done. What had not begun is forgotten; nothing is answered any more. */
  close(): void {
    this.#closed = true;
    this.#steps.length = 0;
    if (!this.#busy) this.#release();
  }

  #do(run: Step, failed: Done): void {
    this.#steps.push({ run, failed });
    if (!this.#busy) this.#next();
  }

  #next(): void {
    this.#busy = false;
    if (this.#closed) return this.#release();
    const step = this.#steps.shift();
    if (step === undefined) return;
    this.#busy = true;
    if (this.#error !== null) {
      const error = this.#error;
      // Never within the call that asks.
      process.nextTick(() => {
        this.#next();
        step.failed(error);
      });
    } else if (this.#fd >= 0) step.run(this.#fd, () => this.#next());
    else this.#open(step);
  }

  #open(first: { readonly run: Step; readonly failed: Done }): void {
    const path = join(this.#folder, `sluice-${randomUUID()}`);
    open(path, 'wx+', 0o600, (failed, fd) => {
      if (failed !== null) {
        this.#error = failed;
        this.#next();
        return first.failed(failed);
      }
      this.#fd = fd;
      unlink(path, () => {
        if (this.#closed) return this.#next();
        first.run(fd, () => this.#next());
      });
    });
  }

  #release(): void {
    if (this.#fd < 0) return;
    close(this.#fd, () => {});
    this.#fd = -1;
  }
}
