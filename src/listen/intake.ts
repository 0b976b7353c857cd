import { CR, LF } from '../core/bytes.ts';

const NOTHING = Buffer.alloc(0);

/**
 * The bytes a connection has in hand: a read that is being worked on, lying in borrowed memory, or what was kept of
 * earlier ones, in memory of its own.
 */
export class Intake {
  bytes: Buffer = NOTHING;
  /** The first byte not used yet. */
  at = 0;
  end = 0;

  get empty(): boolean {
    return this.at >= this.end;
  }

  get length(): number {
    return this.end - this.at;
  }

  /** Adds a read. Its memory is valid until `keep`. */
  add(buffer: Buffer, length: number): void {
    this.bytes = this.empty ? buffer : Buffer.concat([this.#rest(), buffer.subarray(0, length)]);
    this.end = this.bytes === buffer ? length : this.bytes.length;
    this.at = 0;
  }

  /** The read is over: copies what is left out of memory that is not ours. */
  keep(borrowed: Buffer): void {
    if (this.empty) this.clear();
    else if (this.bytes === borrowed) {
      this.bytes = Buffer.from(this.#rest());
      this.end = this.bytes.length;
      this.at = 0;
    }
  }

  /** Steps over empty lines; true when nothing else is here. */
  skipEmptyLines(): boolean {
    while (this.length >= 2 && this.bytes[this.at] === CR && this.bytes[this.at + 1] === LF) this.at += 2;
    return this.empty;
  }

  /** What is here begins with this text. */
  startsWith(text: string): boolean {
    return this.length >= text.length && this.bytes.latin1Slice(this.at, this.at + text.length) === text;
  }

  /** Gives away what is left, or null. */
  take(): Buffer | null {
    const rest = this.empty ? null : Buffer.from(this.#rest());
    this.clear();
    return rest;
  }

  clear(): void {
    this.bytes = NOTHING;
    this.at = 0;
    this.end = 0;
  }

  #rest(): Buffer {
    return this.bytes.subarray(this.at, this.end);
  }
}
