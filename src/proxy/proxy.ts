import type { Exchange } from '../core/exchange.ts';
import * as names from '../core/names.ts';
import { remoteOf } from '../rewrite/remote.ts';
import type { AuthorizeOptions } from '../route/options.ts';
import type { RouteAction } from '../route/table.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { Authorization } from './authorization.ts';
import { Detour, MOST_DETOURS, sentElsewhere } from './detour.ts';
import { Forwarding } from './forwarding.ts';
import { refuse } from './refuse.ts';
import type { Rooms } from './rooms.ts';

/**
 * The line. One request, top to bottom: refuse what is not served, find the route, rewrite, act. What follows for an
 * upstream (pick, queue, connect, send, retry, answer) is `Forwarding`.
 */
export function handle(exchange: Exchange, rooms: Rooms): void {
  const { request } = exchange;
  if (request.method === 'TRACE' || request.method === 'CONNECT') return refuse(exchange, 'method-refused');
  if (request.climbs) {
    // Like every other request that is malformed: its connection closes.
    request.keepAlive = false;
    return refuse(exchange, 'bad-target');
  }
  if (exchange.front.client.trusted) exchange.remote = remoteOf(exchange);
  const route = rooms.table.find(request, exchange.remote);
  if (route === undefined) return refuse(exchange, 'no-route');
  exchange.route = route.name;
  for (const pass of rooms.passes) pass.request?.(exchange);
  proceed(exchange, route.action, rooms);
}

function proceed(exchange: Exchange, action: RouteAction, rooms: Rooms): void {
  exchange.request.keepAuthority();
  if (rooms.hooks === null || !rooms.hooks.onRequest) return act(exchange, action, rooms);
  rooms.hooks.request(exchange, (error) => {
    if (exchange.state === 'done') return;
    if (error !== undefined) {
      rooms.defect(error);
      return refuse(exchange, 'hook-failed');
    }
    act(exchange, action, rooms);
  });
}

function act(exchange: Exchange, action: RouteAction, rooms: Rooms): void {
  switch (action.kind) {
    case 'upstream': {
      const upstream = rooms.upstreams.get(action.upstream) as Upstream;
      exchange.upstream = upstream.name;
      exchange.upstreamMeter = upstream.board.meter;
      if (exchange.request.fields.find(names.MAX_FORWARDS) >= 0 && lastHop(exchange)) {
        return exchange.front.respond(200, 'Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n', '');
      }
      if (action.authorize !== undefined) return authorize(exchange, upstream, action, action.authorize, rooms);
      return new Forwarding(exchange, upstream, rooms, follow, action.cgi).start();
    }
    case 'respond':
      return exchange.front.respond(action.status, action.fields, action.body);
    default: {
      const location = action.location(exchange.request);
      return exchange.front.respond(action.status, `Location: ${location}\r\n`, '');
    }
  }
}

/** Asks the authorizers first. */
function authorize(
  exchange: Exchange,
  upstream: Upstream,
  { cgi }: Extract<RouteAction, { kind: 'upstream' }>,
  options: AuthorizeOptions,
  rooms: Rooms,
): void {
  const authorizers = rooms.upstreams.get(options.by) as Upstream;
  const authorization = new Authorization(exchange, options, rooms.clock.now(), () => {
    const { inner } = authorization;
    inner.ended = rooms.clock.now();
    rooms.asked(inner);
    new Forwarding(exchange, upstream, rooms, follow, cgi).start(true);
  });
  const { inner } = authorization;
  inner.upstream = authorizers.name;
  inner.upstreamMeter = authorizers.board.meter;
  new Forwarding(inner, authorizers, rooms, follow).start();
}

/** An application has named another target instead of an answer: it is asked for through the routes, as if the client had. */
function follow(exchange: Exchange, target: string, rooms: Rooms): void {
  if (exchange.detours >= MOST_DETOURS) return refuse(exchange, 'too-many-detours');
  const now = rooms.clock.now();
  exchange.ended = now;
  exchange.status = 302;
  rooms.asked(exchange);
  // The client has had no answer yet.
  exchange.status = 0;
  const { inner } = new Detour(exchange, sentElsewhere(exchange.request, target), now);
  if (inner.request.climbs) return refuse(inner, 'bad-answer');
  const route = rooms.table.find(inner.request, inner.remote);
  if (route === undefined) return refuse(inner, 'no-route');
  inner.route = route.name;
  // The passes have been through these fields already. Hooks may guard paths, so they hear of this one, too.
  proceed(inner, route.action, rooms);
}

/** RFC 9110 §7.6.2: OPTIONS with `Max-Forwards: 0` is answered here, and otherwise goes on with one less. */
function lastHop(exchange: Exchange): boolean {
  const { fields, method } = exchange.request;
  if (method !== 'OPTIONS') return false;
  const index = fields.find(names.MAX_FORWARDS);
  const value = fields.value(index);
  if (!/^\d{1,9}$/.test(value)) return false;
  if (Number(value) === 0) return true;
  fields.drop(index);
  fields.append('Max-Forwards', String(Number(value) - 1));
  return false;
}
