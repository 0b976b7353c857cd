import type { CodecLimits } from '../codec.ts';
import * as codes from './codes.ts';

/** A head comes in a few frames; thousands of tiny ones are an attack (CVE-2024-27316, CVE-2024-28182). */
const MOST_CONTINUATIONS = 32;
/**
 * Room beyond twice the limit of a head. Up to here a head that is too large is decoded nevertheless, because the table has
 * to be kept: then only its stream fails.
 */
const SLACK = 16_384;

/** The block of a head: HEADERS, and any CONTINUATION after it (RFC 9113 §4.3). */
export class HeadBlock {
  /** More of it is to come. */
  open = false;
  complete = false;
  stream = 0;
  /** The head ends its stream. */
  ends = false;
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  readonly #most: number;
  #count = 0;

  constructor({ head }: CodecLimits) {
    this.#most = head * 2 + SLACK;
  }

  /** Takes a HEADERS frame; false when its padding is wrong. The bytes are valid until `close`, if it is complete. */
  begin(flags: number, stream: number, bytes: Buffer, start: number, end: number): boolean {
    let from = start;
    let to = end;
    if ((flags & codes.PADDED) !== 0) {
      if (from === to) return false;
      to -= bytes[from++];
    }
    // RFC 9113 §5.3.2: priorities are a thing of the past.
    if ((flags & codes.WITH_PRIORITY) !== 0) from += 5;
    if (to < from) return false;
    this.stream = stream;
    this.ends = (flags & codes.END_STREAM) !== 0;
    this.complete = (flags & codes.END_HEADERS) !== 0;
    this.open = !this.complete;
    this.#count = 0;
    this.start = from;
    this.end = to;
    this.bytes = bytes;
    if (this.open) this.#keep(bytes, from, to);
    return true;
  }

  /** Takes a CONTINUATION frame; false when there has been too much. */
  add(flags: number, bytes: Buffer, start: number, end: number): boolean {
    if (++this.#count > MOST_CONTINUATIONS || this.end + end - start > this.#most) return false;
    const size = this.end + end - start;
    if (size > this.bytes.length) {
      const wider = Buffer.allocUnsafe(Math.min(size * 2, this.#most));
      this.bytes.copy(wider, 0, 0, this.end);
      this.bytes = wider;
    }
    bytes.copy(this.bytes, this.end, start, end);
    this.end = size;
    this.complete = (flags & codes.END_HEADERS) !== 0;
    this.open = !this.complete;
    return true;
  }

  /** Lets go of its memory. */
  close(): void {
    this.bytes = EMPTY;
    this.open = false;
    this.complete = false;
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.bytes = Buffer.from(bytes.subarray(start, end));
    this.start = 0;
    this.end = end - start;
  }
}

const EMPTY = Buffer.alloc(0);
