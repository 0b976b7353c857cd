import { isDeepStrictEqual } from 'node:util';
import type { ByteSink } from '../core/answer.ts';
import type { Command, Program, ProgramOwner, Unstartable } from '../core/program.ts';
import type { Clock } from '../core/clock.ts';
import { METER } from '../core/meter.ts';
import type { Origin, OriginAddress } from '../core/origin.ts';
import type { Wheel } from '../core/wheel.ts';
import type { CodecSession } from '../codec/codec.ts';
import { BLOCK_SIZE } from '../wire/blocks.ts';
import type { Channel } from './channel.ts';
import { tlsDefaults, type TlsOptions } from './tls/options.ts';
import { type Offer, Security } from './tls/security.ts';
import type { LinkState } from './link.ts';
import { Sharing } from './sharing.ts';

/** Limits of an upstream's channels, all with names in the config. Times in milliseconds. */
export interface PoolOptions {
  readonly timeouts: { readonly connect: number; readonly firstByte: number; readonly idle: number };
  readonly keepAlive: {
    /** How long an idle channel is kept, unless the origin announces its own limit. */
    readonly idle: number;
    /** Idle channels kept per origin. */
    readonly maxIdle: number;
    /** Age after which a channel is not used again. */
    readonly maxAge: number;
    /** Exchanges after which a channel is not used again. */
    readonly maxRequests: number;
  };
  /** For origins that are spoken to over TLS. */
  readonly tls?: TlsOptions;
}

/** Starts the program that is this origin, or that a request to it names. */
export type Launch = (command: Command, owner: ProgramOwner, origin: Origin) => Program | Unstartable;

/** Taken off the origin's own announced limit: the request has to reach it before it gives up waiting. */
const SAFETY = 1000;

/** Milliseconds after which an idle channel is not trusted with a request that cannot be repeated. */
export const WARM = 1000;

/** How a protocol's state for a new connection is made; `alpn` is what a handshake has agreed on, where there was one. */
export type MakeSession = (out: ByteSink, origin: Origin, alpn?: string) => CodecSession;

/** A connection of either kind, as the pool counts them. */
interface Connection {
  readonly origin: Origin;
  readonly state: LinkState;
  readonly carried: number;
  readonly session: CodecSession;
  /** Where it leads: the origin may have got another scheme or host since. */
  readonly address: OriginAddress;
  /** By whose rules the origin was let in; `null`: it was not asked who it is. */
  readonly security: Security | null;
  cut(): void;
  close(): void;
}

/**
 * The open channels of one upstream, per origin, last in first out: the warmest is used again, the surplus grows cold
 * and is closed. Whatever an idle channel receives closes it.
 */
export class Pool {
  options: PoolOptions;
  /** Most bytes that one read of a new channel takes in. */
  window: number;
  readonly clock: Clock;
  readonly wheel: Wheel;
  readonly makeSession: MakeSession;
  readonly onDefect: (error: unknown) => void;
  /** What an origin is offered over TLS; `null`: it is spoken to in clear text. */
  readonly offerOf: (address: OriginAddress) => Offer | null;
  #security: Security | null = null;
  /** What `#security` was made from. */
  #tls: TlsOptions | undefined;
  /**
   * Whether exchanges share connections to this origin: before there is one (`alpn` missing) whether they may, and once it
   * is open whether they do.
   */
  readonly shares: (origin: Origin, alpn?: string) => boolean;
  /** The connections that exchanges share. */
  readonly shared: Sharing = new Sharing(this);
  /** Everything is to be closed, as soon as it is not in use. */
  closing = false;
  /** For origins that are programs. */
  readonly launch: Launch | null;
  readonly #idle = new Map<Origin, Channel[]>();
  readonly #open = new Set<Connection>();

  constructor(
    options: PoolOptions,
    clock: Clock,
    wheel: Wheel,
    makeSession: MakeSession,
    onDefect: (error: unknown) => void,
    window: number = BLOCK_SIZE,
    shares: (origin: Origin, alpn?: string) => boolean = () => false,
    offerOf: (address: OriginAddress) => Offer | null = () => null,
    launch: Launch | null = null,
  ) {
    this.launch = launch;
    this.offerOf = offerOf;
    this.shares = shares;
    this.options = options;
    this.window = window;
    this.clock = clock;
    this.wheel = wheel;
    this.makeSession = makeSession;
    this.onDefect = onDefect;
  }

