import type { z } from 'zod';
import type { Kind } from '../core/kind.ts';
import type { Origin } from '../core/origin.ts';

/**
 * What the request's key is made of, for policies that want one. The proxy computes it only when asked for:
 * `path` is the decoded path without query, `uri` the target as sent, `address` the client's IP address,
 * `header:NAME` and `cookie:NAME` that field's or cookie's value ('' when absent).
 */
export type KeySource = 'none' | 'path' | 'uri' | 'address' | `header:${string}` | `cookie:${string}`;

/** One question to a balancer: the request seen through the only holes a policy needs. */
export interface Ask {
  /** The value of the balancer's `key` source; '' when it wants none. */
  readonly key: string;
  /** The request's Host, lower-cased, port included when sent. */
  readonly authority: string;
  /** False for origins that are down, full, draining, already tried by this request, or backups while a primary is usable. */
  usable(origin: Origin): boolean;
}

/**
 * Chooses an origin. One file per policy; health, capacity, backups and "already tried" are all inside `usable`. An origin
 * of weight 0 has no share: it is chosen only when no other one is usable.
 */
export interface Balancer {
  /** What `Ask.key` has to hold. */
  readonly key: KeySource;
  /** Membership or weights changed; also called once at the start. Never per request. */
  update(origins: readonly Origin[]): void;
  /** A usable origin, or `undefined` when `ask.usable` refuses all of them. Must not allocate in the common case. */
  pick(ask: Ask): Origin | undefined;
  /**
   * For policies that make the client come back to the same origin: a `Set-Cookie` value to add to the answer of
   * `origin`, or `undefined` when the client's key names it already.
   */
  stamp?(key: string, origin: Origin): string | undefined;
}

/** What a policy may use besides its options. */
export interface BalancerTools {
  /** A number in [0, 1). */
  random(): number;
  /** The same for all threads of the process, and known to nobody else. */
  readonly secret?: string;
}

/** What is known of a choice, for `because`. */
export interface Choice {
  readonly key: string;
  readonly origin: Origin;
  /** The origins that could have been chosen as well, the chosen one among them. */
  readonly usable: readonly Origin[];
}

export interface BalancerKind<Options extends z.ZodObject = z.ZodObject> extends Kind<
  Options,
  [tools: BalancerTools],
  Balancer
> {
  /** Names that other programs give the same policy; configs may use them. */
  readonly aliases?: readonly string[];
  /** Why this origin and none of the others, in a sentence; not asked when it was the only usable one. */
  because(options: z.output<Options>, choice: Choice): string;
}
