import type { Answer } from '../core/answer.ts';
import type { Clock } from '../core/clock.ts';
import { errorAnswer, phraseOf } from '../core/error-answer.ts';
import type { ErrorCode } from '../core/errors.ts';
import * as names from '../core/names.ts';
import type { Framing, Request } from '../core/request.ts';
import type { WireLike } from '../core/wire.ts';

/** `Date` as text, made once a second. */
export class DateLine {
  readonly #clock: Clock;
  #second = -1;
  #line = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(): string {
    const second = Math.floor(this.#clock.wall() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#line = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
    }
    return this.#line;
  }
}

/** Writes one client's answers as HTTP/1.1, RFC 9112: chooses the framing the client can read, counts, frames. */
export class AnswerWriter {
  /** The final head has been written. */
  started = false;
  /** The answer is complete. */
  ended = false;
  /** How the client finds the end of this answer's body. */
  framing: Framing = 'none';
  /** Body bytes written, without framing. */
  bytes = 0;
  readonly #wire: WireLike;
  readonly #date: DateLine;
  #left = 0;

  constructor(wire: WireLike, date: DateLine) {
    this.#wire = wire;
    this.#date = date;
  }

  reset(): void {
    this.started = false;
    this.ended = false;
    this.framing = 'none';
    this.bytes = 0;
  }

  interim(answer: Answer): void {
    answer.fields.dropAll(names.CONTENT_LENGTH);
    this.#wire.text(`HTTP/1.1 ${lineOf(answer)}\r\n${answer.fields.lines()}\r\n`);
  }

  /**
   * Writes a final head.
   * @param keep the connection is to outlive the exchange
   * @returns whether it can: an HTTP/1.0 client finds the end of a body of unknown length by the connection's end
   */
  head(answer: Answer, request: Request, keep: boolean): boolean {
    this.started = true;
    const { fields } = answer;
    let stays = keep;
    let tail = '';
    if (answer.status === 101) {
      stays = false;
      tail = `Connection: Upgrade\r\nUpgrade: ${answer.upgrade}\r\n`;
    } else {
      this.framing = answer.framing;
      // RFC 9110 §8.6: an answer that can have no body states no length.
      if (answer.status === 204) fields.dropAll(names.CONTENT_LENGTH);
      if (answer.framing === 'length') this.#left = answer.length;
      else if (answer.framing === 'chunked' || answer.framing === 'close') {
        if (request.minor === 1) {
          this.framing = 'chunked';
          tail = 'Transfer-Encoding: chunked\r\n';
        } else {
          this.framing = 'close';
          stays = false;
        }
      }
      if (!stays) tail += 'Connection: close\r\n';
      else if (request.minor === 0) tail += 'Connection: keep-alive\r\n';
      // RFC 9110 §15.5.22: 426 says what to upgrade to.
      if (answer.status === 426 && answer.upgrade !== '')
        tail += `Connection: Upgrade\r\nUpgrade: ${answer.upgrade}\r\n`;
    }
    // RFC 9110 §6.6.1: whoever has a clock adds the Date that is missing.
    if (fields.find(names.DATE) < 0 && (fields.added === '' || fields.get('date') === undefined)) {
      tail += this.#date.get();
    }
    this.#wire.text(`HTTP/1.1 ${lineOf(answer)}\r\n${fields.lines()}${tail}\r\n`);
    return stays;
  }

  body(buffer: Buffer, start: number, end: number): void {
    const length = end - start;
    this.bytes += length;
    switch (this.framing) {
      case 'length':
        this.#left -= length;
        this.#wire.bytes(buffer, start, end);
        break;
      case 'chunked':
        if (length === 0) return;
        this.#wire.text(`${length.toString(16)}\r\n`);
        this.#wire.bytes(buffer, start, end);
        this.#wire.text('\r\n');
        break;
      case 'close':
        this.#wire.bytes(buffer, start, end);
        break;
      default:
        this.bytes -= length;
    }
  }

  end(trailers: string): void {
    this.ended = true;
    if (this.framing === 'chunked') this.#wire.text(`0\r\n${trailers}\r\n`);
  }

  /** Bytes of a `length` body still owed to the client. */
  get owed(): number {
    return this.framing === 'length' ? this.#left : 0;
  }

  /** Writes a complete answer about an error, and that the connection ends; returns its status. */
  error(code: ErrorCode, request: Request): number {
    // The head may not have been read to its end: then there is no text to look fields up in.
    const index = request.fields.text === '' ? -1 : request.fields.find(names.ACCEPT);
    const { status, lines, body } = errorAnswer(code, index < 0 ? '' : request.fields.value(index), '');
    this.whole(status, lines, body, request, false);
    return status;
  }

  /** Writes a complete answer made here. `body` is one character per byte. */
  whole(status: number, lines: string, body: string, request: Request | null, keep: boolean): void {
    this.started = true;
    this.ended = true;
    const bodiless = status === 204 || status === 304;
    this.bytes = bodiless || request?.method === 'HEAD' ? 0 : body.length;
    const connection = keep ? (request?.minor === 0 ? 'Connection: keep-alive\r\n' : '') : 'Connection: close\r\n';
    const length = bodiless ? '' : `Content-Length: ${body.length}\r\n`;
    const head = `HTTP/1.1 ${status} ${phraseOf(status)}\r\n${lines}${length}${connection}${this.#date.get()}\r\n`;
    this.#wire.text(this.bytes === 0 ? head : head + body);
  }
}

/** RFC 9112 §4: the space after the status stays where the reason phrase is missing. */
function lineOf(answer: Answer): string {
  return answer.line.length === 3 ? `${answer.line} ` : answer.line;
}
