import type { Origin } from '../core/origin.ts';
import type { Ask, Balancer, KeySource } from './balancer.ts';

/**
 * Origins that compete with each other, and a policy's way to choose among them. It is made anew when membership or
 * weights change, so a policy is written for a list that never changes.
 */
export interface Tier {
  choose(ask: Ask): Origin | undefined;
}

/**
 * The frame of most policies. Primaries and backups never compete (`usable` sees to that), and an origin of weight 0 has
 * no share, so it is asked only when nobody with a share is usable: last resort rather than 503. Those are four tiers,
 * asked in order; most upstreams have one.
 */
export class Tiered implements Balancer {
  readonly key: KeySource;
  readonly #make: (origins: readonly Origin[]) => Tier;
  #tiers: readonly Tier[] = [];

  constructor(key: KeySource, make: (origins: readonly Origin[]) => Tier) {
    this.key = key;
    this.#make = make;
  }

  update(origins: readonly Origin[]): void {
    const tiers: Tier[] = [];
    for (const backup of [false, true]) {
      for (const weighted of [true, false]) {
        const equals = origins.filter((origin) => origin.backup === backup && origin.weight > 0 === weighted);
        if (equals.length > 0) tiers.push(this.#make(equals));
      }
    }
    this.#tiers = tiers;
  }

  pick(ask: Ask): Origin | undefined {
    const tiers = this.#tiers;
    for (let i = 0; i < tiers.length; i++) {
      const found = tiers[i].choose(ask);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** An origin's weight inside its tier: those of weight 0 are only ever compared with each other, so they count alike. */
export function share(origin: Origin): number {
  return origin.weight > 0 ? origin.weight : 1;
}

/** Whether `a` has fewer requests in flight per weight than `b`; multiplied out, so there is no division and no rounding. */
export function lighter(a: Origin, b: Origin): boolean {
  return a.inFlight * share(b) < b.inFlight * share(a);
}
