import type { ByteSink } from '../core/answer.ts';
import type { Command, Program, ProgramOwner, Unstartable } from '../core/program.ts';
import type { Clock } from '../core/clock.ts';
import { METER } from '../core/meter.ts';
import type { Origin } from '../core/origin.ts';
import type { Wheel } from '../core/wheel.ts';
import type { CodecSession } from '../codec/codec.ts';
import { BLOCK_SIZE } from '../wire/blocks.ts';
import type { Channel } from './channel.ts';

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
}

/** Starts the program that is this origin, or that a request to it names. */
export type Launch = (command: Command, owner: ProgramOwner, origin: Origin) => Program | Unstartable;

/** Taken off the origin's own announced limit: the request has to reach it before it gives up waiting. */
const SAFETY = 1000;

/** Milliseconds after which an idle channel is not trusted with a request that cannot be repeated. */
const WARM = 1000;

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
  readonly makeSession: (out: ByteSink, origin: Origin) => CodecSession;
  readonly onDefect: (error: unknown) => void;
  /** For origins that are programs. */
  readonly launch: Launch | null;
  readonly #idle = new Map<Origin, Channel[]>();
  readonly #open = new Set<Channel>();
  #closing = false;

  constructor(
    options: PoolOptions,
    clock: Clock,
    wheel: Wheel,
    makeSession: (out: ByteSink, origin: Origin) => CodecSession,
    onDefect: (error: unknown) => void,
    window: number = BLOCK_SIZE,
    launch: Launch | null = null,
  ) {
    this.launch = launch;
    this.options = options;
    this.window = window;
    this.clock = clock;
    this.wheel = wheel;
    this.makeSession = makeSession;
    this.onDefect = onDefect;
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

  /** Counts a channel that has been dialled. */
  entered(channel: Channel): void {
    this.#open.add(channel);
  }

  /** A channel has closed. */
  left(channel: Channel): void {
    this.#open.delete(channel);
  }

  /** Puts a channel back that can carry another exchange; `now` is about the present clock time. */
  give(channel: Channel, now: number): void {
    const { keepAlive } = this.options;
    let idle = this.#idle.get(channel.origin);
    if (idle === undefined) this.#idle.set(channel.origin, (idle = []));
    const announced = channel.session.idleLimit;
    const limit = announced < 0 || keepAlive.idle === 0 ? keepAlive.idle : announced - SAFETY;
    if (this.#closing || limit <= 0 || channel.carried >= keepAlive.maxRequests || idle.length >= keepAlive.maxIdle) {
      return channel.close();
    }
    if (channel.origin.state === 'draining') return channel.close();
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
  }

  /** Cuts an origin's channels, whatever they carry; returns how many. */
  cut(origin: Origin): number {
    const left = [...this.#open].filter((channel) => channel.origin === origin);
    for (const channel of left) channel.cut();
    return left.length;
  }

  /** Closes what is idle, and everything else as soon as it is given back; `now` closes all at once. */
  close(now: boolean): void {
    this.#closing = true;
    for (const channel of [...this.#open]) {
      if (now) channel.cut();
      else if (channel.state === 'idle') channel.close();
    }
  }
}
