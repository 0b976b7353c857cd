import { findBalancer } from './balance/index.ts';
import type { Balancer } from './balance/balancer.ts';
import type { CodecLimits } from './codec/codec.ts';
import { codecs } from './codec/index.ts';
import type { Config, UpstreamConfig } from './config/config.ts';
import { addressKey, type Change, plan, showChange } from './control/plan.ts';
import { type Clock, systemClock } from './core/clock.ts';
import type { Exchange } from './core/exchange.ts';
import { Networks } from './core/networks.ts';
import { Origin, originName } from './core/origin.ts';
import { Wheel } from './core/wheel.ts';
import { Listener, type ListenerOptions } from './listen/listener.ts';
import { Ledger } from './observe/ledger.ts';
import { Logs } from './observe/logs.ts';
import type { Messages } from './observe/messages.ts';
import type { Spans } from './observe/spans.ts';
import type { Hooks } from './proxy/hooks.ts';
import { handle } from './proxy/proxy.ts';
import type { Rooms } from './proxy/rooms.ts';
import { passes } from './rewrite/index.ts';
import { compile } from './route/table.ts';
import { Pool } from './upstream/pool.ts';
import { Upstream } from './upstream/upstream.ts';
import { isDeepStrictEqual } from 'node:util';

/** What an embedding program may put in place of the real thing. */
export interface Surroundings {
  readonly clock?: Clock;
  readonly hooks?: Hooks | null;
  /** Takes sluice's own messages, instead of the config's `log.error`. */
  readonly messages?: Messages;
  /** Gets a span for each exchange. */
  readonly spans?: Spans | null;
}

/** One running proxy: every room, made from a checked config. The only file that knows them all. */
export class Sluice {
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #logs: Logs;
  readonly #hooks: Hooks | null;
  readonly #spans: Spans | null;
  /** The last failed and slow requests. */
  readonly ledger: Ledger;
  #config: Config;
  /** What new channels let origins send. */
  #codecLimits: CodecLimits;
  #rooms: Rooms;
  #listeners: Listener[];
  #upstreams: ReadonlyMap<string, Upstream>;
  /** What a reload took out and is still at work: upstreams and listeners that finish what they have. */
  readonly #leaving = new Set<Upstream | Listener>();
  #reloading: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | null = null;
  #cutOff: (() => void) | null = null;
  /** Nobody wants to wait for what runs. */
  #atOnce = false;

