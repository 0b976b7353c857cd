import { CR, FIELD_VALUE, LF, SP } from '../../core/bytes.ts';
import type { Answer } from '../../core/answer.ts';
import type { Fields } from '../../core/fields.ts';
import * as names from '../../core/names.ts';
import { isPadded, parseLength } from './framing.ts';
import { FAILED, LineReader, MORE } from './lines.ts';
import { hasListToken, isWord, listMembers, trimmed } from './tokens.ts';

const HTTP1 = Buffer.from('HTTP/1.');
/** Where the status code of a status line starts. */
const LINE_AT = 9;

/**
 * Parses heads of answers: a status line and fields (RFC 9112 §4), or fields alone whose `Status` gives the code (CGI,
 * RFC 3875 §6). May be fed in any pieces, like the request parser.
 */
export class AnswerHeadParser {
  /** What is wrong, for the log. */
  detail = '';
  readonly #most: number;
  readonly #fields: number;
  readonly #cgi: boolean;
  readonly #lines = new LineReader('answer-head-too-large', true);
  #lineRead = false;
  #fieldsAt = 0;

  /** @param cgi the answer has no status line */
  constructor(most: number, fields: number, cgi: boolean) {
    this.#most = most;
    this.#fields = fields;
    this.#cgi = cgi;
  }

  /** Whether the failure was one of size. */
  get tooLarge(): boolean {
    return this.#lines.error === 'answer-head-too-large';
  }

