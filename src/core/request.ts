import { Fields } from './fields.ts';
import { HOST } from './names.ts';

/** How the end of a message body is found: there is none, by length, by chunks, or by the end of the connection. */
export type Framing = 'none' | 'length' | 'chunked' | 'close';

/** The four forms of a request target, RFC 9112 §3.2. */
export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk';

/** `scheme://authority` of an absolute-form target. */
const ABSOLUTE = /^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i;

/**
 * One request as the rest of the program sees it, whichever protocol it came by: the parsed facts and the fields.
 * Strings that few requests need are cut out of the head when first asked for.
 */
export class Request {
  readonly fields: Fields = new Fields();
  method = '';
  /** As received. */
  target = '';
  form: TargetForm = 'origin';
  /** 0 or 1: HTTP/1.0 or HTTP/1.1 (and everything later). */
  minor = 1;
  /** It came by HTTP/2; `minor` is 1 then. */
  http2 = false;
  framing: Framing = 'none';
  /** Body length in bytes when `framing` is `length`. */
  length = 0;
  /** The client waits for `100 Continue` before it sends the body. */
  expectsContinue = false;
  /** The client's wish about the connection after this exchange, by version and `Connection`. */
  keepAlive = true;
  /** `TE: trailers`: the client can take trailers. */
  takesTrailers = false;
  /** Protocols offered by `Upgrade`, as received; '' when none or when the request may not be upgraded. */
  upgrade = '';
  #path: string | undefined;
  #query: string | undefined;
  #authority: string | undefined;

  /** Forgets the message, keeps the memory. */
  clear(): void {
    this.fields.clear();
    this.method = '';
    this.target = '';
    this.form = 'origin';
    this.minor = 1;
    this.http2 = false;
    this.framing = 'none';
    this.length = 0;
    this.expectsContinue = false;
    this.keepAlive = true;
    this.takesTrailers = false;
    this.upgrade = '';
    this.#path = undefined;
    this.#query = undefined;
    this.#authority = undefined;
  }

  /** The client's version of HTTP: for logs, and for origins that want to know. */
  get version(): '1.0' | '1.1' | '2.0' {
    if (this.http2) return '2.0';
    return this.minor === 0 ? '1.0' : '1.1';
  }

  /** Path and query of the target, as received: what goes into a request line to an origin. */
  get pathAndQuery(): string {
    if (this.form !== 'absolute') return this.target;
    const rest = this.target.replace(ABSOLUTE, '');
    // RFC 9112 §3.2.4: the last proxy writes OPTIONS without path or query as `*`.
    if (rest === '' && this.method === 'OPTIONS') return '*';
    return rest.startsWith('/') ? rest : `/${rest}`;
  }

  /**
   * The path that routes and balancers look at: percent-decoded, `//` merged, dot segments resolved, without query. The
   * origin still gets what the client sent; matching the raw text would let `/%61dmin` or `/x/../admin` slip past a
   * route. A `/` or NUL that was escaped stays escaped. `undefined` when dot segments lead above the root.
   */
  get path(): string | undefined {
    return (this.#path ??= this.#normalPath());
  }

  /** Dot segments lead above the root: there is no such resource, and servers disagree about what to do with it. */
  get climbs(): boolean {
    // Without two dots in a row, written out or escaped, nothing can climb: the usual case costs two short scans.
    if (!this.target.includes('..') && !this.target.includes('%')) return false;
    return this.path === undefined;
  }

  /** Everything after the first `?`, as received; '' without one. */
  get query(): string {
    if (this.#query === undefined) {
      const mark = this.target.indexOf('?');
      this.#query = mark < 0 ? '' : this.target.slice(mark + 1);
    }
    return this.#query;
  }

  /** `host[:port]`, lower-cased; '' when an HTTP/1.0 request names none. */
  get authority(): string {
    if (this.#authority === undefined) {
      if (this.form === 'absolute') {
        const prefix = ABSOLUTE.exec(this.target)?.[0] ?? '';
        this.#authority = prefix.slice(prefix.indexOf('//') + 2).toLowerCase();
      } else {
        const index = this.fields.find(HOST);
        this.#authority = index < 0 ? '' : this.fields.value(index).toLowerCase();
      }
    }
    return this.#authority;
  }

  /** What hooks and codecs do to Host says what origins see. Whose site the request is for stays what it was when this is called. */
  keepAuthority(): void {
    void this.authority;
  }

  /** Another request for the site that this one is for. */
  hasAuthorityOf(other: Request): void {
    this.#authority = other.authority;
  }

  /** The host without port and without a trailing dot, lower-cased; an IPv6 literal keeps its brackets. */
  get host(): string {
    const authority = this.authority;
    const host = authority.startsWith('[')
      ? authority.slice(0, authority.indexOf(']') + 1)
      : authority.slice(0, authority.includes(':') ? authority.indexOf(':') : undefined);
    return host.endsWith('.') ? host.slice(0, -1) : host;
  }

  /** The value of one cookie, quotes kept; `undefined` when absent. */
  cookie(name: string): string | undefined {
    for (const value of this.fields.getAll('cookie')) {
      for (const pair of value.split(';')) {
        const equals = pair.indexOf('=');
        if (equals >= 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
      }
    }
    return undefined;
  }

  #normalPath(): string | undefined {
    if (this.form === 'asterisk') return '*';
    const whole = this.pathAndQuery;
    const mark = whole.indexOf('?');
    const raw = mark < 0 ? whole : whole.slice(0, mark);
    return normalizePath(raw);
  }
}

/** A path that is its own normal form: no escape, no `//`, nothing that starts with a dot. */
function isPlain(path: string): boolean {
  let previous = 0;
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === 0x25 || (previous === 0x2f && (code === 0x2f || code === 0x2e))) return false;
    previous = code;
  }
  return true;
}

/**
 * See `Request.path`.
 * @param decode makes text of a run of escapes; it leaves those of `/` as they are
 */
export function normalizePath(raw: string, decode: (run: string) => string = decodeRun): string | undefined {
  if (isPlain(raw)) return raw;
  const decoded = raw.replace(/(?:%[0-9a-f]{2})+/gi, decode);
  const kept: string[] = [];
  const segments = decoded.split('/');
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i];
    const last = i === segments.length - 1;
    if (segment === '..') {
      if (kept.length === 0) return undefined;
      kept.pop();
    } else if (segment !== '.' && segment !== '') {
      kept.push(segment);
      continue;
    }
    if (last) kept.push('');
  }
  return `/${kept.join('/')}`;
}

/** Decodes UTF-8 escapes; what is not UTF-8, and an escaped `/` or NUL, stays as it was written. */
function decodeRun(run: string): string {
  try {
    if (!/%(?:2f|00)/i.test(run)) return decodeURIComponent(run);
    return run
      .split(/(%(?:2f|00))/i)
      .map((part, index) => (index % 2 === 1 ? part : decodeURIComponent(part)))
      .join('');
  } catch {
    // Decode at least what is ASCII, or one broken byte would hide a name from the routes.
    return run.replace(/%(?!2f|00)[0-7][0-9a-f]/gi, decodeURIComponent);
  }
}
