import type { Answer, BodySink } from '../../core/answer.ts';
import { errorAnswer, phraseOf } from '../../core/error-answer.ts';
import { type ErrorCode, errors } from '../../core/errors.ts';
import { type ClientAddress, Exchange, type Front } from '../../core/exchange.ts';
import * as names from '../../core/names.ts';
import { Pieces } from '../../core/pieces.ts';
import type { Request } from '../../core/request.ts';
import { Timer } from '../../core/wheel.ts';
import { writeAnswer, writeLinesAnswer } from '../../codec/h2/answer-block.ts';
import * as codes from '../../codec/h2/codes.ts';
import type { Outgoing, Sender } from '../../codec/h2/sender.ts';
import { nowhere } from '../body-reader.ts';
import { CONTINUE_AFTER } from '../bounds.ts';
import type { ConnectionHost } from '../host.ts';

/** What a stream needs of its connection. */
export interface StreamHost {
  readonly host: ConnectionHost;
  readonly client: ClientAddress;
  readonly sender: Sender;
  /** What the client may send of one body before any has been taken, in bytes. */
  readonly streamWindow: number;
  /** A read is being worked on: `settle` comes at its end for whoever was added to `unsettled`. */
  readonly reading: boolean;
  readonly unsettled: Set<Http2Stream>;
  /** Writes what was added. False announces `flushed`. */
  flush(): boolean;
  /** Writes the end of an answer, perhaps together with others: `writable` comes when it is out. */
  flushEnd(stream: Http2Stream): boolean;
  /** Lets the client send so much more of this stream's body. */
  grant(stream: Http2Stream, bytes: number): void;
  reset(stream: Http2Stream, code: number): void;
  /** A request was given up that an origin had begun with. */
  troubled(): void;
  /** It is answered, and the rest of its request is not wanted. */
  answeredEarly(stream: Http2Stream): void;
  /** Its exchange is over, and nothing more is said about it. */
  left(stream: Http2Stream): void;
}

/** One request and its answer on a client's connection of HTTP/2: a stream (RFC 9113 §5, §8.1). */
export class Http2Stream implements Front, Outgoing {
  readonly id: number;
  readonly client: ClientAddress;
  readonly exchange: Exchange;
  /** The exchange is over. */
  over = false;
  readonly #host: StreamHost;
  readonly #request: Request;
  readonly #timer = new Timer(() => this.#late());

  // The answer.
  readonly waits = false;
  window: number;
  held: Buffer[] = [];
  readonly owed = -1;
  bodyEnded = false;
  trailers = '';
  sentEnd = false;
  /** The final head is out. */
  #started = false;
  /** Whoever brings the answer has been told to wait. */
  #stalled = false;
  /** Bytes that the client had let through when that was looked at last. */
  #passedThen = 0;
  /** `100 Continue`: 0 nobody waits for it · 1 the client does · 2 it was sent. */
  #continue: 0 | 1 | 2;

  // The request's body.
  /** Bytes that the client may still send. */
  credit: number;
  /** END_STREAM has come. */
  gotEnd = false;
  #requestTrailers = '';
  /** All of the body has been handed over, or is not to be. */
  #taken = false;
  /** Pieces that nobody could take when they came: at most the stream's window. */
  readonly #kept = new Pieces();
  /** Bytes handed over that the client has not been given back. */
  #used = 0;
  #sink: BodySink | null = null;
  #sinkFull = false;

  constructor(id: number, request: Request, window: number, host: StreamHost) {
    this.id = id;
    this.client = host.client;
    this.window = window;
    this.credit = host.streamWindow;
    this.#host = host;
    this.#request = request;
    this.#continue = request.expectsContinue ? 1 : 0;
    this.exchange = new Exchange(this, request, host.host.clock.now());
  }

  get tunnelIdle(): number {
    return this.#host.host.timeouts.tunnel;
  }

  // ---- what comes

