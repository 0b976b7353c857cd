import type { Config, UpstreamConfig } from '../config/config.ts';
import { Board } from '../core/board.ts';
import type { Clock } from '../core/clock.ts';
import { type ErrorCode, errors } from '../core/errors.ts';
import { Exchange, type Front } from '../core/exchange.ts';
import { Networks } from '../core/networks.ts';
import { authorityOf, Origin, type OriginAddress, type OriginState, shownAddress } from '../core/origin.ts';
import { Request } from '../core/request.ts';
import type { AnswerSink } from '../core/answer.ts';
import { offerOf } from '../codec/index.ts';
import { RequestHeadParser } from '../codec/http1/request-head.ts';
import { Http1Session } from '../codec/http1/session.ts';
import { passes } from '../rewrite/index.ts';
import { remoteOf } from '../rewrite/remote.ts';
import { compile, type RouteAction } from '../route/table.ts';
import { identityOf } from '../upstream/tls/identity.ts';
import { choose, type KnownOrigin } from './choice.ts';
import { retryRules } from './retry-rules.ts';
import { told } from './told.ts';
import type { Explanation } from './views.ts';

/** A request to be explained: what a client would send, in words. */
export interface Question {
  readonly method: string;
  /** `http://host:port/path?query`, or a path. */
  readonly url: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** The client's IP address, or `unix:`; default 127.0.0.1. */
  readonly client?: string | undefined;
}

/** An origin as it is now, where there is a running process to know it. */
export interface LiveOrigin {
  readonly name: string;
  readonly address: OriginAddress;
  readonly state: OriginState;
  readonly inFlight: number;
  /** The one in force: after an operator's word, and during slow start. */
  readonly weight: number;
  readonly backup: boolean;
  /** Why it is in this state, as the log said it; '' when there is nothing to say. */
  readonly reason: string;
  /** See `Origin.fault`. */
  readonly fault?: ErrorCode | '';
  /** The process that it is, with its pid, when sluice has started it. */
  readonly child?: string | undefined;
}

/** The origins of an upstream as they are now; `undefined`: as the config has them. */
export type LiveOrigins = (upstream: string) => readonly LiveOrigin[] | undefined;

/**
 * What would happen to a request, without sending it: the same parser, routes, passes and balancers as in the line, asked
 * one after the other.
 *
 * @param live asks the running process; without it every origin is up and idle
 */
export function explain(
  config: Config,
  question: Question,
  clock: Clock,
  live: LiveOrigins = () => undefined,
): Explanation {
  const { url, method } = question;
  const listener = listenerFor(config, url);
  const client = question.client ?? '127.0.0.1';
  const made: Explanation = {
    method,
    url,
    listener: listener.name,
    client,
    routes: [],
    action: 'refuse',
    status: null,
    error: null,
    location: null,
    rewrites: [],
    variables: [],
    upstream: null,
    authorize: null,
    balance: null,
    key: null,
    origins: [],
    pick: null,
    tls: null,
    because: null,
    timeouts: {},
    retries: [],
  };
  const refused = (code: ErrorCode): Explanation => ({
    ...made,
    status: errors[code].status,
    error: code,
    because: errors[code].about,
  });
  const { head, body, write } = listener.timeouts;
  made.timeouts = spans({ 'client.head': head, 'client.body': body, 'client.write': write });

  const request = new Request();
  const wrong = parse(question, listener.limits, request);
  if (wrong !== undefined) return refused(wrong);
  if (method === 'TRACE' || method === 'CONNECT') return refused('method-refused');
  if (request.climbs) return refused('bad-target');

  const exchange = exchangeOf(request, client, listener, clock);
  if (exchange.front.client.trusted) exchange.remote = remoteOf(exchange);
  made.client = exchange.remote;
  const table = compile(config.routes);
  const route = table.find(request, exchange.remote);
  for (const one of table.routes) {
    made.routes.push({ name: one.name, matches: one === route, why: one.explain(request, exchange.remote) });
    if (one === route) break;
  }
  if (route === undefined) return refused('no-route');
  const { fields } = request;
  // Also what the parser has dropped already, such as names with an underscore.
  const before = Array.from({ length: fields.count }, (_, i): Line => [fields.name(i), fields.value(i)]);
  for (const pass of passes(config.headers, clock)) pass.request?.(exchange);
  return act(made, route.action, exchange, before, config, clock, live);
}

