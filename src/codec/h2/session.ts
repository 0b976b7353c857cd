import type { AnswerSink, ByteSink } from '../../core/answer.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { Request } from '../../core/request.ts';
import type { CodecLimits, CodecSession, Learned, RequestTarget } from '../codec.ts';
import { Answers, isExcess, type Refusal, refusal, resetRow } from './answers.ts';
import * as codes from './codes.ts';
import { FrameReader, type FrameSink, type Verdict } from './frame-reader.ts';
import { frameFault } from './frame-rules.ts';
import { frame, goaway, preface, rstStream, SETTINGS_ACK, windowUpdate } from './frames.ts';
import { HeadBlock } from './head-block.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { CONNECTION_WINDOW, Inflow } from './inflow.ts';
import { Patience } from './patience.ts';
import { PeerSettings } from './peer-settings.ts';
import { exceeds, websocketAccept, writeHead } from './request-head.ts';
import { Sender } from './sender.ts';
import { Stream } from './stream.ts';
import { Streams } from './streams.ts';

/** What our PINGs carry; only its being ours matters. */
const ECHO = 'sluice!?';

export interface Http2Options {
  /** Requests at a time on one connection, at most. */
  readonly streams: number;
  /** Bytes of one answer that the peer may send before we have taken any. */
  readonly window: number;
}

/** Requests at a time before an origin has ever said how many: what RFC 9113 §6.5.2 wants it to allow at least. */
const PRESUMED = 100;

const NO_WEBSOCKET = 'ENABLE_CONNECT_PROTOCOL is not among its SETTINGS';

/** HTTP/2 towards an origin (RFC 9113): many exchanges at a time, each a stream. */
export class Http2Session implements CodecSession, FrameSink {
  readonly idleLimit = -1;
  reusable = true;
  readonly #out: ByteSink;
  readonly #options: Http2Options;
  readonly #learned: Learned;
  readonly #preface: string;
  readonly #peer = new PeerSettings();
  readonly #sender: Sender;
  readonly #reader: FrameReader;
  readonly #decoder = new HpackDecoder(codes.DEFAULT_TABLE);
  readonly #answers: Answers;
  readonly #block: HeadBlock;
  readonly #patience = new Patience();
  readonly #streams: Streams;
  readonly #inflow = new Inflow();
  #begun = false;
  #broken = false;
  /** The reason that the peer has given for leaving, if it was not in peace. */
  #parting: string | undefined;
  // The frame being read.
  #type = 0;
  #flags = 0;
  #id = 0;
  #current: Stream | null = null;