  /** The head is complete. */
  begin(): void {
    this.#taken = this.gotEnd;
    const { limits } = this.#host.host;
    if (this.#request.framing === 'length' && this.#request.length > limits.body) this.refuse('body-too-large');
    else this.#host.host.handle(this.exchange);
  }

  /** Some of the body, with `settle` to follow. */
  data(buffer: Buffer, start: number, end: number): void {
    if (this.over || this.#taken || start === end) return;
    const { exchange } = this;
    const request = this.#request;
    exchange.bytesIn += end - start;
    // The client did not wait: nobody needs to tell it to go on.
    if (this.#continue === 1) this.#continue = 0;
    // RFC 9113 §8.1.1.
    if (request.framing !== 'chunked' && exchange.bytesIn > request.length)
      return this.bodyFailed('bad-content-length');
    if (exchange.bytesIn > this.#host.host.limits.body) return this.bodyFailed('body-too-large');
    if (this.#sink === null || this.#sinkFull || this.#kept.size > 0) {
      this.#kept.add(buffer, start, end);
      return;
    }
    this.#used += end - start;
    this.#sink.body(buffer, start, end);
  }

  /** Bytes of a frame that were none of the body. */
  padded(bytes: number): void {
    this.#used += bytes;
  }

  /** The end of the body, with `settle` to follow. */
  bodyEnds(trailers: string): void {
    this.gotEnd = true;
    if (this.over || this.#taken) return;
    this.#requestTrailers = trailers;
    const request = this.#request;
    if (request.framing === 'length' && this.exchange.bytesIn < request.length) this.bodyFailed('bad-content-length');
  }

  /** Hands over what has come, and hears whether more may. */
  settle(): void {
    if (this.over || this.#taken || this.#sinkFull) return;
    const sink = this.#sink;
    if (sink === null) return;
    for (const piece of this.#kept.take()) {
      this.#used += piece.length;
      sink.body(piece, 0, piece.length);
    }
    if (this.gotEnd) {
      this.#taken = true;
      this.#sink = null;
      this.#wait();
      sink.end(this.#requestTrailers);
      sink.flush();
      return;
    }
    const more = sink.flush();
    if (this.#sink !== sink || this.over) return;
    if (!more) this.#sinkFull = true;
    else this.#grant();
    this.#wait();
  }

  /** The client lets us send more, or the connection has taken what there was. */
  writable(): void {
    if (this.over) return;
    if (this.sentEnd) return this.#finish();
    if (!this.#stalled || this.held.length > 0) return;
    this.#stalled = false;
    this.#wait();
    this.exchange.carrier?.clientFlushed();
  }

  /** The exchange ends without the client. */
  abandon(code: ErrorCode, detail = ''): void {
    if (this.over) return;
    const { exchange } = this;
    if (exchange.error === '') {
      exchange.error = code;
      exchange.errorDetail = detail;
    }
    if (exchange.status === 0) exchange.status = errors[code].status;
    this.#leaveCarrier();
    this.#end();
  }

  /** Answers a request that cannot be served. */
  refuse(code: ErrorCode, detail = ''): void {
    const { exchange } = this;
    exchange.error = code;
    exchange.errorDetail = detail;
    // What comes of its body is nobody's.
    this.#drop();
    const { fields } = this.#request;
    const accept = fields.text === '' ? undefined : fields.get('accept');
    const { status, lines, body } = errorAnswer(code, accept ?? '', exchange.id);
    this.respond(status, lines, body);
  }

  /** The rest of the body is not to be had, or not to be trusted. */
  bodyFailed(code: ErrorCode, detail = ''): void {
    // Nobody needed it, or all of the answer is here: so that stands.
    const wanted = this.#sink !== nowhere && !this.bodyEnded && !this.sentEnd;
    this.#drop();
    if (!wanted) return;
    // The origin has been troubled in vain.
    if (this.exchange.carrier !== null && code !== 'body-timeout') this.#host.troubled();
    this.#leaveCarrier();
    if (!this.#started) return this.refuse(code, detail);
    this.exchange.error = code;
    this.exchange.errorDetail = detail;
    this.truncate();
  }

  // ---- as an exchange's front

  readBody(into: BodySink): boolean {
    if (this.over || this.#taken) return false;
    this.#sink = into;
    this.#sinkFull = false;
    this.#wait();
    if (this.#host.reading) {
      this.#host.unsettled.add(this);
      return true;
    }
    const inHand = this.#kept.size > 0 || this.gotEnd;
    if (inHand) this.settle();
    return inHand;
  }

  discardBody(): void {
    if (this.#taken) return;
    this.#sink = nowhere;
    this.#sinkFull = false;
    this.settle();
  }

  holdBody(): void {
    if (this.#taken || this.#sink === null) return;
    this.#sinkFull = true;
    this.#wait();
  }

  resumeBody(): void {
    if (!this.#sinkFull) return;
    this.#sinkFull = false;
    this.settle();
  }

  interim(answer: Answer): void {
    if (this.#started || this.over) return;
    if (answer.status === 100) {
      // Passed on also to a client that did not ask (RFC 9110 §15.2); but never after one of ours.
      if (this.#continue === 2) return;
      this.#continue = 2;
      this.#wait();
    }
    answer.fields.dropAll(names.CONTENT_LENGTH);
    const { sender } = this.#host;
    writeAnswer(answer, '', sender.encoder, sender.block());
    sender.head(this, false);
    this.#host.flush();
  }

  answer(answer: Answer): void {
    if (this.over) return;
    const { exchange } = this;
    const { sender, host } = this.#host;
    exchange.status = answer.status;
    exchange.state = 'answering';
    this.#started = true;
    const { fields } = answer;
    // RFC 9110 §8.6: an answer that can have no body states no length.
    if (answer.status === 204) fields.dropAll(names.CONTENT_LENGTH);
    // RFC 9110 §6.6.1: whoever has a clock adds the Date that is missing.
    const dated = fields.find(names.DATE) >= 0 || (fields.added !== '' && fields.get('date') !== undefined);
    writeAnswer(answer, dated ? '' : host.date.get(), sender.encoder, sender.block());
    this.bodyEnded = answer.framing === 'none';
    sender.head(this, this.bodyEnded);
    this.#wait();
  }

  body(buffer: Buffer, start: number, end: number): void {
    if (this.over || this.bodyEnded) return;
    this.exchange.bytesOut += end - start;
    this.#host.sender.body(this, buffer, start, end);
  }

  end(trailers: string): void {
    if (!this.over && !this.sentEnd) this.#host.sender.end(this, trailers);
  }

  flush(): boolean {
    if (this.over) return true;
    if (this.sentEnd) return this.#host.flushEnd(this);
    const flushed = this.#host.flush();
    if (flushed && this.held.length === 0) return true;
    if (!this.#stalled) this.#passedThen = this.#passed;
    this.#stalled = true;
    this.#wait();
    return false;
  }

  respond(status: number, lines: string, body: string): void {
    if (this.over) return;
    const { sender, host } = this.#host;
    const bodiless = status === 204 || status === 304;
    const silent = bodiless || body === '' || this.#request.method === 'HEAD';
    this.exchange.status = status;
    this.#started = true;
    const length = bodiless ? '' : `Content-Length: ${body.length}\r\n`;
    writeLinesAnswer(status, `${lines}${length}${host.date.get()}`, sender.encoder, sender.block());
    this.bodyEnded = silent;
    sender.head(this, silent);
    if (!silent) {
      const bytes = Buffer.from(body, 'latin1');
      this.exchange.bytesOut += bytes.length;
      sender.body(this, bytes, 0, bytes.length);
      sender.end(this, '');
    }
    this.flush();
  }

  truncate(): void {
    if (this.over) return;
    this.#host.reset(this, codes.INTERNAL_ERROR);
    this.#end();
    this.#host.flush();
  }

  tunnel(): never {
    // Nobody can ask for one: fields about the connection are refused, and extended CONNECT is not offered.
    throw new Error(`${phraseOf(101)} to a client of HTTP/2`);
  }

  tunnelled(): void {}

  // ---- inside

  #drop(): void {
    this.#taken = true;
    this.#kept.clear();
    this.#sink = null;
  }

  #leaveCarrier(): void {
    const { exchange } = this;
    const { carrier } = exchange;
    exchange.carrier = null;
    carrier?.clientGone();
  }

  /** The answer is out. */
  #finish(): void {
    if (!this.gotEnd) this.#host.answeredEarly(this);
    this.#end();
  }

  #end(): void {
    const { exchange } = this;
    const { host } = this.#host;
    this.over = true;
    this.#drop();
    host.wheel.drop(this.#timer);
    exchange.state = 'done';
    exchange.ended = host.clock.now();
    exchange.carrier = null;
    this.#host.left(this);
    host.done(exchange);
    host.giveRequest(this.#request);
  }

  /** Opens the window again once half of it has been used. */
  #grant(): void {
    if (this.#used * 2 < this.#host.streamWindow) return;
    this.credit += this.#used;
    this.#host.grant(this, this.#used);
    this.#used = 0;
  }

  /** Sets the clock on whatever is waited for: the client's reading, its telling more, or nothing of it. */
  #wait(): void {
    const { wheel, timeouts } = this.#host.host;
    const asked = !this.#taken && this.#sink !== null && this.#sink !== nowhere && !this.#sinkFull;
    // Where no window stops it the connection does, and looks after that itself.
    if (this.#stalled && this.held.length > 0) wheel.arm(this.#timer, timeouts.write);
    else if (this.#stalled) wheel.disarm(this.#timer);
    else if (asked) wheel.arm(this.#timer, this.#continue === 1 ? CONTINUE_AFTER : timeouts.body);
    else wheel.disarm(this.#timer);
  }

  /** Bytes of the answer that the client's windows have let through. */
  get #passed(): number {
    return this.exchange.bytesOut - this.held.reduce((sum, one) => sum + one.length, 0);
  }

  #late(): void {
    if (this.#stalled) {
      if (this.held.length === 0) return;
      // What it lets through shows that it takes something.
      const passed = this.#passed;
      if (passed !== this.#passedThen) {
        this.#passedThen = passed;
        return this.#wait();
      }
      this.#host.reset(this, codes.CANCEL);
      this.abandon('client-slow');
      this.#host.flush();
      return;
    }
    if (this.#continue === 1 && !this.#started) {
      this.#continue = 2;
      const { sender } = this.#host;
      writeLinesAnswer(100, '', sender.encoder, sender.block());
      sender.head(this, false);
      this.#host.flush();
      return this.#wait();
    }
    if (!this.#taken && !this.#sinkFull) this.bodyFailed('body-timeout');
  }
}
