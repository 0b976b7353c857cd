import { isDeepStrictEqual } from 'node:util';
import type { Balancer } from './balance/balancer.ts';
import { findBalancer } from './balance/index.ts';
import type { CodecLimits } from './codec/codec.ts';
import type { Config, UpstreamConfig } from './config/config.ts';
import { boardKeys } from './control/boards.ts';
import type { Bells } from './core/bells.ts';
import type { Board } from './core/board.ts';
import { type Clock, LONGEST_TIMER } from './core/clock.ts';
import { Origin, originName, type OriginOptions } from './core/origin.ts';
import type { Wheel } from './core/wheel.ts';
import type { Turned } from './data-plane.ts';
import type { Messages } from './observe/messages.ts';
import { protocolsOf } from './protocols.ts';
import { codecLimits, processOptions } from './room-options.ts';
import type { Programs } from './spawn/programs.ts';
import { Pool } from './upstream/pool.ts';
import { Upstream } from './upstream/upstream.ts';

/** What upstreams need of the data plane they are in. */
export interface Plane {
  readonly clock: Clock;
  readonly wheel: Wheel;
  readonly bells: Bells;
  readonly programs: Programs;
  /** For what clients bring back to any thread: sticky cookies. */
  readonly secret: string;
  /** What is shared with other threads, among the boards now in force. */
  readonly board: (key: string) => Board;
  readonly turned: Turned;
  readonly say: Messages['say'];
  readonly report: (error: unknown) => void;
}

/** The upstreams of one data plane: made from a config, and brought to the next one while requests are in hand. */
export class PlaneUpstreams {
  readonly #plane: Plane;
  #config: Config;
  /** What new channels let origins send. */
  #codecLimits: CodecLimits;
  #byName: ReadonlyMap<string, Upstream>;

  constructor(config: Config, plane: Plane) {
    this.#plane = plane;
    this.#config = config;
    this.#codecLimits = codecLimits(config);
    this.#byName = new Map(
      Object.entries(config.upstreams).map(([name, options]) => [name, this.#makeUpstream(name, options)]),
    );
  }

  get byName(): ReadonlyMap<string, Upstream> {
    return this.#byName;
  }

  /** The schemes that an upstream's origins speak, and those that its children will when one comes. */
  schemes({ name, origins }: Upstream): string[] {
    const coming = Object.values(this.#config.upstreams[name]?.spawn ?? {}).map(({ protocol }) => protocol);
    return [...origins.map(({ address }) => address.scheme), ...coming];
  }

  /**
   * Goes over to another config, whose boards are in force already. What did not change is not touched.
   *
   * @returns upstreams that are no more: they take nothing new, and finish what they have
   */
  update(config: Config): Upstream[] {
    const before = this.#config;
    const old = this.#byName;
    this.#config = config;
    this.#codecLimits = codecLimits(config);
    this.#byName = new Map(
      Object.entries(config.upstreams).map(([name, options]): [string, Upstream] => {
        const upstream = old.get(name);
        if (upstream === undefined) return [name, this.#makeUpstream(name, options)];
        const was = before.upstreams[name];
        if (!isDeepStrictEqual(was, options)) this.#updateUpstream(upstream, was, options, before.timeouts.drain);
        return [name, upstream];
      }),
    );
    for (const upstream of this.#byName.values()) upstream.pool.window = config.limits.window;
    const gone = [...old].filter(([name]) => !this.#byName.has(name)).map(([, upstream]) => upstream);
    for (const upstream of gone) upstream.close(false);
    return gone;
  }

  #updateUpstream(upstream: Upstream, was: UpstreamConfig, now: UpstreamConfig, grace: number): void {
    const { clock, say } = this.#plane;
    const there = new Map(upstream.origins.map((origin) => [origin.name, origin]));
    const origins = now.origins.map((options) => {
      const origin = there.get(originName(options.address));
      origin?.update(options);
      return origin ?? this.#makeOrigin(upstream.name, options);
    });
    const balancer = isDeepStrictEqual(was.balance, now.balance) ? upstream.balancer : this.#makeBalancer(now);
    for (const origin of upstream.update(now, now, origins, balancer)) {
      clock.after(
        Math.min(grace, LONGEST_TIMER),
        () => {
          const cut = upstream.pool.cut(origin);
          if (cut > 0) say('warn', 'drain-timeout', `${upstream.name} ${origin.name}: cut ${cut} connections`);
        },
        'idle',
      );
    }
  }

  #makeUpstream(name: string, options: UpstreamConfig): Upstream {
    const { clock, wheel, programs, bells, board, report, turned } = this.#plane;
    const protocols = protocolsOf(
      () => pool.options,
      () => this.#codecLimits,
      (origin) => pool.shared.learned(origin),
    );
    const pool: Pool = new Pool(
      options,
      clock,
      wheel,
      protocols.makeSession,
      report,
      this.#config.limits.window,
      protocols.shares,
      protocols.offerOf,
      (command, owner) => programs.launch(processOptions(upstream.options), command, owner),
    );
    const origins = options.origins.map((origin) => this.#makeOrigin(name, origin));
    const log = (origin: Origin, why: string): void => turned(name, origin.name, origin.state, why);
    const balancer = this.#makeBalancer(options);
    const shared = board(boardKeys.upstream(name));
    const upstream = new Upstream(name, options, origins, balancer, pool, log, shared, bells);
    return upstream;
  }

  #makeOrigin(upstream: string, options: OriginOptions): Origin {
    return new Origin(options, this.#plane.board(boardKeys.originOf(upstream, options)));
  }

  #makeBalancer({ balance }: UpstreamConfig): Balancer {
    const { clock, secret } = this.#plane;
    const kind = findBalancer(balance.name);
    if (kind === undefined) throw new Error(`no balancer is called ${balance.name}`);
    return kind.create(balance.options, { random: () => clock.random(), secret });
  }
}
