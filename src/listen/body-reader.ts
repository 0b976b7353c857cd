import type { BodySink } from '../core/answer.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Request } from '../core/request.ts';
import { ChunkDecoder } from '../codec/http1/chunks.ts';
import { FAILED } from '../codec/http1/lines.ts';

/** Takes a request's body off the connection's bytes: by length or by chunks, within the limit. */
export class BodyReader {
  done = true;
  /** Body bytes so far, without framing. */
  bytes = 0;
  /** Set when `read` answers -1. */
  error: ErrorCode = 'bad-chunk';
  #left = 0;
  #most = Infinity;
  #decoder: ChunkDecoder | null = null;

  /**
   * @param most bytes a body may have
   * @param mostTrailer bytes its trailer section may have
   */
  begin(request: Request, most: number, mostTrailer: number, mostFields: number): void {
    this.done = request.framing === 'none';
    this.bytes = 0;
    this.#most = most;
    this.#decoder = null;
    this.#left = request.length;
    if (request.framing === 'chunked') this.#decoder = new ChunkDecoder(mostTrailer, mostFields, 'trailers-too-large');
  }

  /** Bytes that are still to come; Infinity when the client has not said. */
  get owed(): number {
    if (this.done) return 0;
    return this.#decoder === null ? this.#left : Infinity;
  }

  /** The trailer lines, once `done`. */
  get trailers(): string {
    return this.#decoder?.trailers ?? '';
  }

  /** Decodes `buffer[start, end)` into the sink; returns the offset of the first byte not used, or -1. */
  read(buffer: Buffer, start: number, end: number, into: BodySink): number {
    if (this.#decoder === null) {
      const take = Math.min(this.#left, end - start);
      this.#left -= take;
      this.bytes += take;
      if (this.#left === 0) this.done = true;
      into.body(buffer, start, start + take);
      return start + take;
    }
    const counter = {
      body: (chunk: Buffer, from: number, to: number): void => {
        this.bytes += to - from;
        if (this.bytes <= this.#most) into.body(chunk, from, to);
      },
    };
    const after = this.#decoder.decode(buffer, start, end, counter);
    // Asked first, so that the error does not depend on whether a bad chunk came in the same read.
    if (this.bytes > this.#most) {
      this.error = 'body-too-large';
      return -1;
    }
    if (after === FAILED) {
      this.error = this.#decoder.error;
      return -1;
    }
    if (this.#decoder.done) this.done = true;
    return after;
  }
}

/** Swallows what nobody wants any more. */
export const nowhere: BodySink = {
  body() {},
  end() {},
  flush: () => true,
};
