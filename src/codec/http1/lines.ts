import { COLON, CR, FIELD_VALUE, HTAB, LF, SP, TOKEN } from '../../core/bytes.ts';
import type { Fields } from '../../core/fields.ts';
import { identify } from '../../core/names.ts';
import type { ErrorCode } from '../../core/errors.ts';

/** What reading field lines came to: an offset when all were read, or one of these. */
export const MORE = 0;
export const FAILED = -1;

/**
 * Reads field lines until the empty one. It can stop after any byte and go on when more has arrived: it restarts at the
 * line it was in, so the same bytes give the same result however they were split. Used for heads and trailers of both
 * sides.
 *
 * Strict on purpose (RFC 9112 §2.2, §5): CRLF only, no folding, nothing between name and colon, no controls. Each
 * leniency has been a smuggling vector between two servers that disagreed about it.
 */
export class LineReader {
  /** Where the line to read next starts, from the message's first byte. */
  at = 0;
  /** Set when `read` answers `FAILED`. */
  error: ErrorCode = 'bad-field';
  /** Fields that had white space before their colon; only where that is let through. */
  readonly spaced: number[] = [];
  readonly #tooLarge: ErrorCode;
  readonly #spaces: boolean;

  /**
   * @param tooLarge the error for a section beyond its limits
   * @param spaces let white space before a colon pass: RFC 9112 §5.1 wants a proxy to take it out of answers
   */
  constructor(tooLarge: ErrorCode, spaces = false) {
    this.#tooLarge = tooLarge;
    this.#spaces = spaces;
  }

  /**
   * @param base where the message starts in `buffer`
   * @param end where the bytes received so far end
   * @param most bytes the section may have, counted from `base`
   * @param mostFields field lines it may have
   * @returns the offset after the empty line, `MORE`, or `FAILED` with `error` set
   */
  read(buffer: Buffer, base: number, end: number, most: number, mostFields: number, fields: Fields): number {
    // Bytes beyond the limit are never looked at: else the split would decide between "too large" and another error.
    const limit = base + most;
    const stop = end < limit ? end : limit;
    let i = base + this.at;
    for (;;) {
      if (i >= stop) return this.#short(end, limit);
      const first = buffer[i];
      if (first === CR) {
        if (i + 1 >= stop) return this.#short(end, limit);
        if (buffer[i + 1] !== LF) return this.fail('bare-line-end');
        return i + 2;
      }
      const nameStart = i;
      while (i < stop && TOKEN[buffer[i]] === 1) i++;
      if (i >= stop) return this.#short(end, limit);
      const nameEnd = i;
      if (this.#spaces && i > nameStart && buffer[i] !== COLON) {
        while (i < stop && (buffer[i] === SP || buffer[i] === HTAB)) i++;
        if (i >= stop) return this.#short(end, limit);
      }
      if (buffer[i] !== COLON || i === nameStart) return this.fail(nameError(buffer[i], i === nameStart));
      const spaced = i++ !== nameEnd;
      while (i < stop && (buffer[i] === SP || buffer[i] === HTAB)) i++;
      const valueStart = i;
      while (i < stop && FIELD_VALUE[buffer[i]] === 1) i++;
      if (i >= stop) return this.#short(end, limit);
      if (buffer[i] !== CR) return this.fail(buffer[i] === LF ? 'bare-line-end' : 'bad-field');
      if (i + 1 >= stop) return this.#short(end, limit);
      if (buffer[i + 1] !== LF) return this.fail('bare-line-end');
      let valueEnd = i;
      while (valueEnd > valueStart && (buffer[valueEnd - 1] === SP || buffer[valueEnd - 1] === HTAB)) valueEnd--;
      i += 2;
      if (fields.count >= mostFields) return this.fail(this.#tooLarge);
      if (spaced) this.spaced.push(fields.count);
      const id = identify(buffer, nameStart, nameEnd);
      fields.push(id, nameStart - base, nameEnd - base, valueStart - base, valueEnd - base);
      this.at = i - base;
    }
  }

  fail(error: ErrorCode): number {
    this.error = error;
    return FAILED;
  }

  #short(end: number, limit: number): number {
    return end >= limit ? this.fail(this.#tooLarge) : MORE;
  }
}

function nameError(stopper: number, empty: boolean): ErrorCode {
  if (stopper === LF) return 'bare-line-end';
  if (empty && (stopper === SP || stopper === HTAB)) return 'folded-field';
  return 'bad-field';
}
