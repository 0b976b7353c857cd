import { COLON, CR, HOST_CHARACTER, LF, SP, TARGET, TOKEN } from '../../core/bytes.ts';
import type { ErrorCode } from '../../core/errors.ts';
import * as names from '../../core/names.ts';
import type { Request } from '../../core/request.ts';
import { FAILED, LineReader, MORE } from './lines.ts';
import { hasListToken } from './tokens.ts';
import { parseLength, requestCoding } from './framing.ts';

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
const LONGEST_METHOD = 64;
/** `HTTP/1.1` and CRLF. */
const VERSION_LENGTH = 8;
const UNDERSCORE = 0x5f;
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

  /** Whether a head has begun: bytes other than empty lines have been seen. */
  get begun(): boolean {
    return this.#lineRead || this.#lines.at > 0;
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
    while (i < stop && TOKEN[buffer[i] as number] === 1 && i - methodStart <= LONGEST_METHOD) i++;
    if (i - methodStart > LONGEST_METHOD) return this.#fail('bad-method');
    if (i >= stop) return this.#short(end, limit);
    if (buffer[i] !== SP || i === methodStart) return this.#fail(lineError(buffer[i] as number, 'bad-method'));
    const methodEnd = i++;
    const targetStart = i;
    const targetLimit = targetStart + this.#limits.target;
    const targetStop = targetLimit < stop ? targetLimit : stop;
    while (i < targetStop && TARGET[buffer[i] as number] === 1) i++;
    if (i >= targetLimit && (i < end ? TARGET[buffer[i] as number] === 1 : false)) return this.#fail('target-too-long');
    if (i >= stop) return this.#short(end, limit);
    if (buffer[i] !== SP || i === targetStart) return this.#fail(lineError(buffer[i] as number, 'bad-target'));
    const targetEnd = i++;
    for (let v = 0; v < VERSION_LENGTH; v++, i++) {
      if (i >= stop) return this.#short(end, limit);
      const code = buffer[i] as number;
      if (v < 5 ? code !== VERSION[v] : v === 6 ? code !== 0x2e : code < 0x30 || code > 0x39) {
        return this.#fail(v === 0 ? lineError(code, 'bad-version') : 'bad-version');
      }
    }
    if (i >= stop) return this.#short(end, limit);
    if (buffer[i] !== CR) return this.#fail(lineError(buffer[i] as number, 'bad-version'));
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
          const length = parseLength(fields.value(i));
          if (length < 0) return this.#refuse('bad-content-length');
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
          // RFC 9110 §10.1.1: an HTTP/1.0 client's expectation is ignored.
          if (request.minor === 1) {
            if (fields.value(i).toLowerCase() !== '100-continue') return this.#refuse('unknown-expectation');
            request.expectsContinue = true;
          }
          break;
        case names.OTHER:
          if (!this.#limits.underscores && hasUnderscore(fields.name(i))) fields.drop(i);
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
    if (match === null || !isAuthority(match[1] as string, false)) return this.#refuse('bad-target');
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
      const upgrade = request.minor === 1 ? request.fields.find(names.UPGRADE) : -1;
      if (upgrade >= 0 && hasListToken(request.fields, names.CONNECTION, 'upgrade')) {
        request.upgrade = offeredProtocols(request);
      }
    }
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

function hasUnderscore(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) === UNDERSCORE) return true;
  return false;
}

/** `uri-host [ ":" port ]` (RFC 9110 §7.2), without userinfo. The host may not be empty. */
export function isAuthority(text: string, portRequired: boolean): boolean {
  let i = 0;
  if (text.charCodeAt(0) === 0x5b) {
    const close = text.indexOf(']');
    if (close < 3 || !/^[0-9a-f:.]+$/i.test(text.slice(1, close))) return false;
    i = close + 1;
  } else {
    while (i < text.length && HOST_CHARACTER[text.charCodeAt(i)] === 1) i++;
    if (i === 0) return false;
  }
  if (i === text.length) return !portRequired;
  if (text.charCodeAt(i) !== COLON) return false;
  if (++i === text.length) return !portRequired;
  let port = 0;
  for (; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
    if (port > 65_535) return false;
  }
  return true;
}

/**
 * What may be offered to the origin. HTTP/2 in clear text is taken out: an origin that accepts it would open a tunnel
 * through which requests pass that no rule here has seen.
 */
function offeredProtocols(request: Request): string {
  const offered: string[] = [];
  for (let i = 0; i < request.fields.count; i++) {
    if (request.fields.id(i) !== names.UPGRADE) continue;
    for (const part of request.fields.value(i).split(',')) {
      const protocol = part.trim();
      if (protocol !== '' && !/^(?:h2c?|http)(?:$|[/-])/i.test(protocol)) offered.push(protocol);
    }
  }
  return offered.join(', ');
}
