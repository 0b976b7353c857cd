import type { Answer } from '../core/answer.ts';
import { type Carrier, Exchange, type Front } from '../core/exchange.ts';
import { HOST } from '../core/names.ts';
import { Request } from '../core/request.ts';

/** How often one request may be led elsewhere before that is taken for a loop. */
export const MOST_DETOURS = 8;

/**
 * An exchange within an exchange: another request is asked on behalf of the client's, through the same upstreams, queues and
 * retries, and its answer goes to the same client. Towards `inner` this is the client's side, towards `outer` whoever works on
 * it. The log, the counters and the client know one request only, the outer one; how it ended is taken over from the inner.
 *
 * The inner request has no body. What the client sends of its own waits, unread.
 */
export class Detour implements Front, Carrier {
  readonly inner: Exchange;
  readonly #outer: Exchange;
  readonly #attempts: number;
  readonly #trail: readonly string[];

  constructor(outer: Exchange, request: Request, now: number) {
    this.#outer = outer;
    this.#attempts = outer.attempts;
    this.#trail = outer.trail ?? [];
    const inner = new Exchange(this, request, now);
    inner.remote = outer.remote;
    inner.id = outer.id;
    inner.traceId = outer.traceId;
    inner.spanId = outer.spanId;
    inner.detours = outer.detours + 1;
    inner.variables = outer.variables;
    this.inner = inner;
    outer.carrier = this;
  }

  get client(): Front['client'] {
    return this.#outer.front.client;
  }

  get tunnelIdle(): number {
    return this.#outer.front.tunnelIdle;
  }

  // ---- as the exchange's carrier

  clientGone(): void {
    this.report();
    const { carrier } = this.inner;
    this.inner.carrier = null;
    this.inner.state = 'done';
    carrier?.clientGone();
  }

  clientFlushed(): void {
    this.inner.carrier?.clientFlushed();
  }

  // ---- as the client's side

  readBody(): boolean {
    return false;
  }

  discardBody(): void {}

  resumeBody(): void {}

  holdBody(): void {}

  interim(answer: Answer): void {
    this.#outer.front.interim(answer);
  }

  answer(answer: Answer): void {
    const { front } = this.#outer;
    this.report();
    front.answer(answer);
    this.inner.status = answer.status;
    this.inner.state = 'answering';
    // Or a client that sends all of it before it reads would wait for us, and we for it.
    front.discardBody();
  }

  body(buffer: Buffer, start: number, end: number): void {
    this.#outer.front.body(buffer, start, end);
  }

  end(trailers: string): void {
    this.#outer.front.end(trailers);
  }

  flush(): boolean {
    this.report();
    const flushed = this.#outer.front.flush();
    this.#settle();
    return flushed;
  }

  respond(status: number, lines: string, body: string): void {
    this.inner.status = status;
    this.report();
    this.#outer.carrier = null;
    this.#outer.front.respond(status, lines, body);
    this.#settle();
  }

  truncate(): void {
    this.report();
    this.#outer.front.truncate();
    this.#settle();
  }

  tunnel(): ReturnType<Front['tunnel']> {
    return this.#outer.front.tunnel();
  }

  tunnelled(): void {
    this.report();
    this.#outer.bytesIn += this.inner.bytesIn;
    this.#outer.bytesOut += this.inner.bytesOut;
    this.#outer.front.tunnelled();
    this.#settle();
  }

  /** Before anything that may end the outer exchange, and so have it logged. */
  protected report(): void {
    const { inner } = this;
    const outer = this.#outer;
    outer.upstream = inner.upstream;
    outer.upstreamMeter = inner.upstreamMeter;
    outer.origin = inner.origin;
    outer.attempts = this.#attempts + inner.attempts;
    outer.assigned = inner.assigned;
    outer.connected = inner.connected;
    outer.answered = inner.answered;
    outer.reused = inner.reused;
    if (inner.error !== '') {
      outer.error = inner.error;
      outer.errorDetail = inner.errorDetail;
    }
    if (inner.trail !== null) outer.trail = [...this.#trail, ...inner.trail].slice(0, LONGEST_TRAIL);
  }

  /** A hook that still waits for something hears that it is too late. */
  #settle(): void {
    if (this.#outer.state === 'done') this.inner.state = 'done';
  }
}

/** As long as that of one exchange. */
const LONGEST_TRAIL = 16;

/** Fields about a body, which an inner request has not. */
const OF_A_BODY = ['content-length', 'content-type', 'content-encoding', 'transfer-encoding', 'expect', 'trailer'];

/** The same request for another target or none, without its body. HEAD stays HEAD, because the client waits for no body. */
export function withoutBody(given: Request, another?: string): Request {
  const { fields, method, target, form, minor, http2 } = given;
  const request = new Request();
  request.fields.copy(fields);
  for (const name of OF_A_BODY) request.fields.delete(name);
  request.method = another === undefined || method === 'HEAD' ? method : 'GET';
  // RFC 9112 §3.2.2: such a target names the host, whatever Host says. Nobody may be asked about another one.
  const absolute = form === 'absolute';
  request.target = another === undefined ? target : absolute ? absoluteTarget(given, another) : another;
  request.form = another === undefined || absolute ? form : 'origin';
  request.minor = minor;
  request.http2 = http2;
  request.hasAuthorityOf(given);
  return request;
}

/**
 * The request that an application leads to: as if the client had asked its site for this target. The Host of a hook, which
 * was for another request, is not taken along, and one that a codec has left out is there again.
 */
export function sentElsewhere(given: Request, another: string): Request {
  const request = withoutBody(given, another);
  if (request.fields.find(HOST) >= 0) return request;
  request.fields.delete('host');
  if (given.authority === '') return request;
  request.target = absoluteTarget(given, another);
  request.form = 'absolute';
  return request;
}

const absoluteTarget = (given: Request, target: string): string => `http://${given.authority}${target}`;