  reset(): void {
    this.#lineRead = false;
    this.#lines.at = 0;
    this.#lines.error = 'bad-field';
    if (this.#lines.spaced.length > 0) this.#lines.spaced.length = 0;
  }

  /**
   * @param head the request was HEAD: the answer has no body whatever its fields say
   * @returns the offset after the head, `MORE`, or `FAILED` with `detail` set
   */
  parse(buffer: Buffer, base: number, end: number, answer: Answer, head: boolean): number {
    if (!this.#lineRead) {
      const outcome = this.#cgi ? base : this.#statusLine(buffer, base, end, answer);
      if (outcome < 0 || (outcome === MORE && !this.#cgi)) return outcome;
      this.#lineRead = true;
      this.#fieldsAt = outcome - base;
      this.#lines.at = outcome - base;
    }
    const { fields } = answer;
    const after = this.#lines.read(buffer, base, end, this.#most, this.#fields, fields);
    if (after === FAILED) return this.#fail(`field line ${fields.count + 1}: ${this.#lines.error}`);
    if (after === MORE) return MORE;
    fields.text = buffer.latin1Slice(base, after);
    fields.start = this.#fieldsAt;
    fields.end = after - base - 2;
    if (this.#lines.spaced.length > 0) this.#respell(fields);
    if (!this.#cgi) answer.line = statusOf(fields.text.slice(LINE_AT, this.#fieldsAt - 2));
    else if (!this.#statusField(answer)) return FAILED;
    return this.#judge(answer, head) ? after : FAILED;
  }

  #statusLine(buffer: Buffer, base: number, end: number, answer: Answer): number {
    const limit = base + this.#most;
    const stop = end < limit ? end : limit;
    const short = (): number => {
      if (end < limit) return MORE;
      this.#lines.error = 'answer-head-too-large';
      return this.#fail('status line');
    };
    let i = base;
    for (let v = 0; v < 7; v++, i++) {
      if (i >= stop) return short();
      if (buffer[i] !== HTTP1[v]) return this.#fail('no HTTP/1 status line');
    }
    if (i >= stop) return short();
    const minor = buffer[i++] - 0x30;
    if (minor < 0 || minor > 9) return this.#fail('bad version');
    if (i >= stop) return short();
    if (buffer[i++] !== SP) return this.#fail('bad status line');
    let status = 0;
    for (let d = 0; d < 3; d++, i++) {
      if (i >= stop) return short();
      const digit = buffer[i] - 0x30;
      if (digit < 0 || digit > 9) return this.#fail('bad status code');
      status = status * 10 + digit;
    }
    if (i >= stop) return short();
    // The space before an empty reason phrase is left out by some servers.
    if (buffer[i] !== SP && buffer[i] !== CR) return this.#fail('bad status code');
    while (i < stop && FIELD_VALUE[buffer[i]] === 1) i++;
    if (i >= stop) return short();
    if (buffer[i] !== CR) return this.#fail('bad status line');
    if (i + 1 >= stop) return short();
    if (buffer[i + 1] !== LF) return this.#fail('bare CR in status line');
    if (status < 100) return this.#fail('bad status code');
    answer.status = status;
    answer.minor = minor === 0 ? 0 : 1;
    return i + 2;
  }

  /**
   * RFC 9112 §5.1: white space before a colon is taken out. Rare, so the fields are written anew and read again: what
   * judges them, drops them and sends them on then sees nothing unusual.
   */
  #respell(fields: Fields): void {
    let text = fields.text.slice(0, this.#fieldsAt);
    for (let i = 0; i < fields.count; i++) text += `${fields.name(i)}: ${fields.value(i)}\r\n`;
    const bytes = Buffer.from(`${text}\r\n`, 'latin1');
    const lines = new LineReader('answer-head-too-large');
    lines.at = this.#fieldsAt;
    fields.clear();
    lines.read(bytes, 0, bytes.length, Infinity, Infinity, fields);
    fields.text = `${text}\r\n`;
    fields.start = this.#fieldsAt;
    fields.end = text.length;
  }

  /** RFC 3875 §6.3.3: `Status: 404 Not Found`, else 302 with a `Location`, else 200. */
  #statusField(answer: Answer): boolean {
    const { fields } = answer;
    answer.line = fields.find(names.LOCATION) < 0 ? '200 OK' : '302 Found';
    for (let i = fields.find(names.STATUS), seen = ''; i >= 0; i = fields.find(names.STATUS)) {
      const stated = fields.value(i);
      if (!/^[1-9]\d\d(?: .*)?$/.test(stated)) return this.#refuse('bad Status');
      if (seen !== '' && seen !== stated) return this.#refuse('contradictory Status');
      answer.line = seen = stated;
      fields.drop(i);
    }
    answer.status = Number(answer.line.slice(0, 3));
    // §6.3.4 leaves framing to the server. Whether the program has coded its output can only be guessed.
    if (fields.find(names.TRANSFER_ENCODING) >= 0) return this.#refuse('Transfer-Encoding in a CGI answer');
    answer.line = statusOf(answer.line);
    return true;
  }

  /** RFC 9112 §6.3: how the body ends, and whether the connection outlives it. */
  #judge(answer: Answer, head: boolean): boolean {
    const { fields } = answer;
    let length = -1;
    let coded = false;
    let connection = false;
    for (let i = 0; i < fields.count; i++) {
      switch (fields.id(i)) {
        case names.CONTENT_LENGTH: {
          const value = fields.value(i);
          const stated = statedLength(value);
          if (stated < 0) return this.#refuse('bad Content-Length');
          if (length >= 0 && stated !== length) return this.#refuse('contradictory Content-Length');
          // Repeated alike, on several lines or in one: one plain value goes on.
          if (length >= 0) fields.drop(i);
          else if (isPadded(value) || value.includes(',')) {
            fields.drop(i);
            fields.append('Content-Length', String(stated));
          }
          length = stated;
          break;
        }
        case names.TRANSFER_ENCODING:
          coded = true;
          break;
        case names.CONNECTION:
          connection = true;
          break;
        case names.UPGRADE:
          answer.upgrade = answer.upgrade === '' ? fields.value(i) : `${answer.upgrade}, ${fields.value(i)}`;
          break;
        case names.KEEP_ALIVE:
          answer.keepAliveTimeout = timeoutOf(fields.value(i), answer.keepAliveTimeout);
          break;
        default:
      }
    }
    answer.length = length;
    answer.keepAlive = answer.minor === 1;
    if (connection) {
      if (hasListToken(fields, names.CONNECTION, 'close')) answer.keepAlive = false;
      else if (answer.minor === 0) answer.keepAlive = hasListToken(fields, names.CONNECTION, 'keep-alive');
    }
    if (coded && length >= 0) return this.#refuse('both Content-Length and Transfer-Encoding');
    // RFC 9110 §8.6: no length may go out with these. It would be taken for one of a body that does not come.
    if (length >= 0 && (answer.status < 200 || answer.status === 204)) fields.delete('content-length');
    if (head || answer.status < 200 || answer.status === 204 || answer.status === 304) answer.framing = 'none';
    else if (coded) return this.#coding(answer);
    else if (length >= 0) answer.framing = length === 0 ? 'none' : 'length';
    else {
      answer.framing = 'close';
      answer.keepAlive = false;
    }
    return true;
  }

  #coding(answer: Answer): boolean {
    const codings = listMembers(answer.fields, names.TRANSFER_ENCODING);
    if (codings.length === 1 && isWord(codings[0], 'chunked')) {
      answer.framing = 'chunked';
      // RFC 9112 §6.1: in HTTP/1.0 the framing is suspect; whatever follows must not be taken for an answer.
      if (answer.minor === 0) answer.keepAlive = false;
      return true;
    }
    return this.#refuse(`transfer coding ${codings.join(', ') || '(empty)'} was not asked for`);
  }

  #refuse(detail: string): false {
    this.detail = detail;
    return false;
  }

  #fail(detail: string): number {
    this.detail = detail;
    return FAILED;
  }
}

/** RFC 9112 §4: the space after the code is sent even when no reason follows, though some servers leave it out. */
function statusOf(line: string): string {
  return line.length === 3 ? `${line} ` : line;
}

/** A length stated once, or several times alike in one line (`5, 5`); -1 when malformed or contradictory. */
function statedLength(value: string): number {
  const plain = parseLength(value);
  if (plain >= 0 || !value.includes(',')) return plain;
  const all = value.split(',').map((part) => parseLength(trimmed(part)));
  return all.every((one) => one === all[0]) ? all[0] : -1;
}

/** The seconds of `timeout=5, max=100`; `otherwise` without. Nearly every server puts it first. */
function timeoutOf(value: string, otherwise: number): number {
  const hint = /^timeout=(\d{1,6})/i.exec(value) ?? /[\s,;]timeout=(\d{1,6})/i.exec(value);
  return hint === null ? otherwise : Number(hint[1]);
}
