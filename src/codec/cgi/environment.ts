import * as names from '../../core/names.ts';
import type { Request } from '../../core/request.ts';
import type { Asker, RequestTarget } from '../codec.ts';
import { cameByHttps, hostOf } from '../host.ts';
import type { CgiOptions } from './options.ts';
import { bytesOf, type Script } from './script.ts';

/** Takes one variable. All text is latin1: one character is one byte. No name comes twice. */
export type Tell = (name: string, value: string) => void;

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
  const say: Tell =
    own.size === 0 && variables === null && !authorizes
      ? tell
      : (name, value) => {
          if (own.has(name) || variables?.has(name) === true || (authorizes && NOT_FOR_AUTHORIZERS.has(name))) return;
          tell(name, value);
        };
  about(request, from, say);
  where(request, script, root, say);
  who(request, target, from, say);
  fields(request, say);
  for (const [name, value] of env) tell(name, value);
  if (variables !== null) for (const [name, value] of variables) if (!own.has(name)) tell(name, value);
}

/** FastCGI 1.0 §6.3. */
const NOT_FOR_AUTHORIZERS = new Set(['CONTENT_LENGTH', 'PATH_INFO', 'SCRIPT_NAME', 'DOCUMENT_URI']);

function about(request: Request, { front: { client } }: Asker, tell: Tell): void {
  tell('GATEWAY_INTERFACE', 'CGI/1.1');
  tell('SERVER_SOFTWARE', 'sluice');
  tell('SERVER_PROTOCOL', `HTTP/${request.version}`);
  tell('REQUEST_METHOD', request.method);
  const secure = cameByHttps(request, client);
  tell('REQUEST_SCHEME', secure ? 'https' : 'http');
  if (secure) tell('HTTPS', 'on');
  // php-cgi answers only when the server says that it has been through here (cgi.force_redirect).
  tell('REDIRECT_STATUS', '200');
  if (request.framing === 'length') tell('CONTENT_LENGTH', String(request.length));
  else if (request.framing === 'none' && request.fields.find(names.CONTENT_LENGTH) >= 0) tell('CONTENT_LENGTH', '0');
}

function where(request: Request, { name, info }: Script, root: string, tell: Tell): void {
  tell('REQUEST_URI', request.pathAndQuery);
  tell('QUERY_STRING', request.query);
  tell('SCRIPT_NAME', name);
  tell('PATH_INFO', info);
  tell('DOCUMENT_URI', name + info);
  if (root === '') return;
  tell('DOCUMENT_ROOT', root);
  tell('SCRIPT_FILENAME', root + name);
  // No PATH_TRANSLATED, although RFC 3875 §4.1.6 has it: with cgi.fix_pathinfo=0 PHP runs that file instead of the script, so
  // that `/index.php/uploads/picture.jpg` would run the picture.
}

function who(request: Request, target: RequestTarget, from: Asker, tell: Tell): void {
  const { client } = from.front;
  const authority = hostOf(request, target);
  tell('HTTP_HOST', authority);
  tell('SERVER_NAME', authority.replace(/:\d*$/, ''));
  tell('SERVER_PORT', String(client.localPort === 0 ? (client.scheme === 'https' ? 443 : 80) : client.localPort));
  if (client.localAddress !== '') tell('SERVER_ADDR', client.localAddress);
  tell('REMOTE_ADDR', from.remote);
  // Behind a trusted proxy the client's own port is not known.
  if (from.remote === client.address && client.port > 0) tell('REMOTE_PORT', String(client.port));
}

/** One thread tells one request at a time. */
const found: string[] = [];
const values: string[] = [];

function fields({ fields }: Request, tell: Tell): void {
  found.length = 0;
  values.length = 0;
  for (let i = 0; i < fields.count; i++) {
    if (fields.kept(i)) collect(variableOf(fields.name(i)), fields.value(i));
  }
  const { added } = fields;
  for (let at = 0; at < added.length;) {
    const end = added.indexOf('\r\n', at);
    const colon = added.indexOf(':', at);
    collect(variableOf(added.slice(at, colon)), added.slice(colon + 2, end));
    at = end + 2;
  }
  for (let i = 0; i < found.length; i++) tell(found[i], values[i]);
}

/** RFC 3875 §4.1.18: fields of one name become one variable. Cookies are joined as RFC 6265 §5.4 separates them. */
function collect(name: string, value: string): void {
  if (name === '') return;
  const index = found.indexOf(name);
  if (index < 0) {
    found.push(name);
    values.push(value);
  } else values[index] += (name === 'HTTP_COOKIE' ? '; ' : ', ') + value;
}

/** Variables by the name of the field, as it was spelled. Bounded, since clients choose the names. */
const spelled = new Map<string, string>();
const MOST_SPELLED = 1000;

function variableOf(name: string): string {
  const known = spelled.get(name);
  if (known !== undefined) return known;
  const variable = mangle(name);
  if (spelled.size < MOST_SPELLED) spelled.set(name, variable);
  return variable;
}

/** No variables: they concern the connection, or are told in another way. */
const NEVER = new Set([
  'HOST',
  'CONTENT_LENGTH',
  'TRANSFER_ENCODING',
  'CONNECTION',
  'KEEP_ALIVE',
  'PROXY_CONNECTION',
  'TE',
  'TRAILER',
  'UPGRADE',
  'EXPECT',
  'HTTP2_SETTINGS',
  // "httpoxy", CVE-2016-5385 and others: programs take HTTP_PROXY for the proxy that they should use.
  'PROXY',
]);

/**
 * `User-Agent` is HTTP_USER_AGENT. A name with anything but letters, digits and hyphens is no variable, as in Apache:
 * `X_User` would become what `X-User` becomes, and a client could pass for the proxy before us that sets the other.
 */
function mangle(name: string): string {
  if (!/^[a-z0-9-]+$/i.test(name)) return '';
  const upper = name.toUpperCase().replaceAll('-', '_');
  if (NEVER.has(upper)) return '';
  return upper === 'CONTENT_TYPE' ? upper : `HTTP_${upper}`;
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
