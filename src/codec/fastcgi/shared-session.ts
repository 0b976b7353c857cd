import type { Answer, AnswerSink, ByteSink } from '../../core/answer.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { Request } from '../../core/request.ts';
import type { Asker, CodecLimits, CodecSession, Learned, RequestTarget } from '../codec.ts';
import * as records from './records.ts';
import { FastCgiSession } from './session.ts';
import { GET_VALUES_RESULT, QUESTION, requestsAtOnce, UNKNOWN_TYPE } from './values.ts';

/**
 * Bytes that all slow readers of one connection may have waiting for them. FastCGI has no window for each request: what
 * comes beyond that stops the connection, and with it the other requests on it.
 */
const MOST_KEPT = 1024 * 1024;

/**
 * FastCGI 1.0 with several requests on a connection: records are sorted by the id they carry, and each request has a session
 * of its own, as if it were alone.
 *
 * An application has to say that it can (§4.1). It is asked once, on a connection that has answered a request and has
 * nothing else to do, and that takes nothing until the answer has come: nobody waits for it, and nothing is lost when the
 * application closes the connection instead. Until then, and where it says no or nothing, requests travel one at a time.
 */
export class SharedFastCgiSession implements CodecSession {
  readonly idleLimit = -1;
  reusable = true;
  readonly #out: ByteSink;
  readonly #limits: CodecLimits;
  readonly #learned: Learned;
  /** By id; some applications have tables of that size, so low ones are used again (§3.3). */
  readonly #exchanges: (OneOfMany | undefined)[] = [];
  readonly #sessions: (FastCgiSession | undefined)[] = [];
  #open = 0;
  /** Ids that nobody waits for any more, and that the application has not ended. */
  #lingering = 0;
  #asking = false;
  readonly #kept: Kept = { bytes: 0 };
  // The record that is being read.
  readonly #header: Buffer = Buffer.alloc(records.HEADER);
  #headerSize = 0;
  #content = 0;
  #padding = 0;
  #of: OneOfMany | undefined;
  #values: Buffer[] | null = null;

  constructor(out: ByteSink, limits: CodecLimits, learned: Learned) {
    this.#out = out;
    this.#limits = limits;
    this.#learned = learned;
  }

