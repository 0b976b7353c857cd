import type { BodySink } from '../core/answer.ts';
import type { Channel } from '../upstream/channel.ts';

/**
 * A request's body on its way to an origin. Keeps a copy of what has passed while that is short enough to be sent
 * again; a new channel gets the copy first, then the rest as it comes.
 */
export class Upload implements BodySink {
  ended = false;
  readonly #most: number;
  #kept: Buffer[] | null = [];
  /** Bytes that have passed; while all are kept. */
  size = 0;
  #trailers = '';
  #channel: Channel | null = null;

  /** @param most bytes of the body to keep for sending it again; 0 for none */
  constructor(most: number) {
    this.#most = most;
  }

  /** Everything that has passed is still here. */
  get replayable(): boolean {
    return this.#kept !== null;
  }

  /** Sends to this channel from now on, beginning with what has passed already; null holds the body back. */
  use(channel: Channel | null): void {
    this.#channel = channel;
    if (channel === null) return;
    for (const piece of this.#kept ?? []) channel.requestBody(piece, 0, piece.length);
    if (this.ended) channel.requestEnd(this.#trailers);
  }

  body(buffer: Buffer, start: number, end: number): void {
    if (this.#kept !== null) {
      this.size += end - start;
      if (this.size > this.#most) this.#kept = null;
      else this.#kept.push(Buffer.from(buffer.subarray(start, end)));
    }
    this.#channel?.requestBody(buffer, start, end);
  }

  end(trailers: string): void {
    this.ended = true;
    this.#trailers = trailers;
    this.#channel?.requestEnd(trailers);
  }

  flush(): boolean {
    return this.#channel === null ? false : this.#channel.requestFlush();
  }
}
