import type { Clock } from '../core/clock.ts';
import { Timer, type Wheel } from '../core/wheel.ts';
import type { WireLike, WireOwner } from '../core/wire.ts';

/** Milliseconds a client may go on sending after its last answer, and may pause in that. */
const LONGEST = 30_000;
const PAUSE = 5000;

/**
 * A client's connection after the last answer. What the client still sends is read and thrown away until it has seen our
 * end: closing while its bytes come would reset the connection, and it would lose the answer (RFC 9112 §9.6).
 */
class Linger implements WireOwner {
  readonly #wire: WireLike;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #until: number;
  readonly #timer: Timer;
  readonly #gone: () => void;

  constructor(wire: WireLike, clock: Clock, wheel: Wheel, gone: () => void) {
    this.#wire = wire;
    this.#clock = clock;
    this.#wheel = wheel;
    this.#until = clock.now() + LONGEST;
    this.#gone = gone;
    this.#timer = new Timer(() => wire.destroy());
    wheel.arm(this.#timer, PAUSE);
    wire.end();
    wire.resume();
  }

  received(): boolean {
    if (this.#clock.now() < this.#until) this.#wheel.arm(this.#timer, PAUSE);
    return true;
  }

  ended(): void {
    this.#wire.destroy();
  }

  flushed(): void {}

  closed(): void {
    this.#wheel.drop(this.#timer);
    this.#gone();
  }

  defect(): void {}
}

/** @param gone the connection is closed */
export function linger(wire: WireLike, { clock, wheel }: { clock: Clock; wheel: Wheel }, gone: () => void): void {
  wire.adopt(new Linger(wire, clock, wheel, gone));
}
