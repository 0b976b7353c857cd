import type { Origin } from '../core/origin.ts';
import type { BalancerTools } from './balancer.ts';
import { share } from './tier.ts';

/** Sums of thirds and sevenths do not come out even; differences below this are ties, and a tie goes by order. */
const TIE = 1e-9;

/**
 * Smooth weighted rotation, as nginx has had since 1.3.1: at each turn every entrant gains its share of the turn, the
 * richest is chosen and pays for all. Weights 5, 1, 1 give a a b a c a a instead of a a a a a b c.
 *
 * One difference: nginx counts in weights, so that a turn costs more the more entrants there are, and who paid for a turn
 * among many is passed over for several among few. Here a turn costs 1, so the entrants share by weight whoever
 * they are, and an origin that was away is owed no more than a turn or two: it gets no burst when it is back.
 */
export class Rotation {
  readonly #weights: Float64Array;
  /** Turns each is owed. */
  readonly #owed: Float64Array;

  /** The first turn is somebody's at random: several processes, or one that often reloads, would all begin with the first. */
  constructor(origins: readonly Origin[], tools: BalancerTools) {
    this.#weights = Float64Array.from(origins, share);
    this.#owed = new Float64Array(origins.length);
    const everyone = Int32Array.from(origins.keys());
    for (let turns = Math.floor(tools.random() * origins.length); turns > 0; turns--)
      this.turn(everyone, origins.length);
  }

  /** The index whose turn it is among the first `count` of `entrants`, of which there is at least one. */
  turn(entrants: Int32Array, count: number): number {
    const owed = this.#owed;
    const weights = this.#weights;
    let total = 0;
    for (let i = 0; i < count; i++) total += weights[entrants[i]];
    let best = entrants[0];
    for (let i = 0; i < count; i++) {
      const entrant = entrants[i];
      owed[entrant] += weights[entrant] / total;
      if (owed[entrant] > owed[best] + TIE) best = entrant;
    }
    owed[best] -= 1;
    return best;
  }
}
