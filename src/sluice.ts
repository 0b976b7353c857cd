import { findBalancer } from './balance/index.ts';
import { codecs } from './codec/index.ts';
import type { Config, UpstreamConfig } from './config/config.ts';
import { type Clock, systemClock } from './core/clock.ts';
import type { Exchange } from './core/exchange.ts';
import { Networks } from './core/networks.ts';
import { Origin } from './core/origin.ts';
import { Wheel } from './core/wheel.ts';
import { Listener } from './listen/listener.ts';
import { type AccessFormat, jsonFormat, textFormat } from './observe/access-line.ts';
import { LogFile } from './observe/log-file.ts';
import { type Messages, messages } from './observe/messages.ts';
import type { Hooks } from './proxy/hooks.ts';
import { handle, type Rooms } from './proxy/proxy.ts';
import { passes } from './rewrite/index.ts';
import { compile } from './route/table.ts';
import { Pool } from './upstream/pool.ts';
import { Upstream } from './upstream/upstream.ts';

/** What an embedding program may put in place of the real thing. */
export interface Surroundings {
  readonly clock?: Clock;
  readonly hooks?: Hooks | null;
  /** Takes sluice's own messages, instead of the config's `log.error`. */
  readonly messages?: Messages;
}

/** One running proxy: every room, made from a checked config. The only file that knows them all. */
export class Sluice {
  readonly config: Config;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #rooms: Rooms;
  readonly #listeners: Listener[];
  readonly #upstreams = new Map<string, Upstream>();
  readonly #files: LogFile[] = [];
  readonly #access: LogFile | null;
  readonly #format: AccessFormat;
  readonly #messages: Messages;
  #closing: Promise<void> | null = null;
  #cutOff: (() => void) | null = null;

  constructor(config: Config, surroundings: Surroundings = {}) {
    this.config = config;
    this.#clock = surroundings.clock ?? systemClock;
    this.#wheel = new Wheel(this.#clock, (error) => this.#defect(error));
    this.#messages = surroundings.messages ?? this.#ownMessages();
    this.#access = config.log.access === 'off' ? null : this.#file(config.log.access);
    this.#format = config.log.format === 'json' ? jsonFormat(this.#clock) : textFormat(this.#clock);
    for (const [name, options] of Object.entries(config.upstreams)) {
      this.#upstreams.set(name, this.#makeUpstream(name, options));
    }
    this.#rooms = {
      clock: this.#clock,
      wheel: this.#wheel,
      table: compile(config.routes),
      passes: passes(config.headers, this.#clock),
      upstreams: this.#upstreams,
      hooks: surroundings.hooks ?? null,
      defect: (error) => this.#defect(error),
    };
    this.#listeners = config.listen.map((options) => {
      const { name, address, limits, timeouts } = options;
      return new Listener(
        {
          name,
          address,
          limits: { ...limits, underscores: limits.underscores === 'allow', requests: options.keepAlive.requests },
          timeouts,
          trusted: new Networks(options.trustedProxies),
        },
        {
          clock: this.#clock,
          wheel: this.#wheel,
          handle: (exchange) => handle(exchange, this.#rooms),
          done: (exchange) => this.#done(exchange),
          refused: (listener, peer, code) => this.#messages.say('warn', code, `${listener} turned ${peer} away`),
          defect: (error) => this.#defect(error),
        },
      );
    });
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

  /** The addresses in use, in the config's order. */
  get addresses(): string[] {
    return this.#listeners.map((listener) => listener.url);
  }

  /** Logs a defect that nobody caught. */
  report(error: unknown): void {
    this.#defect(error);
  }

  /** The upstreams by name, to be looked at: their origins' states and counters, their backlogs. */
  get upstreams(): ReadonlyMap<string, Upstream> {
    return this.#upstreams;
  }

  /** Writes what the logs still hold and opens their files anew. */
  reopenLogs(): void {
    for (const file of this.#files) file.reopen();
  }

  /**
   * Stops: no new connections or requests, those in hand may end within `grace` milliseconds (default
   * `timeouts.drain`), the rest is cut. Calling it again with 0 cuts at once.
   */
  close(grace: number = this.config.timeouts.drain): Promise<void> {
    if (grace <= 0) this.#cutOff?.();
    this.#closing ??= this.#drain(grace);
    return this.#closing;
  }

  async #drain(grace: number): Promise<void> {
    for (const upstream of this.#upstreams.values()) upstream.close(false);
    const peace = Promise.all(this.#listeners.map((listener) => listener.drain()));
    const late = new Promise<void>((resolve) => {
      this.#cutOff = resolve;
      if (grace <= 0) resolve();
    });
    const cancel = grace > 0 && grace < Infinity ? this.#clock.after(grace, () => this.#cutOff?.()) : () => {};
    await Promise.race([peace, late]);
    cancel();
    let cut = 0;
    for (const listener of this.#listeners) cut += listener.abort();
    if (cut > 0) this.#messages.say('warn', 'drain-timeout', `cut ${cut} connections that did not end in time`);
    await peace;
    for (const upstream of this.#upstreams.values()) upstream.close(true);
    this.#wheel.close();
    for (const file of this.#files) file.close();
  }

  #makeUpstream(name: string, options: UpstreamConfig): Upstream {
    const kind = findBalancer(options.balance.name);
    if (kind === undefined) throw new Error(`no balancer is called ${options.balance.name}`);
    const balancer = kind.create(options.balance.options, this.#clock);
    const [codec] = codecs;
    const limits = { head: this.config.limits.answerHead, fields: Math.max(this.config.limits.fields, 200) };
    const pool = new Pool(
      options,
      this.#clock,
      this.#wheel,
      (out) => codec.create({}, out, limits),
      (error) => this.#defect(error),
    );
    const origins = options.origins.map((origin) => new Origin(origin));
    return new Upstream(name, options, origins, balancer, pool, (origin, why) => {
      this.#messages.say(
        origin.state === 'down' ? 'warn' : 'info',
        `origin-${origin.state}`,
        `${name} ${origin.name}: ${why}`,
      );
    });
  }

  #done(exchange: Exchange): void {
    this.#access?.line(this.#format(exchange));
  }

  #defect(error: unknown): void {
    this.#messages.say('error', 'internal', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  #ownMessages(): Messages {
    const { error, level } = this.config.log;
    if (error === 'off') return { say() {} };
    const file = this.#file(error);
    return messages(level, this.#clock, (line) => {
      file.line(line);
      // Rare, and wanted at once, also when the process is about to end.
      file.flush();
    });
  }

  #file(target: string): LogFile {
    const file = new LogFile(target, this.#clock, (error) => {
      if (target !== 'stderr') process.stderr.write(`sluice: cannot write ${target}: ${error.message}\n`);
    });
    this.#files.push(file);
    return file;
  }
}
