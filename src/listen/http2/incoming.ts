import type { ErrorCode } from '../../core/errors.ts';
import type { WireLike } from '../../core/wire.ts';
import * as codes from '../../codec/h2/codes.ts';
import { FrameReader, type FrameSink, type Verdict } from '../../codec/h2/frame-reader.ts';
import { frameFault } from '../../codec/h2/frame-rules.ts';
import { frame, MAGIC, rstStream, SETTINGS_ACK, windowUpdate } from '../../codec/h2/frames.ts';
import { HeadBlock } from '../../codec/h2/head-block.ts';
import { HpackDecoder } from '../../codec/h2/hpack-decoder.ts';
import { Inflow } from '../../codec/h2/inflow.ts';
import { Patience } from '../../codec/h2/patience.ts';
import { PeerSettings } from '../../codec/h2/peer-settings.ts';
import { RequestFields } from '../../codec/h2/request-fields.ts';
import { Sender } from '../../codec/h2/sender.ts';
import type { Request } from '../../core/request.ts';
import type { ConnectionHost } from '../host.ts';
import { Resets } from './resets.ts';
import type { Http2Stream } from './stream.ts';

/** What our PINGs carry; only its being ours matters. */
const ECHO = 'sluice!?';

/** What the client's frames change. */
export interface Incomer {
  readonly host: ConnectionHost;
  readonly wire: WireLike;
  readonly streams: ReadonlyMap<number, Http2Stream>;
  /** New requests are served: `full` for now not, `never` not any more. */
  readonly room: 'free' | 'full' | 'never';
  /** The window that each request's body begins with: what the client was told when it came. */
  readonly streamWindow: number;
  /** Of these the end of the read is to be told. */
  readonly unsettled: Set<Http2Stream>;
  /** Of these, that there is a window for more of their answers. */
  readonly widened: Set<Http2Stream>;
  /** A request. */
  open(id: number, request: Request, ends: boolean): Http2Stream;
  /** The client has ended a request, or taken it back, whose exchange is over. */
  requestEnded(id: number): void;
  /** Nothing is half said. */
  rested(): void;
  /** The rest of a head is waited for. */
  headBegun(): void;
  /** That was the last of what this client has to say. */
  leave(code: number, error: ErrorCode, detail: string): void;
}

/** What a client says on a connection of HTTP/2, frame by frame, and whether it may (RFC 9113 §4 to §6). */
export class Incoming implements FrameSink {
  readonly sender: Sender;
  readonly #to: Incomer;
  readonly #host: ConnectionHost;
  readonly #wire: WireLike;
  readonly #streams: ReadonlyMap<number, Http2Stream>;
  readonly #peer = new PeerSettings(true);
  readonly #reader: FrameReader;
  readonly #decoder = new HpackDecoder(codes.DEFAULT_TABLE);
  readonly #block: HeadBlock;
  readonly #fields: RequestFields;
  readonly #patience = new Patience();
  readonly #resets: Resets;
  readonly #inflow = new Inflow();
  /** Bytes of the preface that have come. */
  #greeted = 0;
  /** The last stream that the client has opened. */
  #highest = 0;
  // The frame being read.
  #type = 0;
  #flags = 0;
  #id = 0;
  #current: Http2Stream | null = null;
  /** Bytes of it that are padding, as far as is known. */
  #padding = 0;

  constructor(to: Incomer) {
    const { host, wire, streams } = to;
    const { head, fields } = host.limits;
    this.#to = to;
    this.#host = host;
    this.#wire = wire;
    this.#streams = streams;
    this.#reader = new FrameReader(this);
    this.#block = new HeadBlock({ head, fields });
    this.#fields = new RequestFields(host.limits);
    this.#resets = new Resets(host.clock.now());
    this.sender = new Sender(wire, this.#peer, () => this.#patience.useful());
  }

  /** Works on one read. */
  read(buffer: Buffer, length: number): void {
    const start = this.#greet(buffer, length);
    if (start >= 0) this.#reader.read(buffer, start, length);
  }

  /** Nothing more is read. */
  stop(): void {
    this.#reader.stopped = true;
  }

  /** The preface, or a head, is not complete. */
  get within(): boolean {
    return this.#block.open || this.#greeted < MAGIC.length;
  }

  /** The window that answers begin with. */
  get window(): number {
    return this.#peer.window;
  }

  /** One more of those that cost more to serve than to ask. */
  troubled(what: string): void {
    if (!this.#resets.count(this.#host.clock.now())) this.#tooMany(what);
  }

  /** A stream has been given up; this much of it may be on its way. */
  giveUp(credit: number): void {
    this.#inflow.giveUp(credit);
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
      case codes.HEADERS:
        // RFC 9113 §5.1.1: clients' streams are odd.
        if (id % 2 === 0) return this.#stop(codes.PROTOCOL_ERROR, `a head of stream ${id}`);
        return 'whole';
      case codes.DATA:
        return this.#known() ? this.#data(length) : 'stop';
      case codes.RST_STREAM:
        return this.#known() ? 'whole' : 'stop';
      case codes.WINDOW_UPDATE:
        return id === 0 || this.#known() ? 'whole' : 'stop';
      case codes.CONTINUATION:
        return this.#block.open ? 'whole' : this.#stop(codes.PROTOCOL_ERROR, 'CONTINUATION without a head');
      case codes.SETTINGS:
        return (flags & codes.ACK) === 0 ? 'whole' : this.#useless();
      case codes.PING:
        return 'whole';
      default:
        // PRIORITY, which is a thing of the past (RFC 9113 §5.3.2), GOAWAY, after which a client asks nothing more, and
        // what nobody has told us of (§5.5).
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
          return this.wrong(codes.ENHANCE_YOUR_CALM, 'a head of too many bytes or CONTINUATIONs');
        }
        return this.#headed();
      case codes.RST_STREAM:
        return this.#taken(bytes.readUInt32BE(start));
      case codes.WINDOW_UPDATE:
        return this.#windowUpdate(bytes.readUInt32BE(start) & codes.MOST_WINDOW);
      case codes.SETTINGS:
        return this.#settings(bytes, start, end);
      default:
        return this.#ping(bytes.latin1Slice(start, end));
    }
  }