function act(
  made: Explanation,
  action: RouteAction,
  exchange: Exchange,
  before: readonly Line[],
  config: Config,
  clock: Clock,
  live: LiveOrigins,
): Explanation {
  const { request } = exchange;
  if (action.kind === 'respond') return { ...made, action: 'respond', status: action.status };
  if (action.kind === 'redirect') {
    return { ...made, action: 'redirect', status: action.status, location: action.location(request) };
  }
  // The checker has seen to it that the upstream is there.
  const upstream = config.upstreams[action.upstream];
  if (lastHop(request)) {
    const because = 'OPTIONS with Max-Forwards: 0 is answered here (RFC 9110 §7.6.2)';
    return { ...made, action: 'respond', status: 200, because };
  }
  const { timeouts, queue, balance } = upstream;
  const choice = choose(upstream, originsOf(upstream, live(action.upstream)), exchange, clock);
  const asked = choice.origin ?? upstream.origins.at(0);
  const variables = asked === undefined ? undefined : told(exchange, upstream, action.cgi, asked.address);
  if (typeof variables === 'string') {
    const { status, about } = errors[variables];
    return { ...made, status, error: variables, because: about, upstream: action.upstream };
  }
  return {
    ...made,
    action: 'upstream',
    authorize: action.authorize?.by ?? null,
    rewrites: variables === undefined ? differences(before, sent(exchange, upstream, choice.origin)) : [],
    variables: variables ?? [],
    upstream: action.upstream,
    balance: balance.name,
    key: choice.key,
    origins: choice.origins,
    pick: choice.pick,
    tls:
      choice.origin === null || offerOf(choice.origin.address.scheme) === null
        ? null
        : identityOf(upstream.tls, choice.origin.address),
    because: choice.because,
    timeouts: {
      ...made.timeouts,
      ...spans({
        queue: queue.timeout,
        'origin.connect': timeouts.connect,
        'origin.firstByte': timeouts.firstByte,
        'origin.idle': timeouts.idle,
      }),
    },
    retries: retryRules(request, upstream),
  };
}

type ListenerConfig = Config['listen'][number];

