import { z } from 'zod';
import type { Origin } from '../core/origin.ts';
import type { Ask, Balancer, BalancerKind, BalancerTools } from './balancer.ts';
import { keySource } from './key.ts';
import { drawn, RandomTwo } from './random-two.ts';
import { share, type Tier, Tiered } from './tier.ts';

const options = z.strictObject({
  key: keySource(
    'What decides: uri (the whole URL, http://, Host and target, as in the draft), path (without Host and query), ' +
      'address, header:NAME or cookie:NAME. A request that lacks the header or cookie goes to any origin.',
    'uri',
  ),
});

/**
 * The Cache Array Routing Protocol, draft-vinod-carp-v1-03 (1998), whose ideas lighttpd's hash balancing followed; as in
 * Squid. Each origin's hash is combined with the URL's, multiplied by a factor that makes the chances match the weights,
 * and the highest score among the usable wins. A dead origin's URLs spread over the others, though not evenly, and no others move.
 *
 * The scheme in the URL is always http, whatever the client used, so that a page is cached once; an origin's name is
 * `host:port`.
 */
export const carp = {
  name: 'carp',
  about:
    'The same URL always goes to the same origin, in shares by weight; spreads well when one dies. Good for caches.',
  options,
  because: ({ key: source }, choice) =>
    choice.key === ''
      ? `the request has no ${source}: ${drawn(choice)}`
      : `its score with this key, by weight, is the highest; the same ${source} always leads there`,
  create(given, tools: BalancerTools): Balancer {
    return new Tiered(given.key, (origins) => new Carp(origins, given.key === 'uri', tools));
  },
} as const satisfies BalancerKind<typeof options>;

class Carp implements Tier {
  readonly #origins: readonly Origin[];
  readonly #members: Int32Array;
  readonly #factors: Float64Array;
  readonly #wholeUrl: boolean;
  readonly #keyless: RandomTwo;

  constructor(origins: readonly Origin[], wholeUrl: boolean, tools: BalancerTools) {
    this.#origins = origins;
    this.#members = Int32Array.from(origins, (origin) => memberHash(origin.name));
    this.#factors = loadFactors(origins.map(share));
    this.#wholeUrl = wholeUrl;
    this.#keyless = new RandomTwo(origins, tools);
  }

  choose(ask: Ask): Origin | undefined {
    if (ask.key === '') return this.#keyless.choose(ask);
    const url = this.#wholeUrl ? wholeUrlHash(ask) : urlHash(ask.key);
    const origins = this.#origins;
    let best: Origin | undefined;
    let highest = -1;
    for (let i = 0; i < origins.length; i++) {
      const score = (spread(url ^ this.#members[i]) >>> 0) * this.#factors[i];
      if (score > highest && ask.usable(origins[i])) {
        best = origins[i];
        highest = score;
      }
    }
    return best;
  }
}

const SCHEME_HASH = urlHash('http://');

/** The target of a request to a proxy (absolute-form) is the URL already. */
function wholeUrlHash(ask: Ask): number {
  return ask.key.startsWith('/') ? urlHash(ask.key, urlHash(ask.authority, SCHEME_HASH)) : urlHash(ask.key);
}

/** The draft's URL hash, continuing from `hash` so that a URL can be hashed in pieces. */
export function urlHash(text: string, hash = 0): number {
  let h = hash;
  for (let i = 0; i < text.length; i++) {
    // A byte at a time, says the draft. URLs are ASCII; wider characters occur in other keys only, which nobody else hashes.
    h = (h + rotate(h, 19) + text.charCodeAt(i)) | 0;
  }
  return h;
}

/** The draft's member hash: the same over the origin's name, and then mixed. */
export function memberHash(name: string): number {
  return spread(urlHash(name));
}

/** The draft's multiplication and rotation, which both members and combinations go through. */
function spread(hash: number): number {
  const h = (hash + Math.imul(hash, 0x62531965)) | 0;
  return rotate(h, 21);
}

function rotate(h: number, bits: number): number {
  return (h << bits) | (h >>> (32 - bits));
}

/**
 * The draft's load factors: one for each origin, by its load relative to the others, so that the chance of the highest product
 * is that load. Equal loads give 1. Computed from the smallest load upwards, each from the factors before it.
 */
export function loadFactors(loads: readonly number[]): Float64Array {
  const count = loads.length;
  const sum = loads.reduce((total, load) => total + load, 0);
  const ascending = [...loads.keys()].toSorted((a, b) => loads[a] - loads[b]);
  const factors = new Float64Array(count);
  let product = 1;
  let factor = 0;
  let smaller = 0;
  for (const [rank, index] of ascending.entries()) {
    const rest = count - rank;
    const load = loads[index] / sum;
    factor = ((rest * (load - smaller)) / product + factor ** rest) ** (1 / rest);
    factors[index] = factor;
    product *= factor;
    smaller = load;
  }
  return factors;
}