  piece(bytes: Buffer, start: number, end: number): void {
    this.#padding -= end - start;
    this.#current?.data(bytes, start, end);
  }

  pieceEnd(): void {
    const stream = this.#current;
    this.#current = null;
    if (stream === null) return;
    if (this.#padding > 0) stream.padded(this.#padding);
    if ((this.#flags & codes.END_STREAM) !== 0) stream.bodyEnds('');
    this.#to.unsettled.add(stream);
  }

  wrong(code: number, detail: string): void {
    this.#to.leave(code, 'bad-frames', `${codes.errorName(code)}: ${detail}`);
  }

  // ---- inside: what begins a frame

  #stop(code: number, detail: string): 'stop' {
    this.wrong(code, detail);
    return 'stop';
  }

  /** Whether the client has opened this stream, now or before; if not, that is the end. */
  #known(): boolean {
    const id = this.#id;
    if (id % 2 === 1 && id <= this.#highest) return true;
    this.wrong(codes.PROTOCOL_ERROR, `${codes.frameName(this.#type)} of stream ${id}, which is not open`);
    return false;
  }

  #useless(): Verdict {
    return this.#patience.useless() ? 'skip' : this.#tooMany('frames that mean nothing');
  }

  #tooMany(what: string): 'stop' {
    return this.#stop(codes.ENHANCE_YOUR_CALM, `too many ${what}`);
  }

