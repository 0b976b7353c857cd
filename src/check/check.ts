import type { Socket } from 'node:net';
import type { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Kind } from '../core/kind.ts';
import type { OriginAddress } from '../core/origin.ts';

/** What one probe found out. */
export interface Finding {
  /** `undefined`: this machine was at fault (no file descriptors, no ports), which says nothing about the origin. */
  readonly healthy: boolean | undefined;
  /** Why, in a few words without control characters: `status 503, expected 200-399`. */
  readonly detail: string;
  /** The code of what has kept it from connecting, as requests would get it, where it is one of `core/errors.ts`. */
  readonly code?: ErrorCode;
}

export interface ProbeTools {
  readonly clock: Clock;
  /** Milliseconds for all of the probe, from resolving the name to the last byte. */
  readonly timeout: number;
  /** Nobody wants to know any more: end at once. What is found then is not looked at. */
  readonly signal: AbortSignal;
  /** Begins a connection to an origin that is spoken to over TLS; `null`: this one is not. Default: none is. */
  readonly secure?: (address: OriginAddress) => SecureConnection | null;
}

/** A connection over TLS that is being made: by the same rules as those of requests. */
interface SecureConnection {
  readonly socket: Socket;
  /** Asked when the handshake is done: what is wrong with it. */
  judge(): TlsFault | undefined;
  /** What an error has to do with TLS. */
  explain(error: NodeJS.ErrnoException): TlsFault | undefined;
}

interface TlsFault {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** One way to ask an origin whether it works. Has no state of its own: many probes may run at once. */
export interface Check {
  /** Never rejects, is over within the timeout, and leaves no socket open. */
  probe(address: OriginAddress, tools: ProbeTools): Promise<Finding>;
}

/** A kind of check; one file per protocol. */
export interface CheckKind<Options extends z.ZodObject = z.ZodObject> extends Kind<Options, [], Check> {
  /** Names that other programs give the same; configs may use them. */
  readonly aliases?: readonly string[];
  /** Schemes of origins that can be asked this way. */
  readonly schemes: 'any' | readonly string[];
  /** The option that is meant where a config has only a text with a slash in front: `check: /healthz`. At most one kind has it. */
  readonly slash?: string;
  /** What is wrong with options that are right one by one. */
  problem?(options: z.output<Options>): { readonly option: string; readonly message: string } | undefined;
}
