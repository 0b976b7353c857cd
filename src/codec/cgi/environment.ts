import type { ClientAddress } from '../../core/exchange.ts';
import * as names from '../../core/names.ts';
import { ownText } from '../../core/own-text.ts';
import type { Request } from '../../core/request.ts';
import type { Asker, RequestTarget } from '../codec.ts';
import { cameByHttps, hostOf } from '../host.ts';
import { tellFields, tellLines } from './field-variables.ts';
import type { CgiOptions } from './options.ts';
import { bytesOf, type Script } from './script.ts';

/** Takes one variable. All text is latin1: one character is one byte. No name comes twice. */
export type Tell = (name: string, value: string) => void;

/** How a protocol writes one variable. */
export type Pair = (name: string, value: string) => string;

/** What an upstream's options come to, made once. */
interface Prepared {
  readonly root: string;
  /** Of the config: they replace the request's. */
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly own: ReadonlySet<string>;
}

const prepared = new WeakMap<CgiOptions, Prepared>();

/**
 * Tells a request in the names of RFC 3875 §4.1 and in those that servers have added since: the same for FastCGI, SCGI,
 * uwsgi and CGI.
 *
 * `Authorization` is told, as nginx, Caddy and lighttpd do: sluice checks no password itself, so the application must.
 * REMOTE_USER and AUTH_TYPE are therefore never set.
 *
 * @param script of `scriptOf`
 */
export function environment(request: Request, target: RequestTarget, from: Asker, script: Script, tell: Tell): void {
  const { root, env, own } = prepare(target.cgi);
  const { variables = null, authorizes = false } = from;
  const { client } = from.front;
  const say: Tell =
    own.size === 0 && variables === null && !authorizes
      ? tell
      : (name, value) => {
          if (own.has(name) || variables?.has(name) === true || (authorizes && NOT_FOR_AUTHORIZERS.has(name))) return;
          tell(name, value);
        };
  always(client, root, from.remote, say);
  about(request, from, say);
  where(request, script, root, say);
  host(hostOf(request, target), say);
  tellFields(request.fields, say);
  for (const [name, value] of env) tell(name, value);
  if (variables !== null) for (const [name, value] of variables) if (!own.has(name)) tell(name, value);
}

/** What was written for a client's last request and will most likely be the same for its next one. */
interface Kept {
  readonly pair: Pair;
  readonly prepared: Prepared;
  readonly always: string;
  /** The client's own lines, and what they are as variables. */
  readonly lines: string;
  readonly named: readonly string[];
  readonly forwarded: string;
  authority: string;
  host: string;
}

const kept = new WeakMap<ClientAddress, Kept>();

/** Characters of a host that are kept: a name has 253 (RFC 1035 §2.3.4), and a client may send as much as a head may have. */
const LONGEST_KEPT = 300;

/** One thread tells one request at a time. */
let text = '';
let write: Pair = () => '';
const add: Tell = (name, value) => {
  text += write(name, value);
};

/**
 * The same as one text, for protocols that send it as one. Half of it says the same for all requests of a client's
 * connection, and is written once.
 */
export function written(request: Request, target: RequestTarget, from: Asker, script: Script, pair: Pair): string {
  const { client } = from.front;
  const { fields } = request;
  const made = prepare(target.cgi);
  text = '';
  write = pair;
  const usual = made.env.length === 0 && (from.variables ?? null) === null && from.authorizes !== true;
  if (usual && from.remote === client.address) {
    const known = keptOf(client, made, pair);
    const own = known.named.length > 0 && fields.added.startsWith(known.lines);
    text = own ? known.always + known.forwarded : known.always;
    about(request, from, add);
    where(request, script, made.root, add);
    text += hostText(known, hostOf(request, target));
    if (tellFields(fields, add, own ? known.lines.length : 0, own ? known.named : [])) return taken();
    // Somebody has added to what sluice says about the client: then the two are one variable.
    text = '';
  }
  environment(request, target, from, script, add);
  return taken();
}

function taken(): string {
  const whole = text;
  text = '';
  return whole;
}

