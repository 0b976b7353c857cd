import type { Answer } from '../../core/answer.ts';
import { CR, LF } from '../../core/bytes.ts';
import { LOCATION } from '../../core/names.ts';
import { AnswerHeadParser } from '../http1/answer-head.ts';
import { FAILED, MORE } from '../http1/lines.ts';

/** How a status line begins: a script that writes its whole answer itself ("non-parsed header", RFC 3875 §5). */
const STATUS_LINE = 'HTTP/1.';
const FIRST_ROOM = 1024;

/**
 * Reads the head of a CGI answer (RFC 3875 §6) in any pieces. Lines end with LF or CRLF, as the system has it. Everything
 * else is judged as strictly as the head of an HTTP answer, since it becomes one: the lines are brought to CRLF first and
 * then go through the same parser.
 */
export class CgiHeadReader {
  /** What is wrong, for the log. */
  detail = '';
  /** The failure was one of size. */
  tooLarge = false;
  readonly #most: number;
  readonly #fields: AnswerHeadParser;
  readonly #whole: AnswerHeadParser;
  #held: Buffer | null = null;
  #size = 0;
  /** From the head's first byte: where the present line starts, and what has been looked at. */
  #line = 0;
  #seen = 0;
  #bare = false;
  #localRedirects = false;

  /**
   * @param most bytes that a head may have
   * @param fields fields that it may have
   */
  constructor(most: number, fields: number) {
    this.#most = most;
    this.#fields = new AnswerHeadParser(Infinity, fields, true);
    this.#whole = new AnswerHeadParser(Infinity, fields, false);
  }

  /** Some of a head has come. */
  get begun(): boolean {
    return this.#seen > 0;
  }

  /** @param localRedirects heads that are local redirects say so */
  reset(localRedirects = false): void {
    this.#localRedirects = localRedirects;
    this.detail = '';
    this.tooLarge = false;
    this.#held = null;
    this.#size = 0;
    this.#line = 0;
    this.#seen = 0;
    this.#bare = false;
  }

  /**
   * @param head the request was HEAD
   * @returns the offset after the head, `MORE`, or `FAILED` with `detail` set
   */
  read(buffer: Buffer, start: number, end: number, answer: Answer, head: boolean): number {
    const before = this.#size;
    // Bytes beyond the limit are never looked at, or the pieces would decide between "too large" and another error.
    const stop = Math.min(end, start + this.#most - before);
    const held = this.#held === null ? null : this.#hold(buffer, start, stop);
    const after = held === null ? this.#scan(buffer, start, stop) : this.#scan(held, 0, this.#size);
    if (after > 0) {
      const read =
        held === null ? this.#parse(buffer, start, after, answer, head) : this.#parse(held, 0, after, answer, head);
      if (!read) return FAILED;
      return held === null ? after : start + after - before;
    }
    if (this.#seen >= this.#most) {
      this.tooLarge = true;
      this.detail = `more than ${this.#most} bytes`;
      return FAILED;
    }
    if (held === null) this.#hold(buffer, start, stop);
    return MORE;
  }

  /** The offset after the empty line, or 0. */
  #scan(buffer: Buffer, base: number, stop: number): number {
    for (let i = base + this.#seen; i < stop; i++) {
      if (buffer[i] !== LF) continue;
      const line = base + this.#line;
      const bare = i === line || buffer[i - 1] !== CR;
      if (bare) this.#bare = true;
      if (i === line || (i === line + 1 && !bare)) return i + 1;
      this.#line = i + 1 - base;
    }
    this.#seen = stop - base;
    return 0;
  }

  #parse(buffer: Buffer, start: number, after: number, answer: Answer, head: boolean): boolean {
    // RFC 3875 §6.2: at least one field. A body without any head would otherwise lose its first lines, if they are empty.
    if (after - start <= 2) {
      this.detail = 'no field';
      return false;
    }
    let bytes = buffer;
    let base = start;
    let stop = after;
    if (this.#bare) {
      bytes = Buffer.from(buffer.latin1Slice(start, after).replaceAll(/\r?\n/g, '\r\n'), 'latin1');
      base = 0;
      stop = bytes.length;
    }
    const first = bytes.latin1Slice(base, Math.min(stop, base + STATUS_LINE.length));
    const parser = first === STATUS_LINE ? this.#whole : this.#fields;
    parser.reset();
    answer.clear();
    // Only what stands before the empty line is there, so the parser ends exactly with it.
    if (parser.parse(bytes, base, stop, answer, head) === stop && answer.status >= 200) {
      if (this.#localRedirects && parser === this.#fields) answer.elsewhere = localTarget(answer);
      return true;
    }
    this.tooLarge = parser.tooLarge;
    this.detail = answer.status > 0 && answer.status < 200 ? `status ${answer.status}` : parser.detail;
    return false;
  }

  /** Keeps a piece; the room doubles, so that a head in single bytes costs no more than one in one piece. */
  #hold(buffer: Buffer, start: number, stop: number): Buffer {
    const size = this.#size + stop - start;
    let held = this.#held;
    if (held === null || held.length < size) {
      const wider = Buffer.allocUnsafe(Math.max(FIRST_ROOM, size * 2));
      held?.copy(wider, 0, 0, this.#size);
      this.#held = held = wider;
    }
    buffer.copy(held, this.#size, start, stop);
    this.#size = size;
    return held;
  }
}

/**
 * RFC 3875 §6.2.2: a Location that is a path, and no other field. Everything else is for the client: a Status, a type or a
 * cookie beside it shows that the program means a redirect. A path of two slashes would be another host's.
 */
function localTarget({ fields }: Answer): string {
  if (fields.count !== 1 || fields.id(0) !== LOCATION) return '';
  const target = fields.value(0);
  return /^\/(?!\/)[\x21\x22\x24-\x5b\x5d-\x7e]*$/.test(target) ? target : '';
}
