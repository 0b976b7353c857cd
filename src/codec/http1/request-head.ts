import { CR, LF, SP, TARGET, TOKEN } from '../../core/bytes.ts';
import type { ErrorCode } from '../../core/errors.ts';
import * as names from '../../core/names.ts';
import type { Request } from '../../core/request.ts';
import { isAuthority } from './authority.ts';
import { isPadded, parseLength, requestCoding } from './framing.ts';
import { FAILED, LineReader, MORE } from './lines.ts';
import { hasListToken, isWord, trimmed } from './tokens.ts';
import { offeredProtocols } from './upgrade.ts';

/** Bounds of a request's head. */
export interface RequestLimits {
  /** Bytes of the whole head, request line and final empty line included. */
  readonly head: number;
  /** Field lines. */
  readonly fields: number;
  /** Bytes of the request target. */
  readonly target: number;
  /** Forward field names with `_`: some servers fold them onto `-` and so take them for other fields. */
  readonly underscores: boolean;
}

/** Longer methods are refused; the longest registered one has 17 characters (UPDATEREDIRECTREF). */
export const LONGEST_METHOD = 64;
/** `HTTP/1.1` and CRLF. */
const VERSION_LENGTH = 8;
const CONTINUE = '100-continue';
const VERSION = Buffer.from('HTTP/');

/**
 * Parses request heads, RFC 9112 §2 to §3. One parser serves one message at a time and may be fed it in any pieces:
 * `parse` is called again with all bytes of the message so far, and goes on at the line it was in.
 */
