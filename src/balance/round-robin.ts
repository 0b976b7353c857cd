import { z } from 'zod';
import type { Origin } from '../core/origin.ts';
import type { Ask, Balancer, BalancerKind, BalancerTools } from './balancer.ts';
import { Rotation } from './rotation.ts';
import { type Tier, Tiered } from './tier.ts';

const options = z.strictObject({});

/** A true rotation. lighttpd 1.5's policy of this name was a random choice, and said so in a comment. */
export const roundRobin = {
  name: 'round-robin',
  about: 'Each origin in turn, as often as its weight says, spread out evenly over time. Ignores how busy they are.',
  options,
  because: (_options, { usable }) =>
    `${usable.length} take turns by weight. Whose turn it is depends on the requests before: this is whose it would be at the start`,
  create(_options, tools: BalancerTools): Balancer {
    return new Tiered('none', (origins) => new RoundRobin(origins, tools));
  },
} as const satisfies BalancerKind<typeof options>;

class RoundRobin implements Tier {
  readonly #origins: readonly Origin[];
  readonly #rotation: Rotation;
  /** Indices of the usable origins; scratch space of one `choose`. */
  readonly #entrants: Int32Array;

  constructor(origins: readonly Origin[], tools: BalancerTools) {
    this.#origins = origins;
    this.#rotation = new Rotation(origins, tools);
    this.#entrants = new Int32Array(origins.length);
  }

  choose(ask: Ask): Origin | undefined {
    const origins = this.#origins;
    const entrants = this.#entrants;
    let count = 0;
    for (let i = 0; i < origins.length; i++) if (ask.usable(origins[i])) entrants[count++] = i;
    return count === 0 ? undefined : origins[this.#rotation.turn(entrants, count)];
  }
}
