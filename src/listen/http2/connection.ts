import type { ErrorCode } from '../../core/errors.ts';
import type { ClientAddress } from '../../core/exchange.ts';
import type { Request } from '../../core/request.ts';
import { Timer } from '../../core/wheel.ts';
import { BULK, type WireLike, type WireOwner } from '../../core/wire.ts';
import * as codes from '../../codec/h2/codes.ts';
import { goaway, opening, rstStream, windowUpdate } from '../../codec/h2/frames.ts';
import { CONNECTION_WINDOW } from '../../codec/h2/inflow.ts';
import type { Sender } from '../../codec/h2/sender.ts';
import { ANSWERED_EARLY, PARTING } from '../bounds.ts';
import type { ClientConnection, ConnectionHost } from '../host.ts';
import { linger } from '../linger.ts';
import { type Incomer, Incoming } from './incoming.ts';
import { Http2Stream, type StreamHost } from './stream.ts';

/**
 * `open` · `parting` the client has been told to go, and what it sent before it knew is served · `refusing` nothing new is
 * served · `closing` the last bytes are on their way.
 */
type State = 'open' | 'parting' | 'refusing' | 'closing';

/** One client connection speaking HTTP/2 (RFC 9113): many exchanges at a time, each a stream. */
export class Http2Connection implements WireOwner, ClientConnection, StreamHost, Incomer {
  readonly client: ClientAddress;
  readonly host: ConnectionHost;
  readonly wire: WireLike;
  readonly sender: Sender;
  readonly streamWindow: number;
  readonly streams: Map<number, Http2Stream> = new Map();
  readonly unsettled: Set<Http2Stream> = new Set();
  readonly widened: Set<Http2Stream> = new Set();
  reading = false;
  readonly #incoming: Incoming;
  readonly #timer = new Timer(() => this.#late());
  readonly #heading = new Timer(() => this.#headless());
  readonly #writing = new Timer(() => this.#stuck());
  readonly #unasked = new Timer(() => this.#resetAnswered(this.host.clock.now()));
  /** Streams that were answered while the client was still asking, and when they are to be reset. */
  readonly #answered = new Map<number, number>();
  /** Whose answers are complete, and leave at the end of this turn. */
  readonly #ending: Http2Stream[] = [];
  #state: State = 'open';
  /** The last stream that was taken. */
  #last = 0;
  #served = 0;
  #queued = 0;

  constructor(host: ConnectionHost, client: ClientAddress, wire: WireLike) {
    this.host = host;
    this.client = client;
    this.wire = wire;
    // A reload may change it, and this client would not know.
    this.streamWindow = host.limits.streamWindow;
    this.#incoming = new Incoming(this);
    this.sender = this.#incoming.sender;
  }

