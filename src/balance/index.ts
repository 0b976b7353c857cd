import type { BalancerKind } from './balancer.ts';
import { carp } from './carp.ts';
import { first } from './first.ts';
import { hash } from './hash.ts';
import { leastBusy } from './least-busy.ts';
import { randomTwo } from './random-two.ts';
import { roundRobin } from './round-robin.ts';
import { sticky } from './sticky.ts';

/** Every policy, the default first. */
export const balancers = [
  randomTwo,
  roundRobin,
  leastBusy,
  hash,
  carp,
  first,
  sticky,
] as const satisfies readonly BalancerKind[];

export type BalancerName = (typeof balancers)[number]['name'];

export const defaultBalancer: BalancerName = 'random-two';

const byName: ReadonlyMap<string, BalancerKind> = new Map(
  (balancers as readonly BalancerKind[]).flatMap((kind) =>
    [kind.name, ...(kind.aliases ?? [])].map((name) => [name, kind] as const),
  ),
);

/** The policy of this name or alias. */
export function findBalancer(name: string): BalancerKind | undefined {
  return byName.get(name);
}
