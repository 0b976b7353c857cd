import { TARGET, TOKEN } from '../../core/bytes.ts';
import type { ErrorCode } from '../../core/errors.ts';
import * as names from '../../core/names.ts';
import type { Request } from '../../core/request.ts';
import { isAuthority } from '../http1/authority.ts';
import { mayTrail } from '../http1/chunks.ts';
import { isPadded, parseLength } from '../http1/framing.ts';
import { LONGEST_METHOD, type RequestLimits } from '../http1/request-head.ts';
import type { Field } from './field.ts';
import type { FieldSink } from './hpack-decoder.ts';

/** The pseudo-fields of a request, RFC 9113 §8.3.1. Extended CONNECT (RFC 8441) is not offered to clients. */
const PSEUDO: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path']);

/**
 * Makes a request, or lines of trailers, from decoded fields and judges them (RFC 9113 §8.2, §8.3.1) as strictly as a head of
 * HTTP/1: behind us it may become one, and what is no field there must not get there.
 */
export class RequestFields implements FieldSink {
  /** What is wrong; '' when nothing is. */
  error: ErrorCode | '' = '';
  detail = '';
  readonly #limits: RequestLimits;
  /** `null` for trailers, and for what is decoded for the table's sake only. */
  #request: Request | null = null;
  readonly #pseudo = new Map<string, string>();
  #text = '';
  #count = 0;
  #size = 0;
  #cookie = '';
  /** What Host and `:authority` say, and Hosts that came. */
  #host: string | undefined;
  #hosts = 0;
  #stated = false;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /** @param request empty; null for trailers */
  begin(request: Request | null): void {
    this.error = '';
    this.detail = '';
    this.#request = request;
    this.#pseudo.clear();
    this.#text = '';
    this.#count = 0;
    this.#size = 0;
    this.#cookie = '';
    this.#host = undefined;
    this.#hosts = 0;
    this.#stated = false;
  }

