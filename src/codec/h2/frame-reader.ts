import * as codes from './codes.ts';

/** What is to be done with a frame's payload. */
export type Verdict = 'whole' | 'pieces' | 'skip' | 'stop';

/** What hears of frames. */
export interface FrameSink {
  /** A frame begins. `whole`: `frame` gets it once all of it is here; `pieces`: `piece` and `pieceEnd`, for DATA. */
  begins(type: number, flags: number, stream: number, length: number): Verdict;
  frame(bytes: Buffer, start: number, end: number): void;
  /** Some of a DATA frame's data, without padding. */
  piece(bytes: Buffer, start: number, end: number): void;
  pieceEnd(): void;
  /**
   * The bytes are no frames, or not those that may come. Nothing follows.
   * @param stream whose frame it was; 0: nobody's
   */
  wrong(code: number, detail: string, stream: number): void;
}

/** Splits what comes into frames (RFC 9113 §4.1), fed in any pieces. Data passes through, all else is gathered. */
export class FrameReader {
  /** Set by the sink: nothing more is read. */
  stopped = false;
  readonly #sink: FrameSink;
  readonly #header = new Uint8Array(codes.HEADER);
  #headerSize = 0;
  #first = true;
  #verdict: Verdict = 'skip';
  #stream = 0;
  /** Bytes of the payload that are to come; of data: without the padding. */
  #left = 0;
  #padding = 0;
  /** The next byte says how much padding there is. */
  #padded = false;
  #held: Buffer | null = null;
  #heldSize = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Something of a frame is here, and not all of it. */
  get within(): boolean {
    return this.#headerSize > 0;
  }

  read(buffer: Buffer, start: number, end: number): void {
    let i = start;
    while (i < end && !this.stopped) {
      if (this.#headerSize < codes.HEADER) i = this.#head(buffer, i, end);
      else if (this.#verdict === 'whole') i = this.#whole(buffer, i, end);
      else if (this.#padded) this.#pad(buffer[i++]);
      else if (this.#left > 0) {
        const stop = Math.min(end, i + this.#left);
        this.#left -= stop - i;
        if (this.#verdict === 'pieces') this.#sink.piece(buffer, i, stop);
        i = stop;
      } else {
        const stop = Math.min(end, i + this.#padding);
        this.#padding -= stop - i;
        i = stop;
      }
      if (this.#headerSize === codes.HEADER && this.#left === 0 && this.#padding === 0 && !this.#padded) this.#ends();
    }
  }

  #head(buffer: Buffer, start: number, end: number): number {
    const header = this.#header;
    let i = start;
    while (i < end && this.#headerSize < codes.HEADER) {
      header[this.#headerSize++] = buffer[i++];
      // As soon as it shows: who speaks something else may send less than a header and wait.
      if (this.#first && this.#headerSize === 3 && this.#length() > codes.DEFAULT_FRAME) return this.#tooLong(end);
      if (this.#first && this.#headerSize === 4 && header[3] !== codes.SETTINGS) {
        this.#wrong(codes.PROTOCOL_ERROR, `${codes.frameName(header[3])} before SETTINGS`);
        return end;
      }
    }
    if (this.#headerSize < codes.HEADER) return i;
    this.#first = false;
    this.#stream = ((header[5] & 0x7f) << 24) | (header[6] << 16) | (header[7] << 8) | header[8];
    this.#left = this.#length();
    this.#padding = 0;
    if (this.#left > codes.DEFAULT_FRAME) return this.#tooLong(end);
    this.#verdict = this.#sink.begins(header[3], header[4], this.#stream, this.#left);
    if (this.#verdict === 'stop') {
      this.stopped = true;
      return end;
    }
    this.#padded = this.#verdict === 'pieces' && (header[4] & codes.PADDED) !== 0;
    if (this.#padded && this.#left === 0) this.#wrong(codes.FRAME_SIZE_ERROR, 'padding without its length');
    return i;
  }

  #length(): number {
    return (this.#header[0] << 16) | (this.#header[1] << 8) | this.#header[2];
  }

  #tooLong(end: number): number {
    this.#wrong(codes.FRAME_SIZE_ERROR, this.#stranger() ?? `a frame of ${this.#length()} bytes`);
    return end;
  }

  /** The usual mistakes, told by the first three bytes. */
  #stranger(): string | undefined {
    if (!this.#first) return undefined;
    const text = String.fromCharCode(...this.#header.subarray(0, 3));
    if (text === 'HTT') return 'it speaks HTTP/1, not HTTP/2';
    return text.startsWith('\x15\x03') || text.startsWith('\x16\x03') ? 'it speaks TLS' : undefined;
  }

  #pad(padding: number): void {
    this.#padded = false;
    this.#padding = padding;
    this.#left -= 1 + padding;
    // RFC 9113 §6.1.
    if (this.#left < 0) this.#wrong(codes.PROTOCOL_ERROR, 'more padding than payload');
  }

  #whole(buffer: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + this.#left);
    if (this.#held === null) {
      if (stop - start === this.#left) {
        this.#left = 0;
        this.#sink.frame(buffer, start, stop);
        return stop;
      }
      this.#held = Buffer.allocUnsafe(this.#left);
      this.#heldSize = 0;
    }
    buffer.copy(this.#held, this.#heldSize, start, stop);
    this.#heldSize += stop - start;
    this.#left -= stop - start;
    if (this.#left === 0) {
      const held = this.#held;
      this.#held = null;
      this.#sink.frame(held, 0, held.length);
    }
    return stop;
  }

  #ends(): void {
    if (this.stopped) return;
    this.#headerSize = 0;
    if (this.#verdict === 'pieces') this.#sink.pieceEnd();
    else if (this.#verdict === 'whole' && this.#length() === 0) this.#sink.frame(Buffer.alloc(0), 0, 0);
  }

  #wrong(code: number, detail: string): void {
    this.stopped = true;
    this.#held = null;
    this.#sink.wrong(code, detail, this.#stream);
  }
}
