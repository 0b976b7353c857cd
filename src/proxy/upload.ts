import type { BodySink } from '../core/answer.ts';
import type { Front } from '../core/exchange.ts';
import { Pieces } from '../core/pieces.ts';
import type { Link } from '../upstream/link.ts';

/** A request's body, as whoever forwards it sees it. */
export interface RequestBody {
  /** All of it has been handed to the present channel. */
  readonly ended: boolean;
  /** It can be sent once more, from its beginning. */
  readonly replayable: boolean;
  /** Sends to this channel from now on, from the beginning; null holds the body back. */
  use(channel: Link | null): void;
  /** The channel can take more. */
  resume(): void;
}

/**
 * A request's body on its way to an origin. Keeps a copy of what has passed while that is short enough to be sent
 * again; a new channel gets the copy first, then the rest as it comes.
 */
export class Upload implements BodySink, RequestBody {
  ended = false;
  readonly #most: number;
  readonly #front: Front;
  readonly #reserves: ((name: string) => boolean) | null;
  #kept: Pieces | null = new Pieces();
  #trailers = '';
  #channel: Link | null = null;

  /**
   * @param most bytes of the body to keep for sending it again; 0 for none
   * @param reserves names of fields that are not the client's to send: trailers of these names stay behind
   */
  constructor(most: number, front: Front, reserves: ((name: string) => boolean) | null = null) {
    this.#most = most;
    this.#front = front;
    this.#reserves = reserves;
  }

  /** Everything that has passed is still here. */
  get replayable(): boolean {
    return this.#kept !== null;
  }

  /** Sends to this channel from now on, beginning with what has passed already; null holds the body back. */
  use(channel: Link | null): void {
    this.#channel = channel;
    if (channel === null) return;
    for (const piece of this.#kept?.all ?? []) channel.requestBody(piece, 0, piece.length);
    if (this.ended) channel.requestEnd(this.#trailers);
  }

  resume(): void {
    this.#front.resumeBody();
  }

  body(buffer: Buffer, start: number, end: number): void {
    if (this.#kept !== null) {
      if (this.#kept.size + end - start > this.#most) this.#kept = null;
      else this.#kept.add(buffer, start, end);
    }
    this.#channel?.requestBody(buffer, start, end);
  }

  end(trailers: string): void {
    this.ended = true;
    const reserves = this.#reserves;
    this.#trailers = trailers === '' || reserves === null ? trailers : without(trailers, reserves);
    this.#channel?.requestEnd(this.#trailers);
  }

  flush(): boolean {
    return this.#channel === null ? false : this.#channel.requestFlush();
  }
}

/** @param lines complete field lines */
function without(lines: string, reserves: (name: string) => boolean): string {
  return lines
    .split(/(?<=\r\n)/)
    .filter((line) => !reserves(line.slice(0, line.indexOf(':'))))
    .join('');
}