  /**
   * @param learned what connections to this origin have told before
   * @param first the first stream's id: a test need not open 2^30 of them
   */
  constructor(options: Http2Options, out: ByteSink, limits: CodecLimits, learned: Learned = {}, first = 1) {
    this.#out = out;
    this.#options = options;
    this.#learned = learned;
    this.#streams = new Streams(this.#peer, () => this.slots, first);
    this.#preface = preface(
      [
        [codes.ENABLE_PUSH, 0],
        [codes.INITIAL_WINDOW_SIZE, options.window],
        [codes.MAX_FRAME_SIZE, codes.DEFAULT_FRAME],
        // It counts 32 bytes more for each field than we do.
        [codes.MAX_HEADER_LIST_SIZE, Math.min(limits.head + 32 * limits.fields, codes.MOST_WINDOW)],
      ],
      CONNECTION_WINDOW,
    );
    this.#sender = new Sender(out, this.#peer, () => this.#patience.useful());
    this.#reader = new FrameReader(this);
    this.#answers = new Answers(limits);
    this.#block = new HeadBlock(limits);
  }

  get slots(): number {
    const { known, streams } = this.#peer;
    return Math.min(this.#options.streams, known ? streams : Math.max(1, this.#learned.slots ?? PRESUMED));
  }

  // ---- requests

  open(request: Request, target: RequestTarget, into: AnswerSink): number | ErrorCode {
    if (this.#broken || !this.reusable) return 'stream-refused';
    if (exceeds(this.#peer.head, request, target)) return 'head-too-large-for-origin';
    const accept = websocketAccept(request);
    if (accept !== '' && this.#peer.known && !this.#peer.connect) return 'no-websocket';
    this.#begin();
    const id = this.#streams.nextId();
    if (this.#streams.exhausted) this.reusable = false;
    const stream = new Stream(id, into, request, accept, this.#options.window);
    stream.unsent = { request, target };
    this.#streams.add(stream);
    this.#patience.useful();
    this.#sendWaiting();
    return (id - 1) / 2;
  }

  body(id: number, buffer: Buffer, start: number, end: number): void {
    const stream = this.#streams.get(id * 2 + 1);
    if (stream !== undefined) this.#sender.body(stream, buffer, start, end);
  }

  end(id: number, trailers: string): void {
    const stream = this.#streams.get(id * 2 + 1);
    if (stream === undefined) return;
    this.#sender.end(stream, trailers);
    if (stream.gotEnd && stream.sentEnd) this.#close(stream);
  }

  abort(id: number): void {
    const stream = this.#streams.get(id * 2 + 1);
    if (stream !== undefined) this.#reset(stream, codes.CANCEL);
  }

  pause(id: number): void {
    const stream = this.#streams.get(id * 2 + 1);
    if (stream !== undefined) stream.paused = true;
  }

  resume(id: number): void {
    const stream = this.#streams.get(id * 2 + 1);
    if (stream === undefined) return;
    stream.paused = false;
    this.#grant(stream);
  }

  holds(id: number): boolean {
    const stream = this.#streams.get(id * 2 + 1);
    return stream !== undefined && stream.held.length > 0;
  }

  receive(buffer: Buffer, start: number, end: number): void {
    if (!this.#broken) this.#reader.read(buffer, start, end);
  }

  eof(): void {
    if (this.#broken) return;
    this.#break('origin-closed', this.#parting ?? (this.#reader.within ? 'within a frame' : undefined));
  }

  // ---- frames

  begins(type: number, flags: number, id: number, length: number): Verdict {
    this.#type = type;
    this.#flags = flags;
    this.#id = id;
    // RFC 9113 §6.10: nothing comes between the parts of a head.
    if (this.#block.open && (type !== codes.CONTINUATION || id !== this.#block.stream)) {
      return this.#stop(codes.PROTOCOL_ERROR, `${codes.frameName(type)} within a head`);
    }
    const fault = frameFault(type, flags, id, length);
    if (fault !== undefined) return this.#stop(fault.code, fault.detail);
    switch (type) {
      case codes.DATA:
        return this.#mayBe(id) ? this.#data(id, length) : 'stop';
      case codes.HEADERS:
      case codes.RST_STREAM:
        return this.#mayBe(id) ? 'whole' : 'stop';
      case codes.WINDOW_UPDATE:
        return id === 0 || this.#mayBe(id) ? 'whole' : 'stop';
      case codes.CONTINUATION:
        return this.#block.open ? 'whole' : this.#stop(codes.PROTOCOL_ERROR, 'CONTINUATION without a head');
      case codes.SETTINGS:
        if ((flags & codes.ACK) === 0) return 'whole';
        return this.#peer.known ? this.#useless() : this.#stop(codes.PROTOCOL_ERROR, 'no SETTINGS');
      case codes.PING:
      case codes.GOAWAY:
        return 'whole';
      default:
        // PRIORITY, which is a thing of the past (RFC 9113 §5.3.2), and what nobody has told us of (§5.5).
        return this.#useless();
    }
  }

  frame(bytes: Buffer, start: number, end: number): void {
    switch (this.#type) {
      case codes.HEADERS:
        if (!this.#block.begin(this.#flags, this.#id, bytes, start, end)) {
          return this.wrong(codes.PROTOCOL_ERROR, 'more padding than payload');
        }
        return this.#headed();
      case codes.CONTINUATION:
        if (!this.#block.add(this.#flags, bytes, start, end)) {
          return this.#tooMuch('a head of too many bytes or CONTINUATIONs');
        }
        return this.#headed();
      case codes.RST_STREAM:
        return this.#reseted(bytes.readUInt32BE(start));
      case codes.WINDOW_UPDATE:
        return this.#windowUpdate(bytes.readUInt32BE(start) & codes.MOST_WINDOW);
      case codes.SETTINGS:
        return this.#settings(bytes, start, end);
      case codes.PING:
        return this.#ping(bytes.latin1Slice(start, end));
      default:
        return this.#goaway(bytes, start, end);
    }
  }

  piece(bytes: Buffer, start: number, end: number): void {
    const stream = this.#current;
    if (stream === null || stream.over) return;
    const wrong = this.#answers.body(stream, bytes, start, end);
    if (wrong !== undefined && !stream.over) this.#refuse(stream, wrong);
  }

  pieceEnd(): void {
    const stream = this.#current;
    this.#current = null;
    if (stream === null || stream.over) return;
    if ((this.#flags & codes.END_STREAM) !== 0) this.#complete(stream, '');
    else this.#grant(stream);
  }

  wrong(code: number, detail: string, stream = this.#id): void {
    if (this.#broken) return;
    if (this.#begun) this.#out.text(goaway(code));
    this.#break('bad-answer', detail, stream);
  }

  // ---- inside: what begins a frame

  #stop(code: number, detail: string): 'stop' {
    this.wrong(code, detail);
    return 'stop';
  }

  /** Whether the peer may speak of this stream; if not, that is the end. */
  #mayBe(id: number): boolean {
    if (this.#streams.known(id)) return true;
    this.wrong(codes.PROTOCOL_ERROR, `${codes.frameName(this.#type)} of stream ${id}, which is not open`);
    return false;
  }

  #useless(): Verdict {
    return this.#patience.useless() ? 'skip' : this.#tooMany(`frames that mean nothing`);
  }

  #tooMany(what: string): 'stop' {
    return this.#stop(codes.ENHANCE_YOUR_CALM, `too many ${what}`);
  }

  #data(id: number, length: number): Verdict {
    if (!this.#inflow.take(length)) {
      return this.#stop(codes.FLOW_CONTROL_ERROR, "more data than the connection's window");
    }
    const increment = this.#inflow.renew();
    if (increment > 0) this.#out.text(windowUpdate(0, increment));
    const stream = this.#streams.get(id);
    if (length > 0) this.#patience.useful();
    else if (!this.#patience.useless()) return this.#tooMany('frames without data');
    if (stream === undefined || stream.gotEnd) {
      // On its way when we gave the stream up. More than its window cannot be.
      if (!this.#inflow.stray(length)) return this.#stop(codes.STREAM_CLOSED, 'data of a stream that has ended');
      return 'skip';
    }
    stream.credit -= length;
    stream.taken += length;
    this.#current = stream;
    if (stream.credit < 0)
      this.#refuse(stream, refusal('bad-answer', 'more data than its window', codes.FLOW_CONTROL_ERROR));
    else if (!stream.headed) this.#refuse(stream, refusal('bad-answer', 'data before the head'));
    return 'pieces';
  }

  // ---- inside: what a frame brings

  /** A part of a head is here. */
  #headed(): void {
    if (!this.#block.complete) return;
    const { bytes, start, end, ends } = this.#block;
    const stream = this.#streams.get(this.#block.stream);
    const read = this.#decoder.read(bytes, start, end, this.#answers.begin(stream));
    this.#block.close();
    if (!read) return this.wrong(codes.COMPRESSION_ERROR, this.#decoder.detail);
    if (stream === undefined || stream.gotEnd) {
      if (!this.#patience.useless()) this.#tooMany('heads of streams that have ended');
      return;
    }
    this.#patience.useful();
    if (stream.headed) return this.#trailed(stream, this.#answers.trailers(ends));
    const wrong = this.#answers.headed(stream, ends);
    if (wrong !== undefined) this.#refuse(stream, wrong);
    else if (ends && !stream.over) this.#complete(stream, '');
  }

  #trailed(stream: Stream, trailers: string | Refusal): void {
    if (typeof trailers === 'string') this.#complete(stream, trailers);
    else this.#refuse(stream, trailers);
  }

  #reseted(code: number): void {
    const stream = this.#streams.get(this.#id);
    if (stream === undefined) {
      if (!this.#patience.useless()) this.#tooMany('RST_STREAM');
      return;
    }
    this.#close(stream);
    this.#sendWaiting();
    // Of a WebSocket whose end has come, the other direction is cut.
    if (stream.gotEnd) return;
    const detail = `RST_STREAM ${codes.errorName(code)}`;
    const excess = isExcess(stream, code, this.#peer.streams);
    stream.into.fail(excess ? 'stream-refused' : resetRow(stream, code), detail, excess);
  }

  #windowUpdate(increment: number): void {
    if (!this.#patience.useless()) return void this.#tooMany('WINDOW_UPDATE');
    if (this.#id === 0) {
      if (increment === 0) return this.wrong(codes.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0');
      if (!this.#sender.widen(increment)) this.wrong(codes.FLOW_CONTROL_ERROR, 'a window beyond 2^31 - 1');
      return;
    }
    const stream = this.#streams.get(this.#id);
    if (stream === undefined) return;
    stream.window += increment;
    if (increment === 0) this.#refuse(stream, refusal('bad-answer', 'WINDOW_UPDATE of 0'));
    else if (stream.window > codes.MOST_WINDOW) {
      this.#refuse(stream, refusal('bad-answer', 'a window beyond 2^31 - 1', codes.FLOW_CONTROL_ERROR));
    } else this.#pump(stream);
  }

  #settings(bytes: Buffer, start: number, end: number): void {
    const peer = this.#peer;
    const before = peer.window;
    if (!peer.apply(bytes, start, end)) return this.wrong(peer.code, peer.detail);
    this.#learned.slots = this.slots;
    this.#begin();
    this.#sender.encoder.resize(peer.table);
    for (const stream of this.#streams.all) {
      if (stream.unsent !== null) continue;
      stream.window += peer.window - before;
      if (stream.window > codes.MOST_WINDOW) {
        return this.wrong(codes.FLOW_CONTROL_ERROR, 'a window beyond 2^31 - 1');
      }
    }
    this.#reply(SETTINGS_ACK);
    if (this.#broken) return;
    if (peer.window > before) for (const stream of this.#streams.all) this.#pump(stream);
    if (!peer.connect) this.#turnAway('no-websocket', NO_WEBSOCKET, (stream) => stream.accept !== '');
    this.#sendWaiting();
    // Another connection may have room for them now, and this one has when somebody knows.
    this.#turnAway('stream-refused', `more than MAX_CONCURRENT_STREAMS ${peer.streams}`, () => true);
  }

  /** Gives back those of the waiting ones that will not be sent. */
  #turnAway(row: ErrorCode, detail: string, which: (stream: Stream) => boolean): void {
    const some = this.#streams.all.filter((stream) => stream.unsent !== null && which(stream));
    for (const stream of some) this.#close(stream);
    for (const stream of some) stream.into.fail(row, detail, row === 'stream-refused');
  }

  #ping(payload: string): void {
    if ((this.#flags & codes.ACK) === 0) return this.#reply(frame(codes.PING, codes.ACK, 0, payload));
    if ((payload !== ECHO || !this.#patience.echoed()) && !this.#patience.useless()) this.#tooMany('PING');
  }

  #goaway(bytes: Buffer, start: number, end: number): void {
    this.reusable = false;
    const last = bytes.readUInt32BE(start) & codes.MOST_STREAM_ID;
    const code = bytes.readUInt32BE(start + 4);
    const said = bytes.latin1Slice(start + 8, Math.min(end, start + 108)).replaceAll(/[^ -~]/g, '.');
    const detail = `GOAWAY ${codes.errorName(code)}${said === '' ? '' : `: ${said}`}`;
    if (code !== codes.NO_ERROR) this.#parting = detail;
    // RFC 9113 §6.8: of those beyond the last one nothing has been done.
    const refused = this.#streams.all.filter(({ id, unsent }) => id > last || unsent !== null);
    for (const stream of refused) this.#close(stream);
    const row = code === codes.HTTP_1_1_REQUIRED ? 'version-refused' : 'stream-refused';
    for (const stream of refused) stream.into.fail(row, detail);
    if (!this.#patience.useless()) this.#tooMany('GOAWAY');
  }

  // ---- inside: streams

  /** Sends the heads that wait, as far as the peer allows. */
  #sendWaiting(): void {
    for (let stream = this.#streams.toSend(); stream !== undefined; stream = this.#streams.toSend()) {
      this.#head(stream);
    }
  }

  /** Sends the head of a request, and what of its body has come meanwhile. */
  #head(stream: Stream): void {
    if (stream.unsent === null) return;
    const { request, target } = stream.unsent;
    stream.unsent = null;
    stream.window = this.#peer.window;
    writeHead(request, target, stream.accept !== '', this.#sender.encoder, this.#sender.block());
    this.#sender.head(stream, stream.bodyEnded && stream.held.length === 0 && stream.trailers === '');
    this.#sender.pump(stream);
  }

  #pump(stream: Stream): void {
    this.#sender.pump(stream);
    if (stream.gotEnd && stream.sentEnd) this.#close(stream);
  }

  /** Lets the peer send as much more as the sink has taken, in steps of half a window. */
  #grant(stream: Stream): void {
    if (stream.paused || stream.taken * 2 < this.#options.window || stream.gotEnd) return;
    this.#out.text(windowUpdate(stream.id, stream.taken));
    stream.credit += stream.taken;
    stream.taken = 0;
  }

  /** The answer is complete. */
  #complete(stream: Stream, trailers: string): void {
    const wrong = this.#answers.ended(stream);
    if (wrong !== undefined) return this.#refuse(stream, wrong);
    stream.gotEnd = true;
    // A WebSocket's other direction goes on. The rest of a request that is answered goes nowhere (RFC 9113 §8.1).
    if (stream.sentEnd) this.#close(stream);
    else if (!stream.tunnel) {
      this.#out.text(rstStream(stream.id, codes.CANCEL));
      this.#close(stream);
    }
    this.#sendWaiting();
    stream.into.end(trailers);
  }

  /** The answer is not one, and only this stream has to do with it (RFC 9113 §5.4.2). */
  #refuse(stream: Stream, { row, detail, code }: Refusal): void {
    this.#reset(stream, code);
    stream.into.fail(row, detail);
  }

  #reset(stream: Stream, code: number): void {
    if (stream.unsent === null) {
      this.#out.text(rstStream(stream.id, code));
      if (!stream.gotEnd) this.#inflow.giveUp(stream.credit);
    }
    this.#close(stream);
    this.#sendWaiting();
  }

  #close(stream: Stream): void {
    stream.over = true;
    this.#streams.remove(stream);
    stream.unsent = null;
    this.#sender.forget(stream);
  }

  // ---- inside: the connection

  /** The preface goes out with the first request, or before the first reply to an origin that speaks first. */
  #begin(): void {
    if (!this.#begun) this.#out.text(this.#preface);
    this.#begun = true;
  }

  #reply(text: string): void {
    this.#out.text(text);
    switch (this.#patience.replied()) {
      case 'ask':
        this.#out.text(frame(codes.PING, 0, 0, ECHO));
        break;
      case 'enough':
        this.#tooMany('PING and SETTINGS, none of whose replies has been read');
        break;
      default:
    }
  }

  #tooMuch(detail: string): void {
    this.#stop(codes.ENHANCE_YOUR_CALM, detail);
  }

  /**
   * Nothing more passes either way, and each stream hears what is true of it: the row is for the one at fault, and before
   * SETTINGS for the first one, which shows that the origin is none. The others have only lost their connection.
   * @param culprit whose frame was wrong; 0: the connection's
   */
  #break(row: ErrorCode, detail: string | undefined, culprit = 0): void {
    this.#broken = true;
    this.#reader.stopped = true;
    this.reusable = false;
    const { known } = this.#peer;
    const streams = this.#streams.all;
    const unsent = new Set(streams.filter((stream) => stream.unsent !== null));
    for (const stream of streams) this.#close(stream);
    for (const stream of streams) {
      if (stream.gotEnd) continue;
      const own = (known ? stream.id === culprit : stream.rank === 1) ? row : 'origin-closed';
      stream.into.fail(unsent.has(stream) ? 'stream-refused' : stream.headed ? 'answer-incomplete' : own, detail);
    }
  }
}
