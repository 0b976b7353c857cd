import { z } from 'zod';
import type { Origin } from '../core/origin.ts';
import type { Ask, Balancer, BalancerKind, BalancerTools } from './balancer.ts';
import { Rotation } from './rotation.ts';
import { lighter, share, type Tier, Tiered } from './tier.ts';

const options = z.strictObject({});

/**
 * lighttpd 1.5's `sqf` (shortest queue first) with two repairs. It counted a pool's connections, idle ones included,
 * which with keep-alive measures warmth and not load: here only requests in flight count. And it gave every tie to the
 * first origin, which on a quiet site is all traffic: here ties rotate by weight, as in nginx's least_conn.
 */
export const leastBusy = {
  name: 'least-busy',
  aliases: ['sqf', 'fair', 'least-connections', 'least-connection'],
  about: 'The origin with the fewest requests in flight per weight; ties rotate. Looks at every origin each time.',
  options,
  because: (_options, { origin, usable }) => {
    const tied = usable.filter((other) => !lighter(origin, other) && !lighter(other, origin)).length;
    const load = `it has ${origin.inFlight} in flight at weight ${share(origin)}`;
    return tied === 1
      ? `${load}, the least of ${usable.length} per weight`
      : `${load}, as little as ${tied - 1} other; they take turns`;
  },
  create(_options, tools: BalancerTools): Balancer {
    return new Tiered('none', (origins) => new LeastBusy(origins, tools));
  },
} as const satisfies BalancerKind<typeof options>;

class LeastBusy implements Tier {
  readonly #origins: readonly Origin[];
  readonly #rotation: Rotation;
  /** Indices of the origins that share the lowest load; scratch space of one `choose`. */
  readonly #tied: Int32Array;

  constructor(origins: readonly Origin[], tools: BalancerTools) {
    this.#origins = origins;
    this.#rotation = new Rotation(origins, tools);
    this.#tied = new Int32Array(origins.length);
  }

  choose(ask: Ask): Origin | undefined {
    const origins = this.#origins;
    const tied = this.#tied;
    let best: Origin | undefined;
    let count = 0;
    for (let i = 0; i < origins.length; i++) {
      const origin = origins[i];
      if (!ask.usable(origin)) continue;
      if (best === undefined || lighter(origin, best)) {
        best = origin;
        count = 0;
      } else if (lighter(best, origin)) {
        continue;
      }
      tied[count++] = i;
    }
    return count < 2 ? best : origins[this.#rotation.turn(tied, count)];
  }
}