  /** @param early what the client has said so far: the beginning of its preface */
  begin(early: Buffer): void {
    const { limits, wheel, timeouts } = this.host;
    this.wire.adopt(this);
    wheel.arm(this.#heading, timeouts.head);
    this.wire.text(
      opening(
        [
          [codes.MAX_CONCURRENT_STREAMS, limits.streams],
          [codes.INITIAL_WINDOW_SIZE, this.streamWindow],
          // It counts 32 bytes more for each field than we do.
          [codes.MAX_HEADER_LIST_SIZE, Math.min(limits.head + 32 * limits.fields, codes.MOST_WINDOW)],
        ],
        CONNECTION_WINDOW,
      ),
    );
    this.received(early, early.length);
    // It came when the listener was about to go.
    if (this.host.draining) this.drain();
  }

  // ---- the client's bytes

  received(buffer: Buffer, length: number): boolean {
    if (this.#state === 'closing') return true;
    // A long body: read into memory that an origin's connection can write from.
    this.wire.bulk = length > BULK;
    this.reading = true;
    this.#incoming.read(buffer, length);
    for (const stream of this.unsettled) stream.settle();
    this.unsettled.clear();
    this.reading = false;
    this.#flushRead();
    return true;
  }

  ended(): void {
    // It asks nothing more, and whether it still listens cannot be told: no client of HTTP/2 ends its side alone.
    this.wire.destroy();
  }

  flushed(): void {
    this.host.wheel.disarm(this.#writing);
    for (const stream of [...this.streams.values()]) stream.writable();
  }

  closed(): void {
    this.#shut('client-gone');
    this.host.left(this);
  }

  defect(error: unknown): void {
    this.host.defect(error);
    this.#shut('internal');
  }

  // ---- for the listener

  drain(): void {
    if (this.#state !== 'open') return;
    // RFC 9113 §6.8: twice, because requests are on their way that the client sends before it hears of this.
    this.#state = 'parting';
    this.wire.text(goaway(codes.NO_ERROR, codes.MOST_STREAM_ID));
    this.flush();
    this.host.wheel.arm(this.#timer, PARTING);
  }

  abort(): boolean {
    const busy = this.streams.size > 0;
    this.#shut('draining');
    this.wire.destroy(true);
    return busy;
  }

  // ---- for streams

  flush(): boolean {
    if (this.wire.flush()) return true;
    const { wheel, timeouts } = this.host;
    if (this.#writing.due === 0 && this.#state !== 'closing') {
      this.#queued = this.wire.queued;
      wheel.arm(this.#writing, timeouts.write);
    }
    return false;
  }

  /**
   * When other answers are awaited here, one that is complete may wait for the end of this turn of the event loop: under load
   * several come in one turn, and share a system call and a packet.
   */
  flushEnd(stream: Http2Stream): boolean {
    // At the end of a read everything is written anyway.
    if (this.reading) this.widened.add(stream);
    else if (this.streams.size === 1) {
      if (this.flush()) stream.writable();
    } else if (this.#ending.push(stream) === 1) this.host.clock.soon(() => this.#writeEnds());
    return true;
  }

  grant(stream: Http2Stream, bytes: number): void {
    this.wire.text(windowUpdate(stream.id, bytes));
    if (!this.reading) this.flush();
  }

  reset(stream: Http2Stream, code: number): void {
    this.wire.text(rstStream(stream.id, code));
    if (!stream.gotEnd) this.#incoming.giveUp(stream.credit);
    stream.gotEnd = true;
  }

  answeredEarly(stream: Http2Stream): void {
    this.#incoming.giveUp(stream.credit);
    const { clock, wheel } = this.host;
    if (this.#answered.size === 0) wheel.arm(this.#unasked, ANSWERED_EARLY);
    this.#answered.set(stream.id, clock.now() + ANSWERED_EARLY);
    if (this.#answered.size > this.host.limits.streams) this.#resetAnswered(Infinity);
  }

  troubled(): void {
    this.#incoming.troubled('requests given up');
  }

  left(stream: Http2Stream): void {
    this.sender.forget(stream);
    this.streams.delete(stream.id);
    this.widened.delete(stream);
    this.rested();
  }

  // ---- for what comes in

  requestEnded(id: number): void {
    this.#answered.delete(id);
  }

  get room(): Incomer['room'] {
    if (this.#state === 'refusing') return 'never';
    return this.streams.size < this.host.limits.streams ? 'free' : 'full';
  }

  open(id: number, request: Request, ends: boolean): Http2Stream {
    const stream = new Http2Stream(id, request, this.#incoming.window, this);
    stream.gotEnd = ends;
    this.#last = id;
    this.streams.set(id, stream);
    this.rested();
    // As HTTP/1 closes after so many: connections are to be spread anew from time to time.
    if (++this.#served >= this.host.limits.requests) this.drain();
    return stream;
  }

  headBegun(): void {
    const { wheel, timeouts } = this.host;
    wheel.arm(this.#heading, timeouts.head);
    // It is not idle any more; but who is to go does not stay for that.
    if (this.#state === 'open') wheel.disarm(this.#timer);
  }

  /** With nothing to do, the client is waited for, and not for ever. */
  rested(): void {
    const { wheel, timeouts } = this.host;
    if (this.#state === 'closing' || this.#incoming.within) return;
    wheel.disarm(this.#heading);
    if (this.streams.size > 0) {
      if (this.#state !== 'parting') wheel.disarm(this.#timer);
    } else if (this.#state === 'refusing') this.leave(codes.NO_ERROR);
    else if (this.#state === 'open') wheel.arm(this.#timer, timeouts.keepAlive === 0 ? PARTING : timeouts.keepAlive);
  }

  /**
   * Says why, and closes when the client has had the chance to read that.
   * @param error what has gone wrong, if anything: for the log
   */
  leave(code: number, error: ErrorCode | '' = '', detail = ''): void {
    if (this.#state === 'closing') return;
    const none = error !== '' && this.streams.size === 0;
    this.#shut(error === '' ? 'draining' : error, detail);
    // What no request had to do with gets a line in the log as well.
    if (none) new Http2Stream(0, this.host.takeRequest(), 0, this).abandon(error, detail);
    this.wire.text(goaway(code, this.#last));
    this.wire.bulk = false;
    linger(this.wire, this.host, () => this.closed());
  }

  // ---- inside

  /** Everything that came in one read has been worked on. */
  #flushRead(): void {
    const widened = [...this.widened];
    this.widened.clear();
    if (this.#state === 'closing' || !this.flush()) return;
    for (const stream of widened) stream.writable();
  }

  #late(): void {
    if (this.#state === 'closing') return;
    if (this.#state === 'parting' && this.streams.size > 0) {
      this.#state = 'refusing';
      this.wire.text(goaway(codes.NO_ERROR, this.#last));
      this.flush();
      return;
    }
    this.leave(codes.NO_ERROR);
  }

  /** What has begun of the preface or of a head does not go on; or nothing has been asked at all. */
  #headless(): void {
    this.leave(codes.NO_ERROR, this.#incoming.within ? 'head-timeout' : '');
  }

  /** Of those whose time is over the rest is not wanted any more. */
  #resetAnswered(now: number): void {
    for (const [id, due] of this.#answered) {
      if (due > now) break;
      this.#answered.delete(id);
      this.wire.text(rstStream(id, codes.NO_ERROR));
    }
    if (this.#answered.size > 0) this.host.wheel.arm(this.#unasked, ANSWERED_EARLY);
    this.flush();
  }

  /** The client takes nothing of what waits to be written. */
  #stuck(): void {
    const { queued } = this.wire;
    if (queued < this.#queued) {
      this.#queued = queued;
      return this.host.wheel.arm(this.#writing, this.host.timeouts.write);
    }
    this.#shut('client-slow');
    this.wire.destroy(true);
  }

  #writeEnds(): void {
    const ending = this.#ending.splice(0);
    try {
      if (this.flush()) for (const stream of ending) stream.writable();
    } catch (error) {
      this.defect(error);
      this.wire.destroy(true);
    }
  }

  /** Nothing more is read, begun or waited for. */
  #shut(error: ErrorCode, detail = ''): void {
    this.#state = 'closing';
    this.#incoming.stop();
    for (const stream of [...this.streams.values()]) stream.abandon(error, detail);
    for (const timer of [this.#timer, this.#heading, this.#writing, this.#unasked]) this.host.wheel.drop(timer);
  }
}
