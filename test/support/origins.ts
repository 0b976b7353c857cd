/** Origins, questions and dice for tests of the balancers, and of what uses them. */
import type { Ask, Balancer, BalancerTools } from '../../src/balance/balancer.ts';
import { Origin, type OriginOptions } from '../../src/core/origin.ts';

/** An origin by its `host` or `host:port` (80). */
export function origin(where: string, options: Partial<OriginOptions> = {}): Origin {
  const [host = '', port = '80'] = where.split(':');
  return new Origin({ url: `http://${where}`, address: { scheme: 'http', host, port: Number(port) }, ...options });
}

/** 10.0.0.1, 10.0.0.2, … with these weights. */
export function weighted(...weights: number[]): Origin[] {
  return weights.map((weight, i) => origin(`10.0.0.${i + 1}`, { weight }));
}

/** A question that everybody may answer, unless said otherwise. */
export function ask(some: Partial<Ask> = {}): Ask {
  return { key: '', authority: 'www.example.org', usable: () => true, ...some };
}

/** A question that these origins may not answer. */
export function without(...refused: Origin[]): Ask {
  return ask({ usable: (one) => !refused.includes(one) });
}

/** Repeatable dice: the generator mulberry32 (Tommy Ettinger, public domain). */
export function seeded(seed = 1): BalancerTools {
  let state = seed;
  return {
    random() {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
    },
  };
}

/** How often each origin is chosen for these questions, in the order of `origins`. */
export function tally(balancer: Balancer, origins: readonly Origin[], asks: Iterable<Ask>): number[] {
  const counts = new Map(origins.map((one) => [one, 0]));
  for (const one of asks) {
    const chosen = balancer.pick(one);
    if (chosen !== undefined) counts.set(chosen, (counts.get(chosen) ?? Number.NaN) + 1);
  }
  return [...counts.values()];
}

/** The same question, this often. */
export function times(count: number, one: Ask = ask()): Ask[] {
  return Array.from({ length: count }, () => one);
}

/**
 * Keeps `concurrency` requests in flight: at each step one of them, at random, ends, and a new one begins.
 * How often each origin was chosen, in the order of `origins`.
 */
export function underLoad(
  balancer: Balancer,
  origins: readonly Origin[],
  concurrency: number,
  steps: number,
): number[] {
  const dice = seeded(7);
  const flying: Origin[] = [];
  const counts = new Map(origins.map((one) => [one, 0]));
  for (let step = 0; step < steps; step++) {
    if (flying.length === concurrency) {
      const [ended] = flying.splice(Math.floor(dice.random() * concurrency), 1);
      ended.release();
    }
    const chosen = balancer.pick(ask({ key: `/${step}` })) as Origin;
    chosen.acquire();
    flying.push(chosen);
    counts.set(chosen, (counts.get(chosen) ?? Number.NaN) + 1);
  }
  return [...counts.values()];
}
