import { z } from 'zod';
import type { Origin } from '../core/origin.ts';
import type { Ask, Balancer, BalancerKind, BalancerTools } from './balancer.ts';
import { crc32 } from './crc32.ts';
import { keySource } from './key.ts';
import { drawn, RandomTwo } from './random-two.ts';
import { Rendezvous } from './rendezvous.ts';
import { type Tier, Tiered } from './tier.ts';

const options = z.strictObject({
  key: keySource(
    'What decides: path (without query, together with Host, as in lighttpd), uri, address, header:NAME or cookie:NAME. ' +
      'A request that lacks the header or cookie goes to any origin.',
    'path',
  ),
});

/**
 * lighttpd's hash balancing of July 2006, to the bit: the origin with the highest
 * crc32(path) + crc32("address:port") + crc32(Host), modulo 2^32. A cache farm that was balanced by lighttpd stays warm.
 *
 * Adding numbers on a ring keeps the names' order, which has two effects. Shares are uneven: each origin gets the gap
 * to its neighbour. And a dead origin's URLs would all go to that neighbour, though the announcement promised
 * that each of the other nine gets 1/9 of them. So when the winner is not usable, a well-mixed election among the others
 * decides instead, and the promise holds. The gaps take no notice of weights; that election does. For even shares by
 * weight use `carp`.
 */
export const hash = {
  name: 'hash',
  about:
    "The same URL always goes to the same origin, chosen as lighttpd does. Good for caches. Shares are uneven; carp's are less so.",
  options,
  because: ({ key: source }, choice) =>
    choice.key === ''
      ? `the request has no ${source}: ${drawn(choice)}`
      : `its hash with this key is the highest; the same ${source} always leads there`,
  create(given, tools: BalancerTools): Balancer {
    return new Tiered(given.key, (origins) => new Hash(origins, given.key === 'path', tools));
  },
} as const satisfies BalancerKind<typeof options>;

class Hash implements Tier {
  readonly #origins: readonly Origin[];
  readonly #crcs: Int32Array;
  readonly #withAuthority: boolean;
  readonly #others: Rendezvous;
  readonly #keyless: RandomTwo;
  /** Most requests in a row are for one host. */
  #authority = '';
  #authorityCrc = 0;

  constructor(origins: readonly Origin[], withAuthority: boolean, tools: BalancerTools) {
    this.#origins = origins;
    this.#crcs = Int32Array.from(origins, (origin) => crc32(origin.name));
    this.#withAuthority = withAuthority;
    this.#others = new Rendezvous(origins);
    this.#keyless = new RandomTwo(origins, tools);
  }

  choose(ask: Ask): Origin | undefined {
    // Everybody without the cookie is not one client: one origin would get them all.
    if (ask.key === '') return this.#keyless.choose(ask);
    const constant = this.#constant(ask);
    const crcs = this.#crcs;
    let winner = 0;
    let highest = -1;
    for (let i = 0; i < crcs.length; i++) {
      const score = (constant + crcs[i]) >>> 0;
      if (score > highest) {
        winner = i;
        highest = score;
      }
    }
    const origin = this.#origins[winner];
    return ask.usable(origin) ? origin : this.#others.elect(constant, ask);
  }

  /** What the request adds to every origin's score. */
  #constant(ask: Ask): number {
    if (!this.#withAuthority) return crc32(ask.key);
    if (ask.authority !== this.#authority) {
      this.#authority = ask.authority;
      this.#authorityCrc = crc32(ask.authority);
    }
    return (crc32(ask.key) + this.#authorityCrc) | 0;
  }
}
