import { z } from 'zod';
import type { Origin } from '../core/origin.ts';
import type { Ask, Balancer, BalancerKind, BalancerTools, Choice } from './balancer.ts';
import { Dice, SIDES } from './dice.ts';
import { Lottery } from './lottery.ts';
import { lighter, share, type Tier, Tiered } from './tier.ts';

const options = z.strictObject({});

/** Blind draws before the list is walked. With half of the origins unusable, one choice in sixteen walks. */
const DRAWS = 4;

/**
 * "The power of two choices" (Mitzenmacher, 2001): the better of two random origins is nearly as good as the best of
 * all, in constant time. It is also safer with several proxies: none of them sees the others' requests, and all would
 * send to the one origin that looks idle to each of them.
 */
export const randomTwo = {
  name: 'random-two',
  about:
    'The less busy, per weight, of two origins drawn at random by weight. The default; right for many proxies too.',
  options,
  because: (_options, choice) => drawn(choice),
  create(_options, tools: BalancerTools): Balancer {
    return new Tiered('none', (origins) => new RandomTwo(origins, tools));
  },
} as const satisfies BalancerKind<typeof options>;

/** Of an origin drawn by `RandomTwo`. */
export function drawn({ usable }: Choice): string {
  return (
    `one of ${usable.length} by weight, drawn at random; when it has requests in flight a second one is drawn, and the ` +
    'less busy of the two is taken. The next request may go elsewhere'
  );
}

export class RandomTwo implements Tier {
  readonly #origins: readonly Origin[];
  readonly #lottery: Lottery;
  readonly #dice: Dice;

  constructor(origins: readonly Origin[], tools: BalancerTools) {
    this.#origins = origins;
    this.#lottery = new Lottery(origins.map(share));
    this.#dice = new Dice(tools);
  }

  choose(ask: Ask): Origin | undefined {
    const first = this.#draw(ask, undefined);
    // Nobody is lighter than an idle origin, so on a quiet site one draw is enough, and it honours the weights.
    if (first === undefined || first.inFlight === 0 || this.#origins.length === 1) return first;
    const second = this.#draw(ask, first);
    return second !== undefined && lighter(second, first) ? second : first;
  }

  /** A usable origin other than `taken`, at random by weight. */
  #draw(ask: Ask, taken: Origin | undefined): Origin | undefined {
    for (let draws = 0; draws < DRAWS; draws++) {
      const origin = this.#origins[this.#lottery.draw(this.#dice)];
      if (origin !== taken && ask.usable(origin)) return origin;
    }
    return this.#walk(ask, taken);
  }

  /**
   * The same by looking at each: the n-th usable origin replaces the one held so far with the chance of its weight in
   * the sum so far, so all come out by weight wherever the unusable ones lie.
   */
  #walk(ask: Ask, taken: Origin | undefined): Origin | undefined {
    const origins = this.#origins;
    let held: Origin | undefined;
    let sum = 0;
    for (let i = 0; i < origins.length; i++) {
      const origin = origins[i];
      if (origin === taken || !ask.usable(origin)) continue;
      sum += share(origin);
      if (held === undefined || (this.#dice.roll() / SIDES) * sum < share(origin)) held = origin;
    }
    return held;
  }
}
