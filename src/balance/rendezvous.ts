import type { Origin } from '../core/origin.ts';
import type { Ask } from './balancer.ts';
import { crc32 } from './crc32.ts';
import { share } from './tier.ts';

/**
 * Highest random weight (Thaler and Ravishankar, 1996), weighted by the logarithm method: each origin draws a number
 * from key and name, and the lowest −ln(number) / weight wins. An origin that cannot take its keys leaves them to the
 * others in proportion to their weights, and nobody else's keys move.
 */
export class Rendezvous {
  readonly #origins: readonly Origin[];
  readonly #seeds: Int32Array;

  constructor(origins: readonly Origin[]) {
    this.#origins = origins;
    this.#seeds = Int32Array.from(origins, (origin) => mix(crc32(origin.name)));
  }

  /** The usable origin on which everybody who holds the same `hash` agrees. */
  elect(hash: number, ask: Ask): Origin | undefined {
    const origins = this.#origins;
    let best: Origin | undefined;
    let lowest = Infinity;
    for (let i = 0; i < origins.length; i++) {
      const origin = origins[i];
      if (!ask.usable(origin)) continue;
      const number = ((mix(hash ^ this.#seeds[i]) >>> 0) + 0.5) / 0x1_0000_0000;
      const cost = -Math.log(number) / share(origin);
      if (best === undefined || cost < lowest) {
        best = origin;
        lowest = cost;
      }
    }
    return best;
  }
}

/** The finaliser of MurmurHash3 (Appleby, public domain): every bit of the input moves half of the bits of the output. */
export function mix(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
