import type { Learned } from '../codec/codec.ts';
import type { Origin } from '../core/origin.ts';
import type { LinkUser } from './link.ts';
import { type Pool, restOf, WARM } from './pool.ts';
import type { SharedChannel } from './shared-channel.ts';
import type { Stream } from './stream.ts';

/** Exchanges that may wait for a connection to an origin that has never said how many it takes (RFC 9113 §6.5.2: 100). */
const UNKNOWN = 100;

/**
 * The shared connections of one upstream, those that connect included. The one in use most gets the next exchange, so
 * that the surplus grows idle and is closed.
 */
export class Sharing {
  readonly #pool: Pool;
  readonly #channels = new Map<Origin, SharedChannel[]>();
  readonly #expected = new WeakMap<Origin, number>();
  readonly #learned = new WeakMap<Origin, Lesson>();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /**
   * A place on a connection that is there or on its way, or `undefined`.
   * @param fresh only one that is on its way: a kept one has just failed
   * @param warm only one that is in use, or was within the last second
   */
  join(origin: Origin, user: LinkUser, fresh: boolean, warm: boolean, now: number): Stream | undefined {
    const channels = this.#channels.get(origin);
    // A reload may have put an end to the sharing while there are connections.
    if (channels === undefined || !this.#pool.shares(origin)) return undefined;
    let best: SharedChannel | undefined;
    for (const channel of channels) {
      if (fresh && channel.state !== 'connecting') continue;
      if (warm && channel.state === 'idle' && now - channel.idleSince > WARM) continue;
      if (this.#pool.outdated(channel) || !channel.hasRoom || !prefers(channel, best)) continue;
      best = channel;
    }
    return best?.join(user);
  }

  /** How many exchanges a new connection of this origin will presumably take. */
  expected(origin: Origin): number {
    return this.#expected.get(origin) ?? UNKNOWN;
  }

  expect(origin: Origin, slots: number): void {
    this.#expected.set(origin, slots);
  }

  /** What the sessions of an origin know of it. */
  learned(origin: Origin): Learned {
    const lesson = this.#learned.get(origin);
    if (lesson !== undefined && lesson.since === origin.since) return lesson.learned;
    const learned: Learned = {};
    this.#learned.set(origin, { since: origin.since, learned });
    return learned;
  }

  entered(channel: SharedChannel): void {
    const channels = this.#channels.get(channel.origin);
    if (channels === undefined) this.#channels.set(channel.origin, [channel]);
    else channels.push(channel);
  }

  left(channel: SharedChannel): void {
    const channels = this.#channels.get(channel.origin) ?? [];
    const index = channels.indexOf(channel);
    if (index >= 0) channels.splice(index, 1);
    if (channels.length === 0) this.#channels.delete(channel.origin);
  }

  /** Milliseconds that a connection without exchanges may be kept; 0 when it is to be closed. */
  restFor(channel: SharedChannel): number {
    const channels = this.#channels.get(channel.origin) ?? [];
    const idle = channels.filter((one) => one.state === 'idle').length;
    return restOf(this.#pool, channel, idle);
  }

  /** Closes an origin's idle connections: it takes no new requests. */
  drain(origin: Origin): void {
    for (const channel of [...(this.#channels.get(origin) ?? [])]) if (channel.state === 'idle') channel.close();
  }
}

interface Lesson {
  /** When the origin was last seen to come back. */
  readonly since: number;
  readonly learned: Learned;
}

/** Open before connecting, and the one in use most. */
function prefers(one: SharedChannel, best: SharedChannel | undefined): boolean {
  if (best === undefined) return true;
  const connecting = one.state === 'connecting';
  if (connecting !== (best.state === 'connecting')) return !connecting;
  return one.busy > best.busy;
}