  get slots(): number {
    if (this.#asking) return 0;
    return Math.max(0, (this.#learned.slots ?? 1) - this.#lingering);
  }

  get full(): boolean {
    return this.#kept.bytes > MOST_KEPT;
  }

  open(request: Request, target: RequestTarget, into: AnswerSink, from: Asker): number | ErrorCode {
    let id = 1;
    while (this.#exchanges[id] !== undefined) id++;
    const session = (this.#sessions[id] ??= new FastCgiSession(this.#out, this.#limits, true, id));
    const exchange = new OneOfMany(id, session, into, request.framing === 'none', this.#kept);
    const opened = session.open(request, target, exchange, from);
    if (typeof opened === 'string') return opened;
    this.#exchanges[id] = exchange;
    this.#open++;
    return id;
  }

  body(id: number, buffer: Buffer, start: number, end: number): void {
    const exchange = this.#exchanges[id];
    if (exchange?.into && !exchange.answered) exchange.session.body(id, buffer, start, end);
  }

  end(id: number): void {
    const exchange = this.#exchanges[id];
    if (exchange === undefined) return;
    exchange.requestEnded = true;
    if (!exchange.answered) exchange.session.end();
    this.#look(exchange);
  }

  abort(id: number): void {
    const exchange = this.#exchanges[id];
    if (exchange === undefined) return;
    exchange.into = null;
    this.#look(exchange);
  }

  pause(id: number): void {
    const exchange = this.#exchanges[id];
    if (exchange !== undefined) exchange.paused = true;
  }

  resume(id: number): void {
    const exchange = this.#exchanges[id];
    if (exchange === undefined) return;
    exchange.paused = false;
    this.#forget(exchange);
  }

  receive(buffer: Buffer, start: number, end: number): void {
    for (let i = start; i < end && this.#headerSize >= 0;) {
      if (this.#headerSize < records.HEADER) {
        this.#header[this.#headerSize++] = buffer[i++];
        if (this.#headerSize < records.HEADER) continue;
        if (!this.#begins()) return;
      } else if (this.#content > 0) {
        const stop = Math.min(end, i + this.#content);
        this.#content -= stop - i;
        this.#take(buffer, i, stop);
        i = stop;
      } else {
        const skip = Math.min(this.#padding, end - i);
        this.#padding -= skip;
        // The session that reads this record counts its padding as well.
        this.#of?.session.receive(buffer, i, i + skip);
        i += skip;
      }
      if (this.#content === 0 && this.#padding === 0) this.#ends();
    }
  }

  eof(): void {
    this.reusable = false;
    for (const exchange of this.#exchanges) {
      if (exchange === undefined) continue;
      exchange.session.eof();
      this.#free(exchange);
    }
  }

  /** A header is complete. False when what follows cannot be read. */
  #begins(): boolean {
    const header = this.#header;
    const id = header.readUInt16BE(2);
    this.#content = header.readUInt16BE(4);
    this.#padding = header[6];
    this.#of = undefined;
    this.#values = null;
    if (header[0] !== records.VERSION) return this.#broken('not FastCGI 1');
    if (header[1] === records.END_REQUEST && this.#content !== records.END_LENGTH) {
      return this.#broken(`END_REQUEST of ${this.#content} bytes`);
    }
    if (id === 0) {
      if (this.#asking && header[1] === GET_VALUES_RESULT) this.#values = [];
      return true;
    }
    const exchange = this.#exchanges[id];
    if (exchange === undefined) {
      // Of a request that is over, or of none. Nobody gets it, and nobody new is to be mistaken for its owner.
      this.reusable = false;
      return true;
    }
    this.#of = exchange;
    exchange.session.receive(header, 0, records.HEADER);
    return true;
  }

  /** A piece of a record's content. */
  #take(buffer: Buffer, start: number, end: number): void {
    const exchange = this.#of;
    if (exchange === undefined) {
      this.#values?.push(Buffer.from(buffer.subarray(start, end)));
      return;
    }
    if (this.#header[1] === records.END_REQUEST) {
      const at = records.END_LENGTH - this.#content - (end - start);
      if (at <= STATUS && at + end - start > STATUS) exchange.status = buffer[start + STATUS - at];
    }
    exchange.session.receive(buffer, start, end);
  }

  /** A record is complete, with its padding. */
  #ends(): void {
    this.#headerSize = 0;
    const exchange = this.#of;
    this.#of = undefined;
    if (exchange === undefined) return this.#told();
    if (this.#header[1] !== records.END_REQUEST) return this.#look(exchange);
    exchange.over = true;
    if (exchange.status === records.CANT_MPX_CONN && this.#open > 1) {
      // It has said that it can. Those that it has begun with may end; the others go to connections of their own.
      this.#learned.slots = 1;
      this.reusable = false;
    }
    this.#look(exchange);
    if (exchange.whole && this.#open === 0) this.#ask();
  }

  /** Whether an exchange that something has happened to is over, for us, for the application, or for both. */
  #look(exchange: OneOfMany): void {
    const left = exchange.into === null || (exchange.answered && exchange.requestEnded);
    if (exchange.over) return left ? this.#free(exchange) : undefined;
    if (!left || exchange.lingers) return;
    exchange.lingers = true;
    this.#lingering++;
    this.#forget(exchange);
    // §5.4: the application ends it, as soon as it can.
    this.#out.text(records.framesOf(exchange.id).abort);
  }

  #free(exchange: OneOfMany): void {
    if (this.#exchanges[exchange.id] !== exchange) return;
    this.#exchanges[exchange.id] = undefined;
    this.#open--;
    if (exchange.lingers) this.#lingering--;
    this.#forget(exchange);
    if (!exchange.session.reusable) this.#sessions[exchange.id] = undefined;
  }

  /** What has waited for this one is out, or nobody waits for it. */
  #forget(exchange: OneOfMany): void {
    this.#kept.bytes -= exchange.kept;
    exchange.kept = 0;
  }

  #ask(): void {
    if (this.#learned.slots !== undefined || this.#learned.asked === true || !this.reusable) return;
    this.#learned.asked = true;
    this.#asking = true;
    this.#out.text(QUESTION);
  }

  /** A record about the connection is complete. */
  #told(): void {
    const type = this.#header[1];
    if (!this.#asking || (type !== GET_VALUES_RESULT && type !== UNKNOWN_TYPE)) return;
    this.#learned.slots = this.#values === null ? 1 : requestsAtOnce(Buffer.concat(this.#values));
    this.#values = null;
    this.#asking = false;
  }

  #broken(detail: string): false {
    this.reusable = false;
    // Nothing that follows can be read.
    this.#headerSize = -1;
    for (const exchange of this.#exchanges) {
      if (exchange === undefined) continue;
      exchange.fail('bad-answer', detail);
      this.#free(exchange);
    }
    return false;
  }
}

/** Where END_REQUEST has its protocolStatus (§5.5). */
const STATUS = 4;

/** What all those who are paused have been sent meanwhile. */
interface Kept {
  bytes: number;
}

/** One request and its answer. It hears its session in the place of the sink, to know how far both have come. */
class OneOfMany implements AnswerSink {
  readonly id: number;
  readonly session: FastCgiSession;
  /** Nobody, once the exchange was given up or has failed. */
  into: AnswerSink | null;
  requestEnded: boolean;
  /** The answer has come to its end. */
  answered = false;
  /** The whole of it, and the application said so. */
  whole = false;
  /** The application has ended it. */
  over = false;
  /** It is over for us, and not for the application. */
  lingers = false;
  status = 0;
  paused = false;
  /** Bytes that have come while it was paused. */
  kept = 0;
  readonly #all: Kept;

  constructor(id: number, session: FastCgiSession, into: AnswerSink, requestEnded: boolean, all: Kept) {
    this.id = id;
    this.session = session;
    this.into = into;
    this.requestEnded = requestEnded;
    this.#all = all;
  }

  interim(answer: Answer): void {
    this.into?.interim(answer);
  }

  head(answer: Answer): void {
    this.into?.head(answer);
  }

  body(buffer: Buffer, start: number, end: number): void {
    if (this.into === null) return;
    if (this.paused) {
      this.kept += end - start;
      this.#all.bytes += end - start;
    }
    this.into.body(buffer, start, end);
  }

  end(trailers: string): void {
    this.answered = true;
    this.whole = this.session.reusable;
    this.into?.end(trailers);
  }

  note(line: string): void {
    this.into?.note?.(line);
  }

  fail(code: ErrorCode, detail?: string): void {
    const { into } = this;
    this.into = null;
    // Whose answer is complete, and only the request is not, has got what was to be had.
    if (!this.answered) into?.fail(code, detail);
  }

  flush(): boolean {
    return true;
  }
}
