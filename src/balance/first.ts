import { z } from 'zod';
import type { Origin } from '../core/origin.ts';
import type { Ask, Balancer, BalancerKind, BalancerTools } from './balancer.ts';
import { type Tier, Tiered } from './tier.ts';

const options = z.strictObject({});

/** lighttpd 1.5's `static` (2007): no balancing at all, only fail-over. */
export const first = {
  name: 'first',
  aliases: ['static'],
  about: 'The first usable origin in the order they are listed; the others are its fail-over. Weights do not matter.',
  options,
  because: () => 'it is the first usable one in the list',
  create(_options, _tools: BalancerTools): Balancer {
    return new Tiered('none', (origins) => new First(origins));
  },
} as const satisfies BalancerKind<typeof options>;

class First implements Tier {
  readonly #origins: readonly Origin[];

  constructor(origins: readonly Origin[]) {
    this.#origins = origins;
  }

  choose(ask: Ask): Origin | undefined {
    const origins = this.#origins;
    for (let i = 0; i < origins.length; i++) if (ask.usable(origins[i])) return origins[i];
    return undefined;
  }
}
