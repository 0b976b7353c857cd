import type { Board } from '../core/board.ts';
import type { Exchange } from '../core/exchange.ts';
import { answerSlot, ERROR_SLOTS, measure, METER } from '../core/meter.ts';

/**
 * Counts an exchange that is over, once, on the boards of its listener, route, upstream and origin. A board is looked up
 * when it is first needed and kept; a reload makes new meters.
 */
export class Meters {
  readonly #board: (key: string) => Board;
  readonly #routes = new Map<string, Float64Array>();

  /** @param board finds a board by its key, see control/boards.ts */
  constructor(board: (key: string) => Board) {
    this.#board = board;
  }

  done(exchange: Exchange): void {
    const { status, started, error } = exchange;
    const answer = answerSlot(status);
    const total = exchange.ended - started;
    const meter = exchange.front.client.meter;
    meter[METER.requests]++;
    meter[answer]++;
    meter[METER.bytesIn] += exchange.bytesIn;
    meter[METER.bytesOut] += exchange.bytesOut;
    measure(meter, METER.total, total);
    if (error !== '') meter[ERROR_SLOTS.get(error) as number]++;
    if (exchange.route !== '') {
      const route = this.#route(exchange.route);
      route[METER.requests]++;
      route[answer]++;
      measure(route, METER.total, total);
    }
    this.asked(exchange);
  }

  /** Counts it for its upstream and origin only. */
  asked(exchange: Exchange): void {
    const { origin, status, started, assigned, connected, answered, error } = exchange;
    const answer = answerSlot(status);
    const total = exchange.ended - started;
    const upstream = exchange.upstreamMeter;
    if (upstream !== null) {
      upstream[METER.requests]++;
      upstream[answer]++;
      measure(upstream, METER.total, total);
      if (assigned > 0) measure(upstream, METER.queue, assigned - started);
      if (error !== '') upstream[ERROR_SLOTS.get(error) as number]++;
    }
    if (origin === null) return;
    const { meter: own } = origin;
    own[METER.requests]++;
    own[answer]++;
    own[METER.bytesIn] += exchange.bytesIn;
    own[METER.bytesOut] += exchange.bytesOut;
    if (answered > 0) {
      measure(own, METER.total, total);
      measure(own, METER.first, answered - connected);
    }
    if (connected > 0 && !exchange.reused) measure(own, METER.connect, connected - assigned);
  }

  #route(name: string): Float64Array {
    let meter = this.#routes.get(name);
    if (meter === undefined) this.#routes.set(name, (meter = this.#board(`route ${name}`).meter));
    return meter;
  }
}
