import type { Config, UpstreamConfig } from '../config/config.ts';
import { originName, type OriginOptions } from '../core/origin.ts';

/** What an operator has changed about one origin. */
export interface Override {
  readonly upstream: string;
  /** The origin's name. */
  readonly origin: string;
  /** It was not in the config. */
  readonly added?: OriginOptions;
  readonly removed?: boolean;
  readonly drained?: boolean;
  readonly weight?: number;
  /** Wall time in milliseconds at which it ends; `null`: with the next reload of the config. */
  readonly until: number | null;
}

/**
 * What operators have changed while the proxy runs, laid over the config. A change is never a second way to do
 * something: with it the config is another one, and goes the way of every reload.
 */
export class Overrides {
  readonly #byOrigin: ReadonlyMap<string, Override>;

  constructor(overrides: Iterable<Override> = []) {
    this.#byOrigin = new Map([...overrides].map((one) => [keyOf(one.upstream, one.origin), one]));
  }

  get(upstream: string, origin: string): Override | undefined {
    return this.#byOrigin.get(keyOf(upstream, origin));
  }

  get size(): number {
    return this.#byOrigin.size;
  }

  /** These and one more, which takes the place of an earlier one for the same origin. */
  with(one: Override): Overrides {
    const others = [...this.#byOrigin.values()].filter(
      (other) => keyOf(other.upstream, other.origin) !== keyOf(one.upstream, one.origin),
    );
    return new Overrides([...others, one]);
  }

  without(upstream: string, origin: string): Overrides {
    const gone = keyOf(upstream, origin);
    return new Overrides([...this.#byOrigin].filter(([key]) => key !== gone).map(([, one]) => one));
  }

  /** What is left after the config was reloaded: changes with an end of their own. */
  afterReload(): Overrides {
    return new Overrides([...this.#byOrigin.values()].filter(({ until }) => until !== null));
  }

  /** What has not ended at this wall time. */
  at(now: number): Overrides {
    const left = [...this.#byOrigin.values()].filter(({ until }) => until === null || until > now);
    return left.length === this.size ? this : new Overrides(left);
  }

  /** When the next one ends, in wall time; Infinity when none does. */
  get next(): number {
    return Math.min(...[...this.#byOrigin.values()].map(({ until }) => until ?? Infinity), Infinity);
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
      const one = this.get(name, originName(origin.address));
      return one === undefined ? [origin] : changed(origin, one);
    });
    const added = [...this.#byOrigin.values()].flatMap((one): OriginOptions[] => {
      if (one.upstream !== name || one.added === undefined || there.has(one.origin)) return [];
      return changed({ maxConnections, ...one.added }, one);
    });
    return [...kept, ...added];
  }
}

function changed(origin: OriginOptions, { removed, drained, weight }: Override): OriginOptions[] {
  if (removed === true) return [];
  return [{ ...origin, ...(drained === true ? { drained } : {}), ...(weight === undefined ? {} : { weight }) }];
}

function keyOf(upstream: string, origin: string): string {
  return `${upstream} ${origin}`;
}
