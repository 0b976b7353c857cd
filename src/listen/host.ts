import type { Clock } from '../core/clock.ts';
import type { ClientAddress, Exchange } from '../core/exchange.ts';
import type { Request } from '../core/request.ts';
import type { Wheel } from '../core/wheel.ts';
import type { RequestLimits } from '../codec/http1/request-head.ts';
import type { WireLike } from '../core/wire.ts';
import type { DateLine } from './answer-writer.ts';
import type { Intake } from './intake.ts';

/** Bounds of what clients may send, per listener. */
export interface ClientLimits extends RequestLimits {
  /** Bytes of a request body. */
  readonly body: number;
  /** Bytes that one read takes in: what is held for a slow reader on the other side. */
  readonly window: number;
  /** Requests at a time on one connection, where the client speaks HTTP/2. */
  readonly streams: number;
  /** Bytes of a request's body that come before any have been taken, with HTTP/2. */
  readonly streamWindow: number;
  /** Requests on one connection. */
  readonly requests: number;
  /** Connections of the listener, and of one address on it. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
}

/** How long a client may take, in milliseconds. */
export interface ClientTimeouts {
  /** From a head's first byte, or from the start of the connection, to the head's end. */
  readonly head: number;
  /** Between two pieces of a body. */
  readonly body: number;
  /** For taking any byte of an answer. */
  readonly write: number;
  /** Between two requests. */
  readonly keepAlive: number;
  /** For a tunnel that is silent in both directions. */
  readonly tunnel: number;
}

/** One client's connection, as its listener sees it. */
export interface ClientConnection {
  readonly client: ClientAddress;
  /** Lets the client go when it is served. */
  drain(): void;
  /** Cuts it; true when it was in the midst of something. */
  abort(): boolean;
}

/** What a connection needs of its listener. */
export interface ConnectionHost {
  readonly limits: ClientLimits;
  readonly timeouts: ClientTimeouts;
  readonly wheel: Wheel;
  readonly clock: Clock;
  readonly date: DateLine;
  readonly draining: boolean;
  /** An empty request; memory of finished ones is used again. */
  takeRequest(): Request;
  giveRequest(request: Request): void;
  /** The line. */
  handle(exchange: Exchange): void;
  /** An exchange is over: log it, count it. Called exactly once for each. */
  done(exchange: Exchange): void;
  left(connection: ClientConnection): void;
  /** Whether this client speaks HTTP/2, as shows in what it has said so far, and may: its connection is another then. */
  switchToHttp2(connection: ClientConnection, wire: WireLike, intake: Intake): boolean;
  defect(error: unknown): void;
}
