import type { Clock } from '../core/clock.ts';
import { errorAnswer } from '../core/error-answer.ts';
import { type ErrorCode, errors } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import * as names from '../core/names.ts';
import type { Wheel } from '../core/wheel.ts';
import type { Pass } from '../rewrite/pass.ts';
import type { RouteAction, Table } from '../route/table.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { Forwarding } from './forwarding.ts';
import type { Hooks } from './hooks.ts';

/** Everything the line needs, made once from the config. */
export interface Rooms {
  readonly clock: Clock;
  readonly wheel: Wheel;
  readonly table: Table;
  readonly passes: readonly Pass[];
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly hooks: Hooks | null;
  defect(error: unknown): void;
}

/**
 * The line. One request, top to bottom: refuse what is not served, find the route, rewrite, act. What follows for an
 * upstream (pick, queue, connect, send, retry, answer) is `Forwarding`.
 */
export function handle(exchange: Exchange, rooms: Rooms): void {
  const { request } = exchange;
  if (request.method === 'TRACE' || request.method === 'CONNECT') return refuse(exchange, 'method-refused');
  if (request.climbs) return refuse(exchange, 'bad-target');
  const route = rooms.table.find(request, exchange.front.client.address);
  if (route === undefined) return refuse(exchange, 'no-route');
  exchange.route = route.name;
  for (const pass of rooms.passes) pass.request?.(exchange);
  if (rooms.hooks === null || !rooms.hooks.onRequest) return act(exchange, route.action, rooms);
  rooms.hooks.request(exchange, (error) => {
    if (exchange.state === 'done') return;
    if (error !== undefined) {
      rooms.defect(error);
      return refuse(exchange, 'hook-failed');
    }
    act(exchange, route.action, rooms);
  });
}

function act(exchange: Exchange, action: RouteAction, rooms: Rooms): void {
  switch (action.kind) {
    case 'upstream': {
      const upstream = rooms.upstreams.get(action.upstream) as Upstream;
      exchange.upstream = upstream.name;
      if (exchange.request.fields.find(names.MAX_FORWARDS) >= 0 && lastHop(exchange)) {
        return exchange.front.respond(200, 'Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n', '');
      }
      return new Forwarding(exchange, upstream, rooms).start();
    }
    case 'respond':
      return exchange.front.respond(action.status, action.fields, action.body);
    default: {
      const location = action.location(exchange.request);
      return exchange.front.respond(action.status, `Location: ${location}\r\n`, '');
    }
  }
}

/** Answers with an error, unless an answer has begun. */
export function refuse(exchange: Exchange, code: ErrorCode, retryAfter = 0): void {
  exchange.error = code;
  const { fields } = exchange.request;
  const accept = fields.find(names.ACCEPT);
  const made = errorAnswer(code, accept < 0 ? '' : fields.value(accept), exchange.id, retryAfter);
  exchange.front.respond(errors[code].status, made.lines, made.body);
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
