import { MOST_STREAM_ID } from './codes.ts';
import type { PeerSettings } from './peer-settings.ts';
import type { Stream } from './stream.ts';

/**
 * The streams of a connection, by their id, and those among them whose heads have not been sent: until the origin's SETTINGS
 * have come only one request goes out, because they may allow no more; and WebSockets wait to hear whether there are any.
 */
export class Streams {
  readonly #peer: PeerSettings;
  readonly #open = new Map<number, Stream>();
  /** In order. They are among the open ones. */
  #unsent: Stream[] = [];
  #next: number;

  /** @param first the first stream's id: odd */
  constructor(peer: PeerSettings, first: number) {
    this.#peer = peer;
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
    if (this.#open.size - this.#unsent.length >= (known ? streams : 1)) return undefined;
    if (stream.accept !== '' && !known) return undefined;
    return this.#unsent.shift();
  }

  remove(stream: Stream): void {
    this.#open.delete(stream.id);
    if (stream.unsent !== null) this.#unsent = this.#unsent.filter((one) => one !== stream);
  }
}