  /** The rules for origins over TLS that are in force. */
  get security(): Security {
    const { tls = tlsDefaults } = this.options;
    if (this.#security === null || (tls !== this.#tls && !isDeepStrictEqual(tls, this.#tls))) {
      this.#security = new Security(tls, this.clock);
    }
    this.#tls = tls;
    return this.#security;
  }

  /** Closes idle connections that would be made in another way now. */
  weed(): void {
    for (const channel of [...this.#open]) if (channel.state === 'idle' && this.outdated(channel)) channel.close();
  }

  /** Whether a connection would be made in another way now: its origin's scheme or host is another, or who is trusted. */
  outdated({ address, origin, security }: Connection): boolean {
    return address !== origin.address || (security !== null && security !== this.security);
  }

  /**
   * An idle channel to this origin, or `undefined`.
   * @param warm only one used within the last second: for requests that may not be sent twice, so that hardly any of
   * them meets a channel which the origin is closing at this moment
   */
  take(origin: Origin, warm: boolean, now: number): Channel | undefined {
    const idle = this.#idle.get(origin);
    if (idle === undefined || idle.length === 0) return undefined;
    if (warm && now - idle[idle.length - 1].idleSince > WARM) return undefined;
    while (idle.length > 0) {
      const channel = idle.pop() as Channel;
      origin.meter[METER.idle]--;
      channel.state = 'open';
      if (!channel.wire.dead && now - channel.born < this.options.keepAlive.maxAge) return channel;
      channel.close();
    }
    return undefined;
  }

  /** Counts a connection that has been dialled. */
  entered(channel: Connection): void {
    this.#open.add(channel);
  }

  /** A connection has closed. */
  left(channel: Connection): void {
    this.#open.delete(channel);
  }

  /** Puts a channel back that can carry another exchange; `now` is about the present clock time. */
  give(channel: Channel, now: number): void {
    let idle = this.#idle.get(channel.origin);
    if (idle === undefined) this.#idle.set(channel.origin, (idle = []));
    const limit = restOf(this, channel, idle.length);
    if (limit <= 0) return channel.close();
    channel.state = 'idle';
    channel.idleSince = now;
    idle.push(channel);
    channel.origin.meter[METER.idle]++;
    this.wheel.arm(channel.timer, limit);
  }

  /** An idle channel closes. */
  forget(channel: Channel): void {
    const idle = this.#idle.get(channel.origin);
    const index = idle === undefined ? -1 : idle.lastIndexOf(channel);
    if (index < 0) return;
    (idle as Channel[]).splice(index, 1);
    channel.origin.meter[METER.idle]--;
  }

  /** Closes an origin's idle channels: it takes no new requests. */
  drain(origin: Origin): void {
    for (const channel of [...(this.#idle.get(origin) ?? [])]) channel.close();
    this.#idle.delete(origin);
    this.shared.drain(origin);
  }

  /** Cuts an origin's channels, whatever they carry; returns how many. */
  cut(origin: Origin): number {
    const left = [...this.#open].filter((channel) => channel.origin === origin);
    for (const channel of left) channel.cut();
    return left.length;
  }

  /** Closes what is idle, and everything else as soon as it is given back; `now` closes all at once. */
  close(now: boolean): void {
    this.closing = true;
    for (const channel of [...this.#open]) {
      if (now) channel.cut();
      else if (channel.state === 'idle') channel.close();
    }
  }
}

/**
 * Milliseconds that a connection which is not in use may be kept; 0 when it is to be closed.
 * @param idle connections that its origin has in the pool already
 */
export function restOf(pool: Pool, channel: Connection, idle: number): number {
  const { keepAlive } = pool.options;
  if (pool.closing || channel.carried >= keepAlive.maxRequests || idle >= keepAlive.maxIdle) return 0;
  if (channel.origin.state === 'draining' || pool.outdated(channel)) return 0;
  const announced = channel.session.idleLimit;
  return Math.max(0, announced < 0 || keepAlive.idle === 0 ? keepAlive.idle : announced - SAFETY);
}
