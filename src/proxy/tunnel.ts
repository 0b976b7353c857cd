import type { Exchange } from '../core/exchange.ts';
import { Timer } from '../core/wheel.ts';
import { BULK, type WireLike, type WireOwner } from '../core/wire.ts';
import type { Rooms } from './rooms.ts';

/** Milliseconds the last bytes may take once both sides have ended. */
const LAST_BYTES = 60_000;

/**
 * Two connections joined after `101 Switching Protocols`: bytes both ways, unread and unchanged, each side slowed to
 * the other's pace. A side that ends is half-closed on the other; when both have, or one breaks, it is over.
 */
export class Tunnel {
  readonly #client: End;
  readonly #origin: End;
  readonly #timer: Timer;
  readonly #rooms: Rooms;
  readonly #exchange: Exchange;
  readonly #done: () => void;
  #ending = false;
  #over = false;

  constructor(exchange: Exchange, origin: WireLike, rooms: Rooms, done: () => void) {
    this.#exchange = exchange;
    this.#rooms = rooms;
    this.#done = done;
    this.#timer = new Timer(() => this.cut());
    const { wire, early, ended } = exchange.front.tunnel();
    this.#client = new End(wire, this, (count) => (exchange.bytesIn += count));
    this.#origin = new End(origin, this, (count) => (exchange.bytesOut += count));
    this.#client.join(this.#origin);
    this.#origin.join(this.#client);
    // The 101 itself has been added to the client's wire and goes out with whatever followed it.
    if (early !== null) this.#client.received(early, early.length);
    wire.flush();
    wire.resume();
    this.touched();
    if (ended) this.#client.ended();
  }

  /** Bytes that came in the same read as the 101. */
  fromOrigin(buffer: Buffer, start: number, end: number): void {
    this.#exchange.bytesOut += end - start;
    const { wire } = this.#client;
    wire.bytes(buffer, start, end);
    if (!wire.flush()) this.#origin.wire.pause();
  }

  flushClient(): boolean {
    return this.#client.wire.flush();
  }

  originEnded(): void {
    this.#origin.ended();
  }

  /** Something passed: the silence begins anew. */
  touched(): void {
    if (this.#ending) return;
    this.#rooms.wheel.arm(this.#timer, this.#exchange.front.tunnelIdle);
  }

  /** Ends both sides now; `reset` where one of them broke, so that the other does not take it for an orderly end. */
  cut(reset = false): void {
    if (this.#over) return;
    this.#client.wire.destroy(reset);
    this.#origin.wire.destroy(reset);
    this.#end();
  }

  /** Both directions have come to their end in peace; what still waits to be written is, and then they close. */
  finish(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#rooms.wheel.arm(this.#timer, Math.min(LAST_BYTES, this.#exchange.front.tunnelIdle));
    this.#client.wire.finish();
    this.#origin.wire.finish();
  }

  /** One side is closed after both had ended. */
  left(): void {
    if (this.#over) return;
    if (this.#client.gone && this.#origin.gone) this.#end();
    else this.finish();
  }

  #end(): void {
    this.#over = true;
    this.#rooms.wheel.drop(this.#timer);
    this.#done();
  }

  defect(error: unknown): void {
    this.#rooms.defect(error);
  }
}

/** One side: what it receives goes to the other. */
class End implements WireOwner {
  readonly wire: WireLike;
  /** It has sent its last byte. */
  over = false;
  gone = false;
  readonly #tunnel: Tunnel;
  readonly #count: (bytes: number) => void;
  #peer!: End;

  constructor(wire: WireLike, tunnel: Tunnel, count: (bytes: number) => void) {
    this.wire = wire;
    this.#tunnel = tunnel;
    this.#count = count;
    wire.adopt(this);
  }

  join(peer: End): void {
    this.#peer = peer;
  }

  received(buffer: Buffer, length: number): boolean {
    this.wire.bulk = length > BULK;
    this.#count(length);
    this.#tunnel.touched();
    this.#peer.wire.bytes(buffer, 0, length);
    return this.#peer.wire.flush();
  }

  ended(): void {
    if (this.over) return;
    this.over = true;
    if (this.#peer.over) this.#tunnel.finish();
    else this.#peer.wire.end();
  }

  flushed(): void {
    this.#peer.wire.resume();
  }

  closed(): void {
    this.gone = true;
    if (this.over && this.#peer.over) this.#tunnel.left();
    else this.#tunnel.cut(true);
  }

  defect(error: unknown): void {
    this.#tunnel.defect(error);
  }
}
