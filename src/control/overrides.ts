import type { Config, UpstreamConfig } from '../config/config.ts';
import { originName, type OriginOptions } from '../core/origin.ts';

/** One thing that an operator has changed about an origin. */
export type Override = {
  readonly upstream: string;
  /** The origin's name. */
  readonly origin: string;
  /** Wall time in milliseconds at which it ends; `null`: with the next reload of the config. */
  readonly until: number | null;
} & (
  | { readonly kind: 'added'; readonly options: OriginOptions }
  | { readonly kind: 'removed' }
  | { readonly kind: 'drained' }
  | { readonly kind: 'weight'; readonly weight: number }
);

/** All that operators have changed about one origin. */
export interface Said {
  readonly added?: OriginOptions;
  readonly removed?: true;
  readonly drained?: true;
  readonly weight?: number;
  /** When the first of it ends; `null`: all of it with the next reload. */
  readonly until: number | null;
}

/**
 * What operators have changed while the proxy runs, laid over the config. A change is never a second way to do
 * something: with it the config is another one, and goes the way of every reload. Each thing that was changed has an end
 * of its own: an origin that was drained for ten minutes stays added for as long as whoever added it has said.
 */
export class Overrides {
  readonly #all: readonly Override[];

  constructor(overrides: readonly Override[] = []) {
    this.#all = overrides;
  }

  get(upstream: string, origin: string): Said | undefined {
    const all = this.#all.filter((one) => one.upstream === upstream && one.origin === origin);
    if (all.length === 0) return undefined;
    const ends = all.map(({ until }) => until).filter((until) => until !== null);
    return Object.assign({ until: ends.length === 0 ? null : Math.min(...ends) }, ...all.map(saidBy)) as Said;
  }

  get size(): number {
    return this.#all.length;
  }

  /** These and one more. It takes the place of what it contradicts: who adds or removes an origin begins anew. */
  with(one: Override): Overrides {
    const begins = one.kind === 'added' || one.kind === 'removed';
    const before = begins ? this.without(one.upstream, one.origin) : this.without(one.upstream, one.origin, one.kind);
    return new Overrides([...before.#all, one]);
  }

  /** @param kind default all that was changed about it */
  without(upstream: string, origin: string, kind?: Override['kind']): Overrides {
    const goes = (one: Override): boolean =>
      one.upstream === upstream && one.origin === origin && (kind === undefined || one.kind === kind);
    return new Overrides(this.#all.filter((one) => !goes(one)));
  }

  /** What is left after the config was reloaded: changes with an end of their own. */
  afterReload(): Overrides {
    return new Overrides(this.#all.filter(({ until }) => until !== null));
  }

  /** What has not ended at this wall time. */
  at(now: number): Overrides {
    const left = this.#all.filter(({ until }) => until === null || until > now);
    return left.length === this.size ? this : new Overrides(left);
  }

  /** When the next one ends, in wall time; Infinity when none does. */
  get next(): number {
    return Math.min(...this.#all.map(({ until }) => until ?? Infinity), Infinity);
  }

  /** The config with these changes. What is over an upstream or origin that is not there has no effect. */
  over(config: Config): Config {
    if (this.size === 0) return config;
    const upstreams = Object.entries(config.upstreams).map(([name, upstream]): [string, UpstreamConfig] => [
      name,
      { ...upstream, origins: this.#origins(name, upstream) },
    ]);
    return { ...config, upstreams: Object.fromEntries(upstreams) };
  }

  #origins(name: string, { origins, maxConnections }: UpstreamConfig): OriginOptions[] {
    const there = new Set(origins.map(({ address }) => originName(address)));
    const kept = origins.flatMap((origin): OriginOptions[] => {
      const said = this.get(name, originName(origin.address));
      if (said?.added !== undefined) return changed({ ...origin, ...said.added }, said);
      return said === undefined ? [origin] : changed(origin, said);
    });
    const added = this.#all.flatMap((one): OriginOptions[] => {
      if (one.upstream !== name || one.kind !== 'added' || there.has(one.origin)) return [];
      return changed({ maxConnections, ...one.options }, this.get(name, one.origin));
    });
    return [...kept, ...added];
  }
}

function saidBy(one: Override): Omit<Said, 'until'> {
  switch (one.kind) {
    case 'added':
      return { added: one.options };
    case 'weight':
      return { weight: one.weight };
    default:
      return { [one.kind]: true };
  }
}

function changed(origin: OriginOptions, said: Said | undefined): OriginOptions[] {
  if (said?.removed === true) return [];
  const { drained, weight } = said ?? {};
  return [{ ...origin, ...(drained === true ? { drained } : {}), ...(weight === undefined ? {} : { weight }) }];
}
