import type { AnswerSink } from '../core/answer.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Origin } from '../core/origin.ts';
import type { Request } from '../core/request.ts';
import type { WireLike } from '../core/wire.ts';
import type { Asker, RequestTarget } from '../codec/codec.ts';

/** `connecting` · `open` carrying an exchange · `idle` in the pool · `closed`. */
export type LinkState = 'connecting' | 'open' | 'idle' | 'closed';

/** Who has one exchange carried: hears the answer, and what becomes of the connection. */
export interface LinkUser extends AnswerSink {
  /**
   * The connection is there: `carry` may be called on this link. It may be another one than the user waits with, where
   * it turns out only now how exchanges share the connection, or that there is no room for all who have waited.
   */
  connected(link: Link): void;
  /** The connection could not be made; the link is gone. */
  notConnected(code: ErrorCode, detail: string): void;
  /** The request's bytes that a `flush` answered false about are out. */
  requestFlushed(): void;
}

/**
 * What carries one exchange to an origin: a `Channel`, which is a connection that has one exchange at a time, or a
 * `Stream`, which is one exchange of several on a shared connection.
 */
export interface Link {
  readonly origin: Origin;
  readonly state: LinkState;
  /** Something has come since the request was sent, be it an interim answer or half a head. Stays when it is closed. */
  readonly heard: boolean;
  /** Its origin may say that it has not begun with a request. Any may be sent again then, so bodies are worth keeping. */
  readonly mayDecline: boolean;
  /** The origin is a program: there is nobody at the other end before `carry` has started it. */
  readonly launches: boolean;
  /** The origin ends the connection in peace and has not begun with this exchange: that is nothing against the origin. */
  readonly dismissed: boolean;

  /**
   * Sends a request. Its body, if any, follows through `requestBody` and `requestEnd`.
   * @returns why the protocol cannot carry it, if so: then nothing was sent, and the link may be released
   */
  carry(request: Request, target: RequestTarget, user: LinkUser, from: Asker): ErrorCode | undefined;
  requestBody(buffer: Buffer, start: number, end: number): void;
  requestEnd(trailers: string): void;
  /** True when more may come; false announces `requestFlushed`. */
  requestFlush(): boolean;
  /** The answer may come again, after a `flush` of the user that was false. */
  resume(): void;
  /** The final answer's head has been seen by the user; called from within `head`. */
  answerBegun(): void;
  /** The answer's end has been seen by the user. */
  answerEnded(): void;
  /** The user is through with it, answer and all; `now` is about the present clock time. */
  release(now: number): void;
  /** The user gives up in the middle, or stops waiting for the connection. */
  abandon(): void;
  /** After an answer of 101: the bytes of this exchange go to a tunnel, and the link is only counted until `close`. */
  detach(): WireLike;
  close(): void;
}