  field(field: Field): void {
    // The rest is decoded for the table's sake only.
    if (this.error !== '') return;
    this.#size += field.name.length + field.value.length + 4;
    if (field.fault !== '') this.#wrong('bad-field', `field ${this.#count + 1}: ${field.fault}`);
    else if (this.#size > this.#limits.head) this.#large(`more than ${this.#limits.head} bytes`);
    else if (field.pseudo) this.#pseudoField(field);
    else if (++this.#count > this.#limits.fields) this.#large(`more than ${this.#limits.fields} fields`);
    else if (this.#request === null) this.#trailer(field);
    else this.#regular(this.#request, field);
  }

  /** The lines that may be passed on. */
  get trailers(): string {
    return this.#text;
  }

  /**
   * Completes the request; what is known of it is there also when it is refused, for the log.
   * @param ends it has no body
   */
  finish(ends: boolean): boolean {
    const request = this.#request as Request;
    request.http2 = true;
    this.#target(request);
    if (this.#cookie !== '') this.#add(request, names.COOKIE, 'cookie', this.#cookie);
    const { fields } = request;
    fields.text = this.#text;
    fields.end = this.#text.length;
    if (this.error !== '') return false;
    this.#framing(request, ends);
    return this.error === '';
  }

  // ---- inside

  #pseudoField({ name, value }: Field): void {
    if (this.#request === null) this.#wrong('bad-field', `${name} in trailers`);
    else if (!PSEUDO.has(name)) this.#wrong('bad-request-line', `unknown pseudo-field ${name}`);
    else if (this.#pseudo.has(name)) this.#wrong('bad-request-line', `${name} twice`);
    else if (this.#count > 0) this.#wrong('bad-request-line', `${name} after other fields`);
    else {
      this.#pseudo.set(name, value);
      // The first line, so that the rest of the program finds the authority where it is used to.
      if (name !== ':authority') return;
      this.#host = value;
      this.#add(this.#request, names.HOST, 'host', value);
    }
  }

  #regular(request: Request, { id, name, value }: Field): void {
    switch (id) {
      case names.CONNECTION:
      case names.KEEP_ALIVE:
      case names.PROXY_CONNECTION:
      case names.TRANSFER_ENCODING:
      case names.UPGRADE:
        // RFC 9113 §8.2.2. In HTTP/1 behind us it would frame the message anew.
        return this.#wrong('bad-field', `the connection field ${name}`);
      case names.TE:
        if (value.toLowerCase() !== 'trailers') return this.#wrong('bad-field', 'te other than trailers');
        break;
      case names.HOST:
        // RFC 9113 §8.3.1: it may say once more what `:authority` says.
        if (this.#hosts++ > 0 || (this.#host ?? value).toLowerCase() !== value.toLowerCase())
          this.#wrong('bad-host', '');
        if (this.#host !== undefined) return;
        this.#host = value;
        break;
      case names.CONTENT_LENGTH:
        return this.#length(request, name, value);
      case names.EXPECT:
        if (value.toLowerCase() !== '100-continue') return this.#wrong('unknown-expectation', '');
        request.expectsContinue = true;
        break;
      case names.COOKIE:
        // RFC 9113 §8.2.3: a cookie may come in crumbs, each a field. Elsewhere there is one field.
        this.#cookie = this.#cookie === '' ? value : `${this.#cookie}; ${value}`;
        return;
      case names.OTHER:
        // As in HTTP/1: to many applications X_Real_IP and X-Real-IP are one.
        if (!this.#limits.underscores && name.includes('_')) return;
        break;
      default:
    }
    this.#add(request, id, name, value);
  }

  #length(request: Request, name: string, value: string): void {
    const length = parseLength(value);
    if (this.#stated || length < 0) return this.#wrong('bad-content-length', '');
    this.#stated = true;
    request.length = length;
    this.#add(request, names.CONTENT_LENGTH, name, isPadded(value) ? String(length) : value);
  }

  #trailer({ name, value }: Field): void {
    if (mayTrail(name)) this.#text += `${name}: ${value}\r\n`;
  }

  #add(request: Request, id: number, name: string, value: string): void {
    const at = this.#text.length;
    const valueAt = at + name.length + 2;
    this.#text += `${name}: ${value}\r\n`;
    request.fields.push(id, at, at + name.length, valueAt, valueAt + value.length);
  }

  #target(request: Request): void {
    const method = this.#pseudo.get(':method');
    const scheme = this.#pseudo.get(':scheme');
    const path = this.#pseudo.get(':path');
    const authority = this.#pseudo.get(':authority');
    const isMethod = method !== undefined && method.length <= LONGEST_METHOD && every(method, TOKEN);
    // Nothing else is called so in a log, be it refused or not.
    if (isMethod) request.method = method;
    if (path !== undefined && path.length <= this.#limits.target) request.target = path;
    if (this.error !== '') return;
    if (method === undefined) return this.#wrong('bad-request-line', 'no :method');
    if (!isMethod) return this.#wrong('bad-method', '');
    if (method === 'CONNECT') {
      // RFC 9113 §8.5.
      const plain = scheme === undefined && path === undefined && authority !== undefined;
      if (!plain || !isAuthority(authority, true)) return this.#wrong('bad-target', '');
      request.form = 'authority';
      request.target = authority;
      return;
    }
    if (path === undefined || scheme === undefined) {
      return this.#wrong('bad-request-line', path === undefined ? 'no :path' : 'no :scheme');
    }
    if (scheme !== 'http' && scheme !== 'https') return this.#wrong('bad-target', ':scheme is not http or https');
    if (path.length > this.#limits.target) return this.#wrong('target-too-long', '');
    if (path === '*' && method === 'OPTIONS') request.form = 'asterisk';
    else if (!path.startsWith('/') || !every(path, TARGET)) return this.#wrong('bad-target', '');
    if (this.#host === undefined || !isAuthority(this.#host, false)) this.#wrong('bad-host', '');
  }

  /** RFC 9113 §8.1.1. */
  #framing(request: Request, ends: boolean): void {
    const { length } = request;
    if (ends) {
      request.framing = 'none';
      request.expectsContinue = false;
      if (length > 0) this.#wrong('bad-content-length', `no body, and content-length ${length}`);
    } else if (!this.#stated) request.framing = 'chunked';
    else if (length > 0) request.framing = 'length';
    else request.expectsContinue = false;
  }

  #large(detail: string): void {
    this.#wrong(this.#request === null ? 'trailers-too-large' : 'head-too-large', detail);
  }

  #wrong(error: ErrorCode, detail: string): void {
    if (this.error !== '') return;
    this.error = error;
    this.detail = detail;
  }
}

function every(text: string, table: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (table[text.charCodeAt(i)] !== 1) return false;
  return text !== '';
}