function keptOf(client: ClientAddress, made: Prepared, pair: Pair): Kept {
  let known = kept.get(client);
  if (known === undefined || known.pair !== pair || known.prepared !== made || known.lines !== client.lines) {
    const named: string[] = [];
    always(client, made.root, client.address, add);
    const mine = taken();
    tellLines(client.lines, (name, value) => {
      named.push(name);
      add(name, value);
    });
    known = {
      pair,
      prepared: made,
      always: ownText(mine),
      lines: client.lines,
      named,
      forwarded: ownText(taken()),
      authority: '',
      host: '',
    };
    kept.set(client, known);
  }
  return known;
}

function hostText(known: Kept, authority: string): string {
  if (known.authority !== authority || known.host === '') {
    const before = taken();
    host(authority, add);
    const told = ownText(taken());
    text = before;
    if (authority.length > LONGEST_KEPT) return told;
    known.host = told;
    known.authority = ownText(authority);
  }
  return known.host;
}

/** FastCGI 1.0 §6.3. */
const NOT_FOR_AUTHORIZERS = new Set(['CONTENT_LENGTH', 'PATH_INFO', 'SCRIPT_NAME', 'DOCUMENT_URI']);

/** What holds for a connection. */
function always(client: ClientAddress, root: string, remote: string, tell: Tell): void {
  tell('GATEWAY_INTERFACE', 'CGI/1.1');
  tell('SERVER_SOFTWARE', 'sluice');
  // php-cgi answers only when the server says that it has been through here (cgi.force_redirect).
  tell('REDIRECT_STATUS', '200');
  tell('SERVER_PORT', String(client.localPort === 0 ? (client.scheme === 'https' ? 443 : 80) : client.localPort));
  if (client.localAddress !== '') tell('SERVER_ADDR', client.localAddress);
  tell('REMOTE_ADDR', remote);
  // Behind a trusted proxy the client's own port is not known.
  if (remote === client.address && client.port > 0) tell('REMOTE_PORT', String(client.port));
  if (root !== '') tell('DOCUMENT_ROOT', root);
}

function about(request: Request, { front: { client } }: Asker, tell: Tell): void {
  tell('SERVER_PROTOCOL', `HTTP/${request.version}`);
  tell('REQUEST_METHOD', request.method);
  const secure = cameByHttps(request, client);
  tell('REQUEST_SCHEME', secure ? 'https' : 'http');
  if (secure) tell('HTTPS', 'on');
  if (request.framing === 'length') tell('CONTENT_LENGTH', String(request.length));
  else if (request.framing === 'none' && request.fields.find(names.CONTENT_LENGTH) >= 0) tell('CONTENT_LENGTH', '0');
}

function where(request: Request, { name, info }: Script, root: string, tell: Tell): void {
  tell('REQUEST_URI', request.pathAndQuery);
  tell('QUERY_STRING', request.query);
  tell('SCRIPT_NAME', name);
  tell('PATH_INFO', info);
  tell('DOCUMENT_URI', name + info);
  if (root !== '') tell('SCRIPT_FILENAME', root + name);
  // No PATH_TRANSLATED, although RFC 3875 §4.1.6 has it: with cgi.fix_pathinfo=0 PHP runs that file instead of the script, so
  // that `/index.php/uploads/picture.jpg` would run the picture.
}

function host(authority: string, tell: Tell): void {
  tell('HTTP_HOST', authority);
  tell('SERVER_NAME', withoutPort(authority));
}

function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(':');
  for (let i = colon + 1; i < authority.length; i++) {
    const code = authority.charCodeAt(i);
    // It was a colon of an IPv6 address.
    if (code < 0x30 || code > 0x39) return authority;
  }
  return colon < 0 ? authority : authority.slice(0, colon);
}

function prepare(cgi: CgiOptions): Prepared {
  let made = prepared.get(cgi);
  if (made === undefined) {
    const env = Object.entries(cgi.env).map(([name, value]) => [name, bytesOf(value)] as const);
    made = { root: bytesOf(cgi.root), env, own: new Set(env.map(([name]) => name)) };
    prepared.set(cgi, made);
  }
  return made;
}
