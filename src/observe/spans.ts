import type { Clock } from '../core/clock.ts';
import { errors } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import * as names from '../core/names.ts';
import { RANDOM, SAMPLED, type TraceParent, type Tracer } from '../core/trace.ts';

/**
 * The part of an OpenTelemetry `Tracer` (`@opentelemetry/api` 1.x) that is used. Written out, so that who does not trace
 * needs no package of it, for the types neither.
 */
export interface SpanTracer {
  startSpan(
    name: string,
    options?: { kind?: number; startTime?: number; attributes?: Record<string, string | number> },
    context?: unknown,
  ): RecordedSpan;
}

/** The part of a `Span`. */
export interface RecordedSpan {
  spanContext(): { readonly traceId: string; readonly spanId: string; readonly traceFlags: number };
  setAttributes(attributes: Record<string, string | number>): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  isRecording(): boolean;
  end(endTime?: number): void;
}

/** Makes the context in which a parent is known; `null`: the root. */
type ContextOf = (parent: TraceParent | null, state: string) => unknown;

/** OpenTelemetry's numbers. */
const SERVER = 1;
const ERROR = 2;

const NO_SPAN = '0'.repeat(16);

/** The semantic conventions for HTTP know these; any other is `_OTHER`, so that no client can fill a store of metrics. */
const METHODS = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']);

/** A span that has begun, and the wall clock's distance from the other one at that moment, so that its length is exact. */
class Begun {
  readonly span: RecordedSpan;
  readonly offset: number;

  constructor(span: RecordedSpan, offset: number) {
    this.span = span;
    this.offset = offset;
  }
}

/**
 * One SERVER span for each exchange, with the attributes of OpenTelemetry's semantic conventions for HTTP 1.x, and what a
 * proxy knows as `sluice.*`. It begins with the request's head and ends with the answer. The query is left out: it holds
 * keys and tokens more often than anything else does.
 */
export class Spans implements Tracer {
  readonly #tracer: SpanTracer;
  readonly #contextOf: ContextOf;
  readonly #clock: Clock;
  readonly #defect: (error: unknown) => void;

  /** @param defect hears what the tracer throws; the requests do not */
  constructor(tracer: SpanTracer, contextOf: ContextOf, clock: Clock, defect: (error: unknown) => void) {
    this.#tracer = tracer;
    this.#contextOf = contextOf;
    this.#clock = clock;
    this.#defect = defect;
  }

  begin(exchange: Exchange, parent: TraceParent | null, state: string): number {
    try {
      const begun = this.#start(exchange, parent, state);
      const { traceId, spanId, traceFlags } = begun.span.spanContext();
      // Without an SDK, OpenTelemetry's own stand-in hands out no id, or the parent's.
      if (spanId === NO_SPAN || spanId === parent?.spanId) return -1;
      exchange.span = begun;
      exchange.traceId = traceId;
      exchange.spanId = spanId;
      return (traceFlags & (SAMPLED | RANDOM)) | ((parent?.flags ?? 0) & RANDOM);
    } catch (error) {
      this.#defect(error);
      return -1;
    }
  }

  /** Ends the span of an exchange that is over; one that was refused before it had a span gets one now. */
  done(exchange: Exchange): void {
    try {
      const { span, offset } = (exchange.span as Begun | null) ?? this.#start(exchange, null, '');
      exchange.span = null;
      if (span.isRecording()) {
        span.setAttributes(outcome(exchange));
        const { error, status } = exchange;
        if (status >= 500 || (error !== '' && errors[error].side !== 'client')) span.setStatus({ code: ERROR });
      }
      span.end(offset + this.#clock.now());
    } catch (error) {
      this.#defect(error);
    }
  }

  #start(exchange: Exchange, parent: TraceParent | null, state: string): Begun {
    const { method } = exchange.request;
    const offset = this.#clock.wall() - this.#clock.now();
    const known = METHODS.has(method) ? method : 'HTTP';
    const name = exchange.route === '' ? known : `${known} ${exchange.route}`;
    const options = { kind: SERVER, startTime: offset + exchange.started, attributes: question(exchange) };
    return new Begun(this.#tracer.startSpan(name, options, this.#contextOf(parent, state)), offset);
  }
}

/**
 * Spans by OpenTelemetry's own package, which the embedding program or the command's user has installed.
 *
 * @param tracer default: the one that the registered provider hands out for `sluice`
 * @throws Error with what to do, when `@opentelemetry/api` is not there
 */
export async function loadSpans(
  tracer: SpanTracer | undefined,
  clock: Clock,
  defect: (error: unknown) => void,
): Promise<Spans> {
  let api: typeof import('@opentelemetry/api');
  try {
    api = await import('@opentelemetry/api');
  } catch (error) {
    throw new Error('spans need the package @opentelemetry/api: install it beside sluice, or switch them off', {
      cause: error,
    });
  }
  const contextOf: ContextOf = (parent, state) => {
    if (parent === null) return api.ROOT_CONTEXT;
    const { traceId, spanId, flags } = parent;
    const traceState = state === '' ? undefined : api.createTraceState(state);
    return api.trace.setSpanContext(api.ROOT_CONTEXT, {
      traceId,
      spanId,
      traceFlags: flags,
      isRemote: true,
      ...(traceState === undefined ? {} : { traceState }),
    });
  };
  return new Spans(tracer ?? api.trace.getTracer('sluice'), contextOf, clock, defect);
}

/** What is known from the request. */
function question({ request, front, remote }: Exchange): Record<string, string | number> {
  const { client } = front;
  const known = METHODS.has(request.method);
  const attributes: Record<string, string | number> = {
    'http.request.method': known ? request.method : '_OTHER',
    'url.path': request.pathAndQuery.split('?', 1)[0],
    'url.scheme': client.scheme,
    'client.address': remote,
    'network.peer.address': client.address,
    'network.protocol.version': request.http2 ? '2' : request.version,
    'sluice.listener': client.listener,
  };
  if (!known && request.method !== '') attributes['http.request.method_original'] = request.method;
  if (request.fields.text !== '' && request.host !== '') attributes['server.address'] = request.host;
  if (client.localPort !== 0) attributes['server.port'] = client.localPort;
  const agent = request.fields.find(names.USER_AGENT);
  if (agent >= 0) attributes['user_agent.original'] = request.fields.value(agent);
  return attributes;
}

/** What is known at the end. */
function outcome(exchange: Exchange): Record<string, string | number> {
  const attributes: Record<string, string | number> = {
    'sluice.route': exchange.route,
    'sluice.upstream': exchange.upstream,
    'sluice.attempts': exchange.attempts,
    'http.request.body.size': exchange.bytesIn,
    'http.response.body.size': exchange.bytesOut,
  };
  if (exchange.id !== '') attributes['sluice.request_id'] = exchange.id;
  if (exchange.origin !== null) attributes['sluice.origin'] = exchange.origin.name;
  if (exchange.status !== 0) attributes['http.response.status_code'] = exchange.status;
  if (exchange.error !== '') attributes['error.type'] = exchange.error;
  else if (exchange.status >= 500) attributes['error.type'] = String(exchange.status);
  return attributes;
}
