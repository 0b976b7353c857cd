import type { Answer, BodySink } from '../core/answer.ts';
import { type ErrorCode, errors } from '../core/errors.ts';
import { type ClientAddress, Exchange, type Front } from '../core/exchange.ts';
import { Request } from '../core/request.ts';
import { Timer } from '../core/wheel.ts';
import { BULK, type WireLike, type WireOwner } from '../core/wire.ts';
import { FAILED, MORE } from '../codec/http1/lines.ts';
import { RequestHeadParser } from '../codec/http1/request-head.ts';
import { AnswerWriter } from './answer-writer.ts';
import { BodyReader, nowhere } from './body-reader.ts';
import { CONTINUE_AFTER, HALF_CLOSED, LAST_BYTES, PARTING, READ_AHEAD, WORTH_DRAINING } from './bounds.ts';
import type { ClientConnection, ConnectionHost } from './host.ts';
import { Intake } from './intake.ts';
import { linger } from './linger.ts';

/**
 * `idle` between requests · `head` a head has begun · `exchange` one is being served · `rest` it is answered, and the rest
 * of its body is thrown away · `closing` the last bytes are on their way and what still arrives is thrown away · `tunnel`
 * the bytes belong to somebody else.
 */
type State = 'idle' | 'head' | 'exchange' | 'rest' | 'closing' | 'tunnel';

/**
 * One client connection speaking HTTP/1.0 or 1.1 (RFC 9112): heads in, one exchange at a time in the order they came,
 * answers out. Reads no further than the exchange in hand can take, so a pipelining client waits in its own buffers.
 */
export class Connection implements WireOwner, Front, ClientConnection {
  readonly client: ClientAddress;
  readonly wire: WireLike;
  readonly #host: ConnectionHost;
  readonly #parser: RequestHeadParser;
  readonly #writer: AnswerWriter;
  readonly #body = new BodyReader();
  readonly #timer = new Timer(() => this.#late());
  #state: State = 'idle';
  #request: Request | null = null;
  #exchange: Exchange | null = null;
  #served = 0;
  #keep = true;
  readonly #intake = new Intake();
  #pumping = false;
  #paused = false;
  #sink: BodySink | null = null;
  #sinkFull = false;
  /** `100 Continue`: 0 nobody waits for it · 1 the client does · 2 it was sent. */
  #continue: 0 | 1 | 2 = 0;
  /** The client has ended its side. */
  #half = false;
  #unflushed = false;
  #queued = 0;

