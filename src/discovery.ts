import type { Config, UpstreamConfig } from './config/config.ts';
import type { Clock } from './core/clock.ts';
import { expand, namesOf } from './discover/expand.ts';
import { Names, type NamesOptions } from './discover/names.ts';
import { Resolver } from './discover/resolver.ts';
import type { Messages } from './observe/messages.ts';
import { isDeepStrictEqual } from 'node:util';

/** Keeps the names in a config resolved, and makes origins of what they lead to. */
export class Discovery {
  readonly #clock: Clock;
  readonly #say: Messages['say'];
  readonly #changed: () => void;
  #options: Config['resolver'];
  #resolver: Resolver;
  readonly #names: Names;
  #gathering = false;
  /** The names of the config in force. */
  #wanted: readonly string[] = [];
  #closed = false;

  /** @param changed hears, once for all names of a moment, that a set is another one than before */
  constructor(options: Config['resolver'], clock: Clock, say: Messages['say'], changed: () => void) {
    this.#options = options;
    this.#clock = clock;
    this.#say = say;
    this.#changed = changed;
    this.#resolver = new Resolver(options, clock);
    this.#names = new Names(this.#namesOptions(), clock);
  }

  /**
   * Resolves when every name of a config that is to be put in force has been asked for, or has taken as long as the start
   * may wait. What is in force keeps its names: `settle` tells which of the two it came to be.
   */
  async ready({ upstreams, resolver }: Config): Promise<void> {
    if (this.#closed) return;
    if (!isDeepStrictEqual(resolver, this.#options)) this.#ask(resolver);
    const names = namesIn(upstreams);
    this.#names.want([...this.#wanted, ...names]);
    await this.#names.ready(names, resolver.start);
  }

  /** This config is in force, or has stayed so: names and servers of any other are let go. */
  settle({ upstreams, resolver }: Config): void {
    if (this.#closed) return;
    this.#wanted = namesIn(upstreams);
    this.#names.want(this.#wanted);
    if (!isDeepStrictEqual(resolver, this.#options)) this.#ask(resolver);
  }

  /** The config with an origin for each address that is known, instead of the names. */
  expand(config: Config, before: Config | null): Config {
    const upstreams = Object.entries(config.upstreams).map(([name, upstream]): [string, UpstreamConfig] => {
      const origins = expand(upstream.origins, this.#names.known, before?.upstreams[name]?.origins ?? []);
      return [name, { ...upstream, origins }];
    });
    return { ...config, upstreams: Object.fromEntries(upstreams) };
  }

  /** Forgets everything; whoever waits in `ready` goes on at once. */
  close(): void {
    this.#closed = true;
    this.#names.close();
    this.#resolver.close();
  }

  /** Goes over to another resolver; what is known stays known. */
  #ask(options: Config['resolver']): void {
    const before = this.#resolver;
    this.#options = options;
    this.#resolver = new Resolver(options, this.#clock);
    this.#names.update(this.#namesOptions());
    before.close();
  }

  #namesOptions(): NamesOptions {
    const resolver = this.#resolver;
    return {
      ...this.#options,
      resolve: (name, before) => resolver.resolve(name, before),
      changed: () => this.#gather(),
      said: this.#say,
    };
  }

  /** Names that lead to the same servers often change at once. */
  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#clock.soon(() => {
      this.#gathering = false;
      this.#changed();
    });
  }
}

function namesIn(upstreams: Config['upstreams']): string[] {
  return namesOf(Object.values(upstreams).flatMap(({ origins }) => origins));
}