  #data(length: number): Verdict {
    if (!this.#inflow.take(length)) {
      return this.#stop(codes.FLOW_CONTROL_ERROR, "more data than the connection's window");
    }
    const increment = this.#inflow.renew();
    if (increment > 0) this.#wire.text(windowUpdate(0, increment));
    if (length > 0) this.#patience.useful();
    else if (!this.#patience.useless()) return this.#tooMany('frames without data');
    const stream = this.#streams.get(this.#id);
    if (stream === undefined || stream.gotEnd) {
      // On its way when we gave the stream up. More than its window cannot be.
      if (!this.#inflow.stray(length)) return this.#stop(codes.STREAM_CLOSED, 'data of a stream that has ended');
      if ((this.#flags & codes.END_STREAM) !== 0) this.#to.requestEnded(this.#id);
      return 'skip';
    }
    stream.credit -= length;
    if (stream.credit < 0) {
      this.#fault(stream, codes.FLOW_CONTROL_ERROR, 'more data than its window');
      return 'skip';
    }
    this.#current = stream;
    this.#padding = length;
    return 'pieces';
  }

  // ---- inside: what a frame brings

  /** A part of a head is here. */
  #headed(): void {
    if (!this.#block.complete) {
      // From its beginning on: what comes in between gives no more time.
      if (this.#type === codes.HEADERS) this.#to.headBegun();
      return;
    }
    const id = this.#block.stream;
    if (id > this.#highest) return this.#asked(id);
    const stream = this.#streams.get(id);
    const { ends } = this.#block;
    if (!this.#decode(null)) return;
    this.#to.rested();
    if (stream === undefined || stream.gotEnd) {
      if (ends) this.#to.requestEnded(id);
      if (!this.#patience.useless()) this.#tooMany('heads of streams that have ended');
      return;
    }
    // RFC 9113 §8.1: a second head is the trailers, and the last that comes.
    if (!ends) return this.#fault(stream, codes.PROTOCOL_ERROR, 'a second head');
    const { error, detail, trailers } = this.#fields;
    if (error !== '') {
      stream.gotEnd = true;
      return stream.bodyFailed(error, detail);
    }
    stream.bodyEnds(trailers);
    this.#to.unsettled.add(stream);
  }

  /** A request. */
  #asked(id: number): void {
    const { ends } = this.#block;
    const request = this.#to.room === 'free' ? this.#host.takeRequest() : null;
    if (!this.#decode(request)) return;
    this.#highest = id;
    if (request === null) return this.#turnAway(id);
    this.#patience.useful();
    const sound = this.#fields.finish(ends);
    const stream = this.#to.open(id, request, ends);
    if (sound) return stream.begin();
    const { error, detail } = this.#fields;
    stream.refuse(error as ErrorCode, detail);
    this.troubled('requests that are none');
  }

  /** RFC 9113 §8.7: nothing has been done with it, and the client may ask again. */
  #turnAway(id: number): void {
    this.#to.rested();
    this.#inflow.giveUp(this.#to.streamWindow);
    // RFC 9113 §6.8: those beyond the last one that GOAWAY has named are refused already.
    if (this.#to.room !== 'never') this.#reply(rstStream(id, codes.REFUSED_STREAM));
    if (!this.#patience.useless()) this.#tooMany('requests beyond MAX_CONCURRENT_STREAMS');
  }

  /** Reads the block that is complete; what is in it for nobody counts for the table. */
  #decode(request: Request | null): boolean {
    const { bytes, start, end } = this.#block;
    this.#fields.begin(request);
    const read = this.#decoder.read(bytes, start, end, this.#fields);
    this.#block.close();
    if (read) return true;
    if (request !== null) this.#host.giveRequest(request);
    this.wrong(codes.COMPRESSION_ERROR, this.#decoder.detail);
    return false;
  }

  /** The client takes a request back. */
  #taken(code: number): void {
    const stream = this.#streams.get(this.#id);
    if (stream === undefined) {
      this.#to.requestEnded(this.#id);
      if (!this.#patience.useless()) this.#tooMany('RST_STREAM');
      return;
    }
    stream.gotEnd = true;
    stream.abandon('client-gone', `RST_STREAM ${codes.errorName(code)}`);
    this.troubled('requests taken back');
  }

  #windowUpdate(increment: number): void {
    if (!this.#patience.useless()) return void this.#tooMany('WINDOW_UPDATE');
    if (this.#id === 0) {
      if (increment === 0) return this.wrong(codes.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0');
      if (!this.sender.widen(increment)) return this.wrong(codes.FLOW_CONTROL_ERROR, 'a window beyond 2^31 - 1');
      for (const stream of this.#streams.values()) this.#to.widened.add(stream);
      return;
    }
    const stream = this.#streams.get(this.#id);
    if (stream === undefined) return;
    stream.window += increment;
    if (increment === 0) return this.#fault(stream, codes.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0');
    if (stream.window > codes.MOST_WINDOW) {
      return this.#fault(stream, codes.FLOW_CONTROL_ERROR, 'a window beyond 2^31 - 1');
    }
    this.sender.pump(stream);
    this.#to.widened.add(stream);
  }

  #settings(bytes: Buffer, start: number, end: number): void {
    const peer = this.#peer;
    const before = peer.window;
    if (!peer.apply(bytes, start, end)) return this.wrong(peer.code, peer.detail);
    this.sender.encoder.resize(peer.table);
    for (const stream of this.#streams.values()) {
      stream.window += peer.window - before;
      if (stream.window > codes.MOST_WINDOW) {
        return this.wrong(codes.FLOW_CONTROL_ERROR, 'a window beyond 2^31 - 1');
      }
      if (peer.window > before) {
        this.sender.pump(stream);
        this.#to.widened.add(stream);
      }
    }
    this.#reply(SETTINGS_ACK);
  }

  #ping(payload: string): void {
    if ((this.#flags & codes.ACK) === 0) return this.#reply(frame(codes.PING, codes.ACK, 0, payload));
    if ((payload !== ECHO || !this.#patience.echoed()) && !this.#patience.useless()) this.#tooMany('PING');
  }

  #reply(text: string): void {
    this.#wire.text(text);
    switch (this.#patience.replied()) {
      case 'ask':
        this.#wire.text(frame(codes.PING, 0, 0, ECHO));
        break;
      case 'enough':
        this.#tooMany('frames, none of whose replies has been read');
        break;
      default:
    }
  }

  /** Only this stream has to do with it (RFC 9113 §5.4.2). */
  #fault(stream: Http2Stream, code: number, detail: string): void {
    this.#reply(rstStream(stream.id, code));
    this.giveUp(stream.credit);
    stream.gotEnd = true;
    stream.abandon('bad-frames', `${codes.errorName(code)}: ${detail}`);
    this.troubled('faults');
  }

  /** Takes the preface; the offset after it, or -1 when it is none, or more of it is to come. */
  #greet(buffer: Buffer, length: number): number {
    if (this.#greeted === MAGIC.length) return 0;
    const stop = Math.min(length, MAGIC.length - this.#greeted);
    if (buffer.latin1Slice(0, stop) !== MAGIC.slice(this.#greeted, this.#greeted + stop)) {
      this.wrong(codes.PROTOCOL_ERROR, 'the preface is not as it should be');
      return -1;
    }
    this.#greeted += stop;
    return this.#greeted === MAGIC.length ? stop : -1;
  }
}
