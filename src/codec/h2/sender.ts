import type { ByteSink } from '../../core/answer.ts';
import { BlockWriter } from './block-writer.ts';
import * as codes from './codes.ts';
import { writeTrailers } from './field-lines.ts';
import { frame, header } from './frames.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import type { PeerSettings } from './peer-settings.ts';

/** A frame holds up everybody behind it, and no read brings more. */
const MOST_PAYLOAD = 65_536;

/** One thread writes one block at a time. */
const block = new BlockWriter();

/** One direction of a stream: what we send. */
export interface Outgoing {
  readonly id: number;
  /** Its head has not been sent: what is handed over of its body waits. */
  readonly waits: boolean;
  /** What the peer lets us send; below 0 after it has made windows smaller. */
  window: number;
  /** Parts of the body that wait for a window. */
  held: Buffer[];
  /** Bytes of the body that its length promises and that have not been handed over; -1 without a length. */
  owed: number;
  /** Nothing more is handed over. */
  bodyEnded: boolean;
  trailers: string;
  /** END_STREAM is out. */
  sentEnd: boolean;
}

/** Sends heads, and of bodies what the peer's windows allow (RFC 9113 §5.2); the rest waits in its stream. */
export class Sender {
  readonly encoder: HpackEncoder = new HpackEncoder();
  readonly #out: ByteSink;
  readonly #peer: PeerSettings;
  readonly #sent: () => void;
  /** What the peer lets all streams send together. */
  #window: number = codes.DEFAULT_WINDOW;
  /** Streams with parts of a body that wait, the one that has waited longest first. */
  readonly #blocked = new Set<Outgoing>();

  /** @param sent something of use has been sent */
  constructor(out: ByteSink, peer: PeerSettings, sent: () => void) {
    this.#out = out;
    this.#peer = peer;
    this.#sent = sent;
  }

  /** Memory for the head that is to be sent next. */
  block(): BlockWriter {
    block.clear();
    return block;
  }

  /** Sends what has been written into the block: HEADERS, and CONTINUATION where one frame does not hold all (RFC 9113 §6.10). */
  head(stream: Outgoing, ends: boolean): void {
    const most = this.#peer.frame;
    const { length } = block;
    const flags = ends ? codes.END_STREAM : 0;
    if (ends) stream.sentEnd = true;
    this.#sent();
    if (length <= most) {
      return this.#out.text(frame(codes.HEADERS, flags | codes.END_HEADERS, stream.id, block.text(0, length)));
    }
    for (let at = 0; at < length; at += most) {
      const stop = Math.min(length, at + most);
      const type = at === 0 ? codes.HEADERS : codes.CONTINUATION;
      const ending = (at === 0 ? flags : 0) | (stop === length ? codes.END_HEADERS : 0);
      this.#out.text(frame(type, ending, stream.id, block.text(at, stop)));
    }
  }

  body(stream: Outgoing, buffer: Buffer, start: number, end: number): void {
    if (stream.bodyEnded) return;
    let stop = end;
    if (stream.owed >= 0) {
      // A second wall: more than the length would be taken for an error of the whole request.
      stop = Math.min(end, start + stream.owed);
      stream.owed -= stop - start;
      if (stream.owed === 0) stream.bodyEnded = true;
    }
    if (start === stop) return;
    const waits = stream.waits || stream.held.length > 0;
    const sent = waits ? start : this.#data(stream, buffer, start, stop, true);
    if (sent === stop) return;
    stream.held.push(Buffer.from(buffer.subarray(sent, stop)));
    this.#blocked.add(stream);
  }

  end(stream: Outgoing, trailers: string): void {
    if (!stream.bodyEnded) stream.trailers = trailers;
    stream.bodyEnded = true;
    this.pump(stream);
  }

  /** Nothing more of this stream is sent. */
  forget(stream: Outgoing): void {
    this.#blocked.delete(stream);
    stream.held = [];
  }

  /** The window of all streams together grows; false when it gets larger than it may. */
  widen(increment: number): boolean {
    this.#window += increment;
    if (this.#window > codes.MOST_WINDOW) return false;
    this.pumpAll();
    return true;
  }

  pumpAll(): void {
    for (const stream of [...this.#blocked]) {
      if (this.#window <= 0) return;
      this.pump(stream);
    }
  }

  /** Sends what waits and may go. */
  pump(stream: Outgoing): void {
    if (stream.waits || stream.sentEnd) return;
    const { held } = stream;
    // Behind the others: the window may be used up now, and they come first next time.
    this.#blocked.delete(stream);
    while (held.length > 0) {
      const piece = held[0];
      const sent = this.#data(stream, piece, 0, piece.length, held.length === 1);
      if (sent < piece.length) {
        held[0] = piece.subarray(sent);
        this.#blocked.add(stream);
        return;
      }
      held.shift();
    }
    if (!stream.bodyEnded || stream.sentEnd) return;
    if (stream.trailers === '') {
      stream.sentEnd = true;
      this.#out.text(header(0, codes.DATA, codes.END_STREAM, stream.id));
    } else {
      writeTrailers(stream.trailers, this.encoder, this.block());
      this.head(stream, true);
    }
  }

  /** Sends as much as may go; returns the offset after it. */
  #data(stream: Outgoing, buffer: Buffer, start: number, end: number, last: boolean): number {
    let at = start;
    while (at < end) {
      const length = Math.min(end - at, stream.window, this.#window, this.#peer.frame, MOST_PAYLOAD);
      if (length <= 0) break;
      const ends = last && at + length === end && stream.bodyEnded && stream.trailers === '';
      if (ends) stream.sentEnd = true;
      stream.window -= length;
      this.#window -= length;
      this.#out.text(header(length, codes.DATA, ends ? codes.END_STREAM : 0, stream.id));
      this.#out.bytes(buffer, at, at + length);
      at += length;
      this.#sent();
    }
    return at;
  }
}