  /** Throws the system's error when a log file cannot be opened. */
  constructor(config: Config, surroundings: Surroundings = {}) {
    this.#config = config;
    this.#codecLimits = codecLimits(config);
    this.#clock = surroundings.clock ?? systemClock;
    this.#wheel = new Wheel(this.#clock, (error) => this.report(error));
    this.#hooks = surroundings.hooks ?? null;
    this.#spans = surroundings.spans ?? null;
    this.ledger = new Ledger(config.log, this.#clock);
    this.#logs = new Logs(config.log, this.#clock, surroundings.messages ?? null);
    this.#upstreams = new Map(
      Object.entries(config.upstreams).map(([name, options]) => [name, this.#makeUpstream(name, options)]),
    );
    this.#rooms = {
      clock: this.#clock,
      wheel: this.#wheel,
      table: compile(config.routes),
      passes: passes(config.headers, this.#clock, this.#spans),
      upstreams: this.#upstreams,
      hooks: this.#hooks,
      defect: (error) => this.report(error),
    };
    this.#listeners = config.listen.map((options) => this.#makeListener(options));
  }

  /** The config in force. */
  get config(): Config {
    return this.#config;
  }

  /** The addresses in use, in the config's order. */
  get addresses(): string[] {
    return this.#listeners.map((listener) => listener.url);
  }

  /** The upstreams by name, to be looked at: their origins' states and counters, their backlogs. */
  get upstreams(): ReadonlyMap<string, Upstream> {
    return this.#upstreams;
  }

  /** Binds all listeners, or none: rejects with the system's error of the first that cannot be. */
  async open(): Promise<void> {
    try {
      for (const listener of this.#listeners) await listener.open();
    } catch (error) {
      await this.close(0);
      throw error;
    }
  }

  /**
   * Goes over to another config while requests are in hand. What did not change is not touched: its connections, pools,
   * health and queue live on. What is gone takes nothing new and may finish within the old `timeouts.drain`. When
   * something cannot be done (an address is taken, a log file cannot be opened), nothing changes and this rejects.
   * Reloads run one after the other.
   *
   * @returns what was changed
   */
  reload(config: Config): Promise<Change[]> {
    const run = this.#reloading.then(() => this.#reload(config));
    this.#reloading = run.catch(() => {});
    return run;
  }

  /** Logs a defect that nobody caught. */
  report(error: unknown): void {
    this.#logs.say('error', 'internal', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  /** Says something in sluice's own log. */
  say: Messages['say'] = (level, code, message) => this.#logs.say(level, code, message);

  /** Writes what the logs still hold and opens their files anew. */
  reopenLogs(): void {
    this.#logs.reopen();
  }

  /**
   * Stops: no new connections or requests, those in hand may end within `grace` milliseconds (default
   * `timeouts.drain`), the rest is cut. Calling it again with 0 cuts at once.
   */
  close(grace: number = this.#config.timeouts.drain): Promise<void> {
    if (grace <= 0) {
      this.#atOnce = true;
      this.#cutOff?.();
    }
    this.#closing ??= this.#reloading.then(() => this.#drain(grace));
    return this.#closing;
  }

  async #drain(grace: number): Promise<void> {
    const upstreams = [...this.#upstreams.values(), ...[...this.#leaving].filter((one) => one instanceof Upstream)];
    const listeners = [...this.#listeners, ...[...this.#leaving].filter((one) => one instanceof Listener)];
    for (const upstream of upstreams) upstream.close(false);
    const peace = Promise.all(listeners.map((listener) => listener.drain()));
    const late = new Promise<void>((resolve) => {
      this.#cutOff = resolve;
      if (grace <= 0 || this.#atOnce) resolve();
    });
    const cancel = grace > 0 && grace < Infinity ? this.#clock.after(grace, () => this.#cutOff?.()) : () => {};
    await Promise.race([peace, late]);
    cancel();
    let cut = 0;
    for (const listener of listeners) cut += listener.abort();
    if (cut > 0) this.say('warn', 'drain-timeout', `cut ${cut} connections that did not end in time`);
    await peace;
    for (const upstream of upstreams) upstream.close(true);
    this.#wheel.close();
    await this.#logs.close();
  }

  async #reload(config: Config): Promise<Change[]> {
    if (this.#closing !== null) throw new Error('sluice is shutting down: it takes no new config');
    const before = this.#config;
    const changes = plan(before, config);
    // What can fail comes first; nothing in force has been touched until it is done.
    const listeners = await this.#openListeners(config);
    try {
      this.#logs.update(config.log);
    } catch (error) {
      for (const listener of listeners) if (!this.#listeners.includes(listener)) await listener.drain();
      throw error;
    }
    this.ledger.update(config.log);
    const gone = this.#listeners.filter((listener) => !listeners.includes(listener));
    this.#updateUpstreams(before, config);
    this.#rooms = {
      ...this.#rooms,
      table: compile(config.routes),
      passes: isDeepStrictEqual(before.headers, config.headers)
        ? this.#rooms.passes
        : passes(config.headers, this.#clock, this.#spans),
      upstreams: this.#upstreams,
    };
    config.listen.forEach((options, index) => listeners[index].update(listenerOptions(options)));
    this.#listeners = listeners;
    this.#config = config;
    this.#codecLimits = codecLimits(config);
    for (const upstream of this.#upstreams.values()) upstream.pool.window = config.limits.window;
    for (const listener of gone)
      this.#retire(listener, listener.drain(), before.timeouts.drain, () => listener.abort());
    for (const change of changes) this.say('info', 'reload', showChange(change));
    this.say('info', 'reload', changes.length === 0 ? 'nothing has changed' : 'done');
    return changes;
  }

  /** The listeners of a config in its order: those that are there already, and new ones, bound; or none of them. */
  async #openListeners(config: Config): Promise<Listener[]> {
    const there = Map.groupBy(
      this.#listeners.map((listener, index) => ({ listener, key: addressKey(this.#config.listen[index]) })),
      ({ key }) => key,
    );
    const opened: Listener[] = [];
    const listeners: Listener[] = [];
    try {
      for (const options of config.listen) {
        // Several may share an address of port 0; each is taken once.
        const kept = there.get(addressKey(options))?.shift()?.listener;
        const listener = kept ?? this.#makeListener(options);
        listeners.push(listener);
        if (kept !== undefined) continue;
        await listener.open();
        opened.push(listener);
      }
    } catch (error) {
      for (const listener of opened) await listener.drain();
      throw error;
    }
    return listeners;
  }

  #updateUpstreams(before: Config, config: Config): void {
    const old = this.#upstreams;
    this.#upstreams = new Map(
      Object.entries(config.upstreams).map(([name, options]): [string, Upstream] => {
        const upstream = old.get(name);
        if (upstream === undefined) return [name, this.#makeUpstream(name, options)];
        const was = before.upstreams[name];
        if (!isDeepStrictEqual(was, options)) this.#updateUpstream(upstream, was, options, before.timeouts.drain);
        return [name, upstream];
      }),
    );
    for (const [name, upstream] of old) {
      if (this.#upstreams.has(name)) continue;
      upstream.close(false);
      this.#retire(upstream, upstream.idle(), before.timeouts.drain, () => upstream.close(true));
    }
  }

  #updateUpstream(upstream: Upstream, was: UpstreamConfig, now: UpstreamConfig, grace: number): void {
    const there = new Map(upstream.origins.map((origin) => [origin.name, origin]));
    const origins = now.origins.map((options) => {
      const origin = there.get(originName(options.address));
      origin?.update(options);
      return origin ?? new Origin(options);
    });
    const balancer = isDeepStrictEqual(was.balance, now.balance) ? upstream.balancer : this.#makeBalancer(now);
    for (const origin of upstream.update(now, now, origins, balancer)) {
      this.#clock.after(
        Math.min(grace, LONGEST_TIMER),
        () => {
          const cut = upstream.pool.cut(origin);
          if (cut > 0) this.say('warn', 'drain-timeout', `${upstream.name} ${origin.name}: cut ${cut} connections`);
        },
        'idle',
      );
    }
  }

  /** Lets what is gone finish, and ends it when the time is up. */
  #retire(one: Upstream | Listener, peace: Promise<unknown>, grace: number, end: () => void): void {
    this.#leaving.add(one);
    const cancel = this.#clock.after(Math.min(grace, LONGEST_TIMER), end, 'idle');
    peace.then(
      () => {
        cancel();
        this.#leaving.delete(one);
        if (one instanceof Upstream) one.close(true);
      },
      (error: unknown) => this.report(error),
    );
  }

  /** Hears of each exchange once, when it is over. */
  #done(exchange: Exchange): void {
    this.#logs.done(exchange);
    this.ledger.done(exchange);
    this.#spans?.done(exchange);
  }

  #makeListener(options: Config['listen'][number]): Listener {
    return new Listener(listenerOptions(options), {
      clock: this.#clock,
      wheel: this.#wheel,
      handle: (exchange) => handle(exchange, this.#rooms),
      done: (exchange) => this.#done(exchange),
      refused: (listener, peer, code) => this.say('warn', code, `${listener} turned ${peer} away`),
      defect: (error) => this.report(error),
    });
  }

  #makeUpstream(name: string, options: UpstreamConfig): Upstream {
    const [codec] = codecs;
    const pool = new Pool(
      options,
      this.#clock,
      this.#wheel,
      (out) => codec.create({}, out, this.#codecLimits),
      (error) => this.report(error),
      this.#config.limits.window,
    );
    const origins = options.origins.map((origin) => new Origin(origin));
    return new Upstream(name, options, origins, this.#makeBalancer(options), pool, (origin, why) => {
      const level = origin.state === 'down' ? 'warn' : 'info';
      this.say(level, `origin-${origin.state}`, `${name} ${origin.name}: ${why}`);
    });
  }

  #makeBalancer({ balance }: UpstreamConfig): Balancer {
    const kind = findBalancer(balance.name);
    if (kind === undefined) throw new Error(`no balancer is called ${balance.name}`);
    return kind.create(balance.options, this.#clock);
  }
}

/** The longest time that a timer of Node's can wait, in milliseconds: 24.8 days. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Applications send more fields than clients do: at least 200. */
function codecLimits({ limits }: Config): CodecLimits {
  return { head: limits.answerHead, fields: Math.max(limits.fields, 200) };
}

function listenerOptions(options: Config['listen'][number]): ListenerOptions {
  const { name, address, limits, timeouts, keepAlive, trustedProxies } = options;
  return {
    name,
    address,
    limits: { ...limits, underscores: limits.underscores === 'allow', requests: keepAlive.requests },
    timeouts,
    trusted: new Networks(trustedProxies),
  };
}