  constructor(host: ConnectionHost, client: ClientAddress, makeWire: (owner: WireOwner) => WireLike) {
    this.#host = host;
    this.client = client;
    this.wire = makeWire(this);
    this.#parser = new RequestHeadParser(host.limits);
    this.#writer = new AnswerWriter(this.wire, host.date);
    host.wheel.arm(this.#timer, host.timeouts.head);
  }

  get tunnelIdle(): number {
    return this.#host.timeouts.tunnel;
  }

  // ---- the client's bytes

  received(buffer: Buffer, length: number): boolean {
    if (this.#state === 'closing') return true;
    this.#intake.add(buffer, length);
    this.#pump();
    this.#intake.keep(buffer);
    // What the exchange in hand cannot take is kept; anything after it may wait in the client's own buffers.
    this.#paused = !this.#mayRead();
    return !this.#paused;
  }

  ended(): void {
    switch (this.#state) {
      case 'exchange': {
        this.#half = true;
        if (this.#writer.ended) return;
        const exchange = this.#exchange as Exchange;
        // It left, if it is not done asking, or has its answer in part, or stands in a queue, which must be let go at once.
        const queued = exchange.state === 'waiting' && exchange.assigned === 0;
        if (!this.#body.done || this.#writer.started || queued) return this.#abandon('client-gone');
        return this.#host.wheel.arm(this.#timer, HALF_CLOSED);
      }
      default:
        this.wire.destroy();
    }
  }

  flushed(): void {
    this.#unflushed = false;
    if (this.#state !== 'exchange') return;
    if (this.#writer.ended) return this.#finish();
    // The client reads again; now its own sending is what is waited for, if anything is.
    const waits = !this.#body.done && this.#sink !== null && !this.#sinkFull;
    this.#host.wheel.arm(this.#timer, waits ? this.#host.timeouts.body : 0);
    this.#exchange?.carrier?.clientFlushed();
  }

  closed(): void {
    this.#host.wheel.drop(this.#timer);
    if (this.#state === 'exchange') this.#abandon('client-gone');
    this.#intake.clear();
    this.#releaseRequest();
    this.#host.left(this);
  }

  defect(error: unknown): void {
    this.#host.defect(error);
    if (this.#exchange !== null) this.#abandon('internal');
  }

  /** The next answer says that it is the last; whoever asks for none has a moment, for a request may be on its way. */
  drain(): void {
    if (this.#state === 'idle' && this.#intake.empty) this.#host.wheel.arm(this.#timer, PARTING);
  }

  /** Cuts the connection, whatever it is doing; true when it was not only waiting for another request. */
  abort(): boolean {
    const waits = this.#state === 'idle' && this.#intake.empty;
    if (this.#state === 'exchange') this.#abandon('draining');
    this.wire.destroy(true);
    return !waits;
  }

  readBody(into: BodySink): boolean {
    this.#sink = into;
    this.#sinkFull = false;
    this.#host.wheel.arm(this.#timer, this.#continue === 1 ? CONTINUE_AFTER : this.#host.timeouts.body);
    const inHand = !this.#intake.empty;
    this.#goOn();
    return inHand;
  }

  discardBody(): void {
    if (this.#body.done) return;
    this.#sink = nowhere;
    this.#sinkFull = false;
    this.#goOn();
  }

  holdBody(): void {
    if (this.#body.done || this.#sink === null) return;
    this.#sinkFull = true;
    if (!this.#paused) this.wire.pause();
    this.#paused = true;
  }

  resumeBody(): void {
    if (!this.#sinkFull) return;
    this.#sinkFull = false;
    if (!this.#body.done) this.#host.wheel.arm(this.#timer, this.#host.timeouts.body);
    this.#goOn();
  }

  interim(answer: Answer): void {
    const { minor } = this.#request as Request;
    if (minor === 0 || this.#writer.started) return;
    if (answer.status === 100) {
      // RFC 9110 §15.2: passed on also to a client that did not ask; but never after one of ours.
      if (this.#continue === 2) return;
      if (this.#continue === 1) this.#host.wheel.arm(this.#timer, this.#host.timeouts.body);
      this.#continue = 2;
    }
    this.#writer.interim(answer);
    this.wire.flush();
  }

  answer(answer: Answer): void {
    const request = this.#request as Request;
    const exchange = this.#exchange as Exchange;
    exchange.status = answer.status;
    exchange.state = 'answering';
    if (!this.#body.done) this.#answeredEarly();
    this.#keep = this.#writer.head(answer, request, this.#mayStay(request));
  }

  body(buffer: Buffer, start: number, end: number): void {
    this.#writer.body(buffer, start, end);
  }

  end(trailers: string): void {
    this.#writer.end(trailers);
  }

  flush(): boolean {
    const flushed = this.wire.flush();
    if (this.#state !== 'exchange') return true;
    if (!flushed) {
      this.#unflushed = true;
      this.#queued = this.wire.queued;
      this.#host.wheel.arm(this.#timer, this.#host.timeouts.write);
    } else if (this.#writer.ended) this.#finish();
    return flushed;
  }

  respond(status: number, lines: string, body: string): void {
    const request = this.#request;
    if (!this.#body.done) this.#answeredEarly();
    const exchange = this.#exchange as Exchange;
    exchange.status = status;
    this.#keep = request !== null && this.#mayStay(request);
    this.#writer.whole(status, lines, body, request, this.#keep);
    this.flush();
  }

  truncate(): void {
    // Only a body that ends with the connection needs RST to look cut off; the others lack their end anyway, and FIN
    // lets the client have what was sent.
    const reset = this.#writer.framing === 'close';
    this.#state = 'closing';
    this.#sink = null;
    if (this.#exchange !== null) this.#over(this.#exchange);
    this.#host.wheel.arm(this.#timer, LAST_BYTES);
    if (reset) this.wire.destroy(true);
    else this.wire.finish();
  }

  tunnel(): { wire: WireLike; early: Buffer | null; ended: boolean } {
    const early = this.#intake.take();
    this.#state = 'tunnel';
    this.#host.wheel.drop(this.#timer);
    return { wire: this.wire, early, ended: this.#half };
  }

  tunnelled(): void {
    if (this.#exchange !== null) this.#over(this.#exchange);
    this.#releaseRequest();
    this.#host.left(this);
  }

  /** Works on the bytes in hand until they are used up or nobody can take them. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.#intake.empty && this.#step());
    } finally {
      this.#pumping = false;
    }
  }

  #mayRead(): boolean {
    if (this.#state === 'closing') return true;
    return !this.#sinkFull && (this.#intake.length < READ_AHEAD || this.#state === 'head');
  }

  #step(): boolean {
    switch (this.#state) {
      case 'idle':
      case 'head':
        return this.#readHead();
      case 'exchange':
      case 'rest':
        return this.#readBody();
      default:
        return false;
    }
  }

  #readHead(): boolean {
    const request = (this.#request ??= this.#host.takeRequest());
    const intake = this.#intake;
    const after = this.#parser.parse(intake.bytes, intake.at, intake.end, request);
    if (after === MORE) {
      if (this.#half) {
        this.wire.finish();
        return false;
      }
      if (this.#state === 'idle') {
        // RFC 9112 §2.2: empty lines before a request are not its beginning.
        if (intake.skipEmptyLines()) return false;
        this.#host.wheel.arm(this.#timer, this.#host.timeouts.head);
      }
      this.#state = 'head';
      return false;
    }
    if (after === FAILED && this.#switchesToHttp2()) return false;
    const exchange = this.#begin(request);
    if (this.#half) this.#host.wheel.arm(this.#timer, HALF_CLOSED);
    else this.#host.wheel.disarm(this.#timer);
    if (after === FAILED) {
      this.#intake.clear();
      this.#refuse(exchange, this.#parser.error);
      return false;
    }
    intake.at = after;
    this.#served++;
    this.#body.begin(request, this.#host.limits.body, this.#host.limits.head, this.#host.limits.fields);
    this.#continue = request.expectsContinue ? 1 : 0;
    if (request.framing === 'length' && request.length > this.#host.limits.body) {
      this.#refuse(exchange, 'body-too-large');
      return false;
    }
    this.#host.handle(exchange);
    return true;
  }

  #begin(request: Request): Exchange {
    this.#state = 'exchange';
    this.#writer.reset();
    return (this.#exchange = new Exchange(this, request, this.#host.clock.now()));
  }

  /** RFC 9113 §3.3: who knows that we speak it begins with its preface. To a parser of HTTP/1 that is a bad request. */
  #switchesToHttp2(): boolean {
    if (this.#served > 0 || !this.#host.switchToHttp2(this, this.wire, this.#intake)) return false;
    this.#releaseRequest();
    this.#host.wheel.drop(this.#timer);
    this.#state = 'tunnel';
    return true;
  }

  #readBody(): boolean {
    const sink = this.#sink;
    if (this.#body.done || sink === null || this.#sinkFull) return false;
    const intake = this.#intake;
    if (intake.length > BULK) this.wire.bulk = true;
    // The client did not wait: nobody needs to tell it to go on.
    if (this.#continue === 1) this.#continue = 0;
    const after = this.#body.read(intake.bytes, intake.at, intake.end, sink);
    if (after < 0) {
      this.#intake.clear();
      this.#bodyFailed(this.#body.error);
      return false;
    }
    intake.at = after;
    if (this.#exchange !== null) this.#exchange.bytesIn = this.#body.bytes;
    if (this.#body.done) {
      this.wire.bulk = false;
      this.#sink = null;
      sink.end(this.#body.trailers);
      sink.flush();
      if (!this.#unflushed && this.#state === 'exchange') this.#host.wheel.disarm(this.#timer);
      if (this.#state === 'rest') this.#next();
      return true;
    }
    const taken = sink.flush();
    if (this.#sink !== sink) return this.#sink !== null;
    if (!taken) this.#sinkFull = true;
    if (!this.#unflushed) {
      // While the sink is full it is not the client who is to be waited for.
      if (taken) this.#host.wheel.arm(this.#timer, this.#host.timeouts.body);
      else this.#host.wheel.disarm(this.#timer);
    }
    return taken;
  }

  /** Works on kept bytes, and lets the client send again once they are used up. */
  #goOn(): void {
    if (this.#pumping) return;
    this.#pump();
    if (this.#intake.empty) this.#intake.clear();
    if (this.#paused && this.#mayRead() && this.#state !== 'tunnel') {
      this.#paused = false;
      this.wire.resume();
    }
  }

  /** Before the head of an answer: whoever was not told to send its body, or has much of it left, is closed after. */
  #answeredEarly(): void {
    if (this.#continue === 1) this.#host.wheel.disarm(this.#timer);
    if (this.#continue === 1 || this.#body.owed > WORTH_DRAINING) this.#keep = false;
  }

  #mayStay(request: Request): boolean {
    const { limits, timeouts, draining } = this.#host;
    if (draining || timeouts.keepAlive === 0) return false;
    return this.#keep && request.keepAlive && this.#served < limits.requests;
  }

  /** Answers a request that cannot be served, and closes: what follows it cannot be trusted. */
  #refuse(exchange: Exchange, code: ErrorCode): void {
    this.#keep = false;
    this.#body.done = true;
    exchange.error = code;
    exchange.status = this.#writer.error(code, exchange.request);
    this.flush();
  }

  #bodyFailed(code: ErrorCode): void {
    const wanted = this.#sink !== nowhere;
    this.#body.done = true;
    this.#sink = null;
    if (!wanted) {
      // Nobody needed it, so the answer stands; but what follows cannot be trusted to be a request.
      this.#keep = false;
      if (this.#state === 'rest') this.#close();
      return;
    }
    const exchange = this.#exchange as Exchange;
    const { carrier } = exchange;
    exchange.error = code;
    exchange.carrier = null;
    carrier?.clientGone();
    if (this.#writer.started) this.truncate();
    else this.#refuse(exchange, code);
  }

  /** The exchange ends without the client. */
  #abandon(code: ErrorCode): void {
    const exchange = this.#exchange as Exchange;
    this.#state = 'closing';
    if (exchange.error === '' && (!this.#writer.ended || this.#unflushed)) exchange.error = code;
    if (exchange.status === 0) exchange.status = errors[code].status;
    const { carrier } = exchange;
    exchange.carrier = null;
    carrier?.clientGone();
    this.#over(exchange);
    // Whatever has been sent of an answer must not look complete, even if it ends with the connection.
    this.wire.destroy(true);
  }

  /** The answer is out. */
  #finish(): void {
    const exchange = this.#exchange as Exchange;
    this.#state = 'idle';
    this.#over(exchange);
    if (this.#body.done || !this.#keep) return this.#next();
    // Keep the connection: what little is left of the body goes nowhere first.
    this.#state = 'rest';
    this.#host.wheel.arm(this.#timer, this.#host.timeouts.body);
    this.discardBody();
  }

  /** The exchange is over on both sides. */
  #next(): void {
    if (!this.#keep) return this.#close();
    if (this.#half && this.#intake.empty) return this.wire.finish();
    this.#state = 'idle';
    this.#releaseRequest();
    const { wheel, timeouts, draining } = this.#host;
    wheel.arm(this.#timer, Math.min(timeouts.keepAlive, draining ? PARTING : Infinity));
    this.#goOn();
  }

  #over(exchange: Exchange): void {
    this.#exchange = null;
    this.#sink = null;
    exchange.state = 'done';
    exchange.ended = this.#host.clock.now();
    exchange.carrier = null;
    exchange.bytesOut += this.#writer.bytes;
    this.#host.done(exchange);
  }

  /** Closes after the last answer, patiently where the client may still be sending. */
  #close(): void {
    const quiet = this.#body.done && this.#intake.empty && !this.#paused && this.#exchange === null && this.#served > 0;
    if (quiet && this.#request?.keepAlive === false) return this.wire.finish();
    this.#state = 'closing';
    this.#intake.clear();
    this.#sink = null;
    if (this.#half) return this.wire.finish();
    linger(this.wire, this.#host, () => this.closed());
  }

  #releaseRequest(): void {
    if (this.#request === null) return;
    this.#host.giveRequest(this.#request);
    this.#request = null;
    this.#parser.reset();
  }

  #late(): void {
    const { timeouts, wheel } = this.#host;
    switch (this.#state) {
      case 'idle':
      case 'closing':
        return this.wire.destroy();
      case 'rest':
        return this.#close();
      case 'head':
        this.#intake.clear();
        return this.#refuse(this.#begin((this.#request ??= this.#host.takeRequest())), 'head-timeout');
      case 'exchange':
        if (this.#unflushed) {
          const { queued } = this.wire;
          if (queued < this.#queued) {
            this.#queued = queued;
            return wheel.arm(this.#timer, timeouts.write);
          }
          return this.#abandon('client-slow');
        }
        if (this.#continue === 1 && !this.#writer.started) {
          this.#continue = 2;
          this.wire.text('HTTP/1.1 100 Continue\r\n\r\n');
          this.wire.flush();
          return wheel.arm(this.#timer, timeouts.body);
        }
        if (this.#half && !this.#writer.started) return this.#abandon('client-gone');
        if (!this.#body.done && this.#sink !== null && !this.#sinkFull) this.#bodyFailed('body-timeout');
        break;
      default:
    }
  }
}