/** The listener that a client of this URL would reach, as far as the port tells. */
function listenerFor({ listen }: Config, url: string): ListenerConfig {
  const { port, rest } = /^https?:\/\/(?:\[[^\]]*\]|[^:/?#]*)(?::(?<port>\d+))?(?<rest>)/i.exec(url)?.groups ?? {};
  const wanted = rest === undefined ? undefined : Number(port ?? 80);
  return listen.find(({ address }) => address.kind === 'tcp' && address.port === wanted) ?? listen[0];
}

/** Has the line's own parser read what a client would send, so that what it refuses is refused here. */
function parse(question: Question, limits: ListenerConfig['limits'], request: Request): ErrorCode | undefined {
  const { method, url, fields } = question;
  const parts = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(url);
  const rest = parts?.[2] ?? url.split('#', 1)[0];
  const target = rest.startsWith('?') ? `/${rest}` : rest === '' ? '/' : rest;
  // A line end would make one field into two, which no client that means well can send.
  if (/[\r\n]/.test(method)) return 'bad-method';
  if (/[\r\n]/.test(url)) return 'bad-target';
  if (fields.some(([name, value]) => /[\r\n]/.test(name + value))) return 'bad-field';
  const named = fields.some(([name]) => name.toLowerCase() === 'host');
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  if (!named) lines.unshift(`Host: ${parts?.[1] ?? 'localhost'}\r\n`);
  const bytes = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const parser = new RequestHeadParser({ ...limits, underscores: limits.underscores === 'allow' });
  const after = parser.parse(bytes, 0, bytes.length, request);
  // What is complete and not understood as a whole was longer than a limit.
  if (after > 0) return after === bytes.length ? undefined : 'bad-request-line';
  return after === 0 ? 'head-too-large' : parser.error;
}

function exchangeOf(request: Request, address: string, listener: ListenerConfig, clock: Clock): Exchange {
  const proxies = new Networks(listener.trustedProxies);
  const localPort = listener.address.kind === 'tcp' ? listener.address.port : 0;
  const client: Front['client'] = {
    address,
    port: 0,
    listener: listener.name,
    scheme: 'http',
    localPort,
    // Known when a client has connected.
    localAddress: listener.address.kind === 'tcp' ? listener.address.host.replace(/^(?:0\.0\.0\.0|::)$/, '') : '',
    trusted: proxies.has(address),
    proxies,
    meter: new Board().meter,
    lines: '',
  };
  // Passes look at who asks, and at nothing else of the client's side.
  return new Exchange({ client } as Front, request, clock.now());
}

/** As in the line: OPTIONS goes on with one hop less, or no further. */
function lastHop({ method, fields }: Request): boolean {
  const value = fields.get('max-forwards');
  if (method !== 'OPTIONS' || value === undefined || !/^\d{1,9}$/.test(value)) return false;
  if (Number(value) > 0) fields.set('Max-Forwards', String(Number(value) - 1));
  return Number(value) === 0;
}

/** The config's origins, or those that the process has, which an operator or a resolver may have changed. */
function originsOf(upstream: UpstreamConfig, live: readonly LiveOrigin[] | undefined): KnownOrigin[] {
  if (live === undefined)
    return upstream.origins.map((options) => {
      const origin = new Origin(options);
      const { spawn, url } = options;
      if (spawn === undefined) {
        return { origin, name: origin.name, address: shownAddress(origin.address), reason: '', child: null };
      }
      const address = spawn.protocol === 'http' ? url : `${url}, ${spawn.protocol}`;
      return { origin, name: url, address, reason: '', child: spawn.name ?? null };
    });
  return live.map(({ name, address, state, inFlight, weight, backup, reason, child = null, fault = '' }) => {
    const origin = new Origin({ url: name, address, weight, backup });
    origin.inFlight = inFlight;
    origin.fault = fault;
    if (state === 'full') origin.resize(inFlight);
    else origin.state = state;
    return { origin, name, address: shownAddress(address), reason, child };
  });
}

type Line = readonly [name: string, value: string];

/**
 * The field lines that the origin would get, as the HTTP/1.1 codec writes them: it has a say in Host, TE and what frames
 * the body. AJP carries the same in other clothes; for CGI's names see `told`.
 */
function sent({ request, id }: Exchange, { host }: UpstreamConfig, origin: Origin | null): Line[] {
  let head = '';
  const own = origin === null ? 'localhost' : authorityOf(origin.address);
  const target = { authority: host === 'pass' || host === 'origin' ? own : host, replaceHost: host !== 'pass' };
  const session = new Http1Session({ text: (piece) => void (head += piece), bytes: () => {} }, { head: 0, fields: 0 });
  // There will be no answer to take.
  session.open(request, target, {} as AnswerSink);
  const lines = head.slice(head.indexOf('\r\n') + 2, -4).split('\r\n');
  return lines.map((line): Line => {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
    return [name, name === 'X-Request-Id' && value === id ? '(another for each request)' : value];
  });
}

/** `- Name: value` for lines that are gone, `+ Name: value` for new ones. */
function differences(before: readonly Line[], after: readonly Line[]): string[] {
  const text = ([name, value]: Line): string => `${name}: ${value}`;
  const rest = after.map(text);
  const gone = before.map(text).filter((line) => {
    const at = rest.indexOf(line);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  return [...gone.map((line) => `- ${line}`), ...rest.map((line) => `+ ${line}`)];
}

function spans(given: Readonly<Record<string, number>>): Record<string, number | null> {
  return Object.fromEntries(Object.entries(given).map(([name, ms]) => [name, ms === Infinity ? null : ms]));
}