export class RequestHeadParser {
  /** Set when `parse` answers `FAILED`. */
  error: ErrorCode = 'bad-request-line';
  readonly #limits: RequestLimits;
  readonly #lines = new LineReader('head-too-large');
  #lineRead = false;
  /** Where the fields start. */
  #fieldsAt = 0;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  reset(): void {
    this.#lineRead = false;
    this.#lines.at = 0;
  }

  /**
   * @param base where the message starts in `buffer`
   * @param end where the bytes received so far end
   * @returns the offset after the head, `MORE`, or `FAILED` with `error` set
   */
  parse(buffer: Buffer, base: number, end: number, request: Request): number {
    if (!this.#lineRead) {
      const outcome = this.#requestLine(buffer, base, end, request);
      if (outcome <= 0) return outcome;
      this.#lineRead = true;
      this.#fieldsAt = outcome - base;
      this.#lines.at = outcome - base;
    }
    const after = this.#lines.read(buffer, base, end, this.#limits.head, this.#limits.fields, request.fields);
    if (after === FAILED) return this.#fail(this.#lines.error);
    if (after === MORE) return MORE;
    const { fields } = request;
    fields.text = buffer.latin1Slice(base, after);
    fields.start = this.#fieldsAt;
    fields.end = after - base - 2;
    this.reset();
    return this.#judge(request) ? after : FAILED;
  }

  #requestLine(buffer: Buffer, base: number, end: number, request: Request): number {
    const limit = base + this.#limits.head;
    const stop = end < limit ? end : limit;
    let i = base;
    // RFC 9112 §2.2: empty lines before the request line are skipped. They count towards the head's limit.
    while (i < stop && buffer[i] === CR) {
      if (i + 1 >= stop) return this.#short(end, limit);
      if (buffer[i + 1] !== LF) return this.#fail('bare-line-end');
      i += 2;
    }
    const methodStart = i;
    while (i < stop && TOKEN[buffer[i]] === 1 && i - methodStart <= LONGEST_METHOD) i++;
    if (i - methodStart > LONGEST_METHOD) return this.#fail('bad-method');
    if (i >= stop) return this.#short(end, limit);
    if (buffer[i] !== SP || i === methodStart) return this.#fail(lineError(buffer[i], 'bad-method'));
    const methodEnd = i++;
    const targetStart = i;
    const targetLimit = targetStart + this.#limits.target;
    const targetStop = targetLimit < stop ? targetLimit : stop;
    while (i < targetStop && TARGET[buffer[i]] === 1) i++;
    if (i >= stop) return this.#short(end, limit);
    if (i >= targetLimit && TARGET[buffer[i]] === 1) return this.#fail('target-too-long');
    if (buffer[i] !== SP || i === targetStart) return this.#fail(lineError(buffer[i], 'bad-target'));
    const targetEnd = i++;
    for (let v = 0; v < VERSION_LENGTH; v++, i++) {
      if (i >= stop) return this.#short(end, limit);
      const code = buffer[i];
      if (v < 5 ? code !== VERSION[v] : v === 6 ? code !== 0x2e : code < 0x30 || code > 0x39) {
        return this.#fail(v === 0 ? lineError(code, 'bad-version') : 'bad-version');
      }
    }
    if (i >= stop) return this.#short(end, limit);
    if (buffer[i] !== CR) return this.#fail(lineError(buffer[i], 'bad-version'));
    if (i + 1 >= stop) return this.#short(end, limit);
    if (buffer[i + 1] !== LF) return this.#fail('bare-line-end');
    if (buffer[i - 3] !== 0x31) return this.#fail('unsupported-version');
    request.method = methodName(buffer, methodStart, methodEnd);
    request.target = buffer.latin1Slice(targetStart, targetEnd);
    request.minor = buffer[i - 1] === 0x30 ? 0 : 1;
    return i + 2;
  }

  /** Everything that is decided by the fields together: framing, Host, target form, connection. */
  #judge(request: Request): boolean {
    const { fields } = request;
    // Looked for once in the whole head: few have any.
    const underscores = !this.#limits.underscores && fields.text.includes('_', this.#fieldsAt);
    let hosts = 0;
    let lengths = 0;
    let codings = 0;
    let connection = false;
    for (let i = 0; i < fields.count; i++) {
      switch (fields.id(i)) {
        case names.HOST:
          if (++hosts > 1) return this.#refuse('bad-host');
          break;
        case names.CONTENT_LENGTH: {
          if (++lengths > 1) return this.#refuse('bad-content-length');
          const value = fields.value(i);
          const length = parseLength(value);
          if (length < 0) return this.#refuse('bad-content-length');
          if (isPadded(value)) {
            fields.drop(i);
            fields.append('Content-Length', String(length));
          }
          request.length = length;
          request.framing = length === 0 ? 'none' : 'length';
          break;
        }
        case names.TRANSFER_ENCODING:
          codings++;
          break;
        case names.CONNECTION:
          connection = true;
          break;
        case names.EXPECT:
          // RFC 9110 §10.1.1: an HTTP/1.0 client's expectation is ignored. It would reach the origin in an HTTP/1.1 request.
          if (request.minor === 0) fields.drop(i);
          else if (!this.#expectation(request, fields.value(i))) return this.#refuse('unknown-expectation');
          break;
        case names.OTHER:
          if (underscores && fields.name(i).includes('_')) fields.drop(i);
          break;
        default:
      }
    }
    if (codings > 0) {
      if (lengths > 0) return this.#refuse('conflicting-length');
      const wrong = requestCoding(fields, request.minor);
      if (wrong !== undefined) return this.#refuse(wrong);
      request.framing = 'chunked';
    }
    if (request.framing === 'none') request.expectsContinue = false;
    return this.#target(request) && this.#host(request, hosts) && this.#connection(request, connection);
  }

  /** A list of which we know one member (RFC 9110 §10.1.1); false when there is another. */
  #expectation(request: Request, value: string): boolean {
    if (isWord(value, CONTINUE)) request.expectsContinue = true;
    else {
      for (const part of value.split(',')) {
        const member = trimmed(part);
        if (isWord(member, CONTINUE)) request.expectsContinue = true;
        else if (member !== '') return false;
      }
    }
    return true;
  }

  #target(request: Request): boolean {
    const { method, target } = request;
    if (target.charCodeAt(0) === 0x2f) {
      if (method === 'CONNECT') return this.#refuse('bad-target');
      return true;
    }
    if (method === 'CONNECT') {
      request.form = 'authority';
      return isAuthority(target, true) || this.#refuse('bad-target');
    }
    if (target === '*') {
      request.form = 'asterisk';
      return method === 'OPTIONS' || this.#refuse('bad-target');
    }
    const match = /^https?:\/\/([^/?]+)/i.exec(target);
    if (match === null || !isAuthority(match[1], false)) return this.#refuse('bad-target');
    request.form = 'absolute';
    return true;
  }

  #host(request: Request, hosts: number): boolean {
    if (hosts === 0) return request.minor === 0 || this.#refuse('bad-host');
    const value = request.fields.value(request.fields.find(names.HOST));
    return isAuthority(value, false) || this.#refuse('bad-host');
  }

  #connection(request: Request, present: boolean): boolean {
    request.keepAlive = request.minor === 1;
    if (present) {
      if (hasListToken(request.fields, names.CONNECTION, 'close')) request.keepAlive = false;
      else if (request.minor === 0) {
        request.keepAlive = hasListToken(request.fields, names.CONNECTION, 'keep-alive');
      }
      // RFC 9110 §7.8: not from HTTP/1.0. And with a body, an origin that switches early would get the rest of it, frames
      // and all, as the new protocol's first bytes.
      const switches = request.minor === 1 && request.framing === 'none';
      if (
        switches &&
        request.fields.find(names.UPGRADE) >= 0 &&
        hasListToken(request.fields, names.CONNECTION, 'upgrade')
      ) {
        request.upgrade = offeredProtocols(request.fields);
      }
    }
    // What follows a refused CONNECT may be meant for the tunnel, and must not be served as requests.
    if (request.form === 'authority') request.keepAlive = false;
    return true;
  }

  #refuse(error: ErrorCode): false {
    this.error = error;
    return false;
  }

  #fail(error: ErrorCode): number {
    this.error = error;
    return FAILED;
  }

  #short(end: number, limit: number): number {
    return end >= limit ? this.#fail('head-too-large') : MORE;
  }
}

/** The common methods are recognised by their length and first byte, so no string is made for them. */
function methodName(buffer: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length === 3 && buffer[start] === 0x47 && buffer[start + 1] === 0x45 && buffer[start + 2] === 0x54) return 'GET';
  return buffer.latin1Slice(start, end);
}

function lineError(stopper: number, otherwise: ErrorCode): ErrorCode {
  if (stopper === LF || stopper === CR) return stopper === LF ? 'bare-line-end' : 'bad-request-line';
  return otherwise;
}
