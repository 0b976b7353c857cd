import { isIdempotent } from '../../core/methods.ts';
import type { Request } from '../../core/request.ts';
import { MOST_STREAM_ID } from './codes.ts';
import type { PeerSettings } from './peer-settings.ts';
import type { Stream } from './stream.ts';

/**
 * The streams of a connection, by their id, and those among them whose heads have not been sent, which go out in order
 * (RFC 9113 §5.1.1).
 *
 * Nobody has to wait for the origin's SETTINGS (§3.4), and what it turns away because of them, it has not begun with. That
 * costs a request without a body nothing, so as many go out as an origin will presumably take. What has been sent of a
 * body may be more than is kept: those wait, unless they are the first. WebSockets wait to hear whether there are any.
 */
export class Streams {
  readonly #peer: PeerSettings;
  /** How many the origin will presumably take. */
  readonly #presumed: () => number;
  readonly #open = new Map<number, Stream>();
  /** In order. They are among the open ones. */
  #unsent: Stream[] = [];
  #next: number;

  /**
   * @param presumed how many the origin will presumably take, until it has said so
   * @param first the first stream's id: odd
   */
  constructor(peer: PeerSettings, presumed: () => number, first: number) {
    this.#peer = peer;
    this.#presumed = presumed;
    this.#next = first;
  }

  /** RFC 9113 §5.1.1: ids are not used again. They end after a billion requests. */
  get exhausted(): boolean {
    return this.#next > MOST_STREAM_ID;
  }

  /** The id of the stream to be opened next. */
  nextId(): number {
    const id = this.#next;
    this.#next += 2;
    return id;
  }

  add(stream: Stream): void {
    this.#open.set(stream.id, stream);
    this.#unsent.push(stream);
  }

  get(id: number): Stream | undefined {
    return this.#open.get(id);
  }

  get all(): Stream[] {
    return [...this.#open.values()];
  }

  /** Whether the peer may know of this stream: it is open, or was. */
  known(id: number): boolean {
    if ((id & 1) === 0 || id >= this.#next) return false;
    const stream = this.#open.get(id);
    return stream === undefined || stream.unsent === null;
  }

  /** The next one whose head may be sent now, which is none of the waiting ones any more. */
  toSend(): Stream | undefined {
    const [stream] = this.#unsent;
    if (stream === undefined) return undefined;
    const { known, streams } = this.#peer;
    const sent = this.#open.size - this.#unsent.length;
    if (known) {
      if (sent >= streams) return undefined;
    } else {
      if (stream.accept !== '') return undefined;
      if (sent >= (mayGoEarly(stream.unsent?.request) ? this.#presumed() : 1)) return undefined;
      stream.rank = sent + 1;
    }
    return this.#unsent.shift();
  }

  remove(stream: Stream): void {
    this.#open.delete(stream.id);
    if (stream.unsent !== null) this.#unsent = this.#unsent.filter((one) => one !== stream);
  }
}

/** What is lost with an origin that turns out to be none, or to be just ending, can be sent again. */
function mayGoEarly(request: Request | undefined): boolean {
  return request?.framing === 'none' && isIdempotent(request.method);
}
