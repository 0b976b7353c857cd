import type { BalancerTools } from './balancer.ts';
import { mix } from './rendezvous.ts';

/** Rolls are below this: they fit the engine's small integers, which are never boxed. */
export const SIDES = 0x8000_0000;

/**
 * Randomness for every request. `Math.random()` takes 10 ns and leaves a number object on the heap each time; this is a
 * counter and a mixer (the scheme of SplitMix: Steele, Lea, Flood, 2014), which takes 2 ns and leaves nothing. Not for
 * secrets.
 */
export class Dice {
  #state: number;

  constructor(tools: BalancerTools) {
    this.#state = Math.floor(tools.random() * 0x1_0000_0000) | 0;
  }

  /** An integer from 0 up to `SIDES`, which is excluded. */
  roll(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    return mix(this.#state) >>> 1;
  }
}
