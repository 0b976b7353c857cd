import { originName, type OriginOptions } from '../core/origin.ts';
import type { ConfiguredOrigin } from '../upstream/options.ts';
import type { Found } from './found.ts';
import { SRV } from './resolver.ts';

/** Where each name leads, as far as known: `Names.known`. */
export type Known = ReadonlyMap<string, readonly Found[]>;

/**
 * The share of an SRV record of weight 0 beside others that have more: the record "SHOULD have a very small chance of
 * being selected" (RFC 2782). A weight of 0 proper would mean never.
 */
const HARDLY = 0.01;

/** The name that has to be resolved before this origin can be used, as `Names` wants it; `undefined`: there is none. */
function nameOf({ address, resolve }: ConfiguredOrigin): string | undefined {
  if (address.srv === true) return SRV + address.host;
  return resolve === undefined || resolve === 'no' ? undefined : address.host;
}

/** The names of all origins, each once, in order. */
export function namesOf(origins: Iterable<ConfiguredOrigin>): string[] {
  return [...new Set([...origins].flatMap((origin) => nameOf(origin) ?? []))];
}

/**
 * The origins that an upstream has, now that its names lead to these addresses: those without a name as they are, one
 * for each address of a name, none for a name that is not known yet. In the order of the config, and of each set; two
 * ways to one address give one origin, the first, but a primary rather than a backup.
 *
 * @param before what this returned last: `resolve: one` stays with its address as long as the name has it
 */
export function expand(
  origins: readonly ConfiguredOrigin[],
  known: Known,
  before: readonly OriginOptions[] = [],
): OriginOptions[] {
  const found = new Map<string, OriginOptions>();
  for (const origin of origins) {
    for (const one of expandOne(origin, known, before)) {
      const name = originName(one.address);
      const there = found.get(name);
      if (there === undefined || (there.backup === true && one.backup !== true)) found.set(name, one);
    }
  }
  return [...found.values()];
}

function expandOne(origin: ConfiguredOrigin, known: Known, before: readonly OriginOptions[]): OriginOptions[] {
  const name = nameOf(origin);
  const { resolve, ...plain } = origin;
  if (name === undefined) return [plain];
  const records = known.get(name) ?? [];
  const made = origin.address.srv === true ? services(plain, records) : addresses(plain, records);
  if (resolve !== 'one') return made;
  const kept = made.find(({ address, url }) =>
    before.some((one) => one.url === url && originName(one.address) === originName(address)),
  );
  const one = kept ?? made[0];
  // Alone, it is nobody's backup because of its SRV priority.
  return one === undefined ? [] : [{ ...one, backup: origin.backup === true }];
}

function addresses(origin: OriginOptions, records: readonly Found[]): OriginOptions[] {
  return records.map(({ ip }) => ({ ...origin, address: { ...origin.address, ip } }));
}

function services(origin: OriginOptions, records: readonly Found[]): OriginOptions[] {
  const { scheme, host } = origin.address;
  const first = Math.min(...records.map(({ priority = 0 }) => priority));
  // The name of the service is that of the site without the labels for service and protocol.
  const site = host.replace(/^(?:_[^.]+\.)+/, '');
  return records.map(({ ip, port = 0, weight = 0, priority = 0 }) => {
    const equals = records.filter((one) => (one.priority ?? 0) === priority);
    const weightless = equals.every((one) => (one.weight ?? 0) === 0);
    const share = weight > 0 ? weight : weightless ? 1 : HARDLY;
    return {
      ...origin,
      address: { scheme, host: site, port, ip },
      weight: (origin.weight ?? 1) * share,
      backup: origin.backup === true || priority > first,
    };
  });
}
