import { Fields } from './fields.ts';
import type { ErrorCode } from './errors.ts';
import type { Framing } from './request.ts';

/** The head of an answer, interim (1xx) or final, whichever protocol it came by. */
export class Answer {
  readonly fields: Fields = new Fields(64);
  /** 100 to 999. */
  status = 0;
  /** Status code and reason phrase as received: `200 OK`. */
  line = '';
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  minor = 1;
  framing: Framing = 'none';
  /** Body length in bytes when `framing` is `length`; for a HEAD or 304 answer the length a GET would have had, or -1. */
  length = -1;
  /** The origin lets the channel be used again after this answer. */
  keepAlive = true;
  /** Seconds the origin says it keeps an idle channel (`Keep-Alive: timeout=`), or -1. */
  keepAliveTimeout = -1;
  /** Protocols named by `Upgrade`. */
  upgrade = '';
  /** Not an answer but where it is to be had: a path with its query, asked by GET. '' mostly. */
  elsewhere = '';

  /** A copy that stays when the memory of this one is used again. */
  copy(): Answer {
    const { fields: _, ...rest } = this;
    const twin = Object.assign(new Answer(), rest);
    twin.fields.copy(this.fields);
    return twin;
  }

  clear(): void {
    this.fields.clear();
    this.status = 0;
    this.line = '';
    this.minor = 1;
    this.framing = 'none';
    this.length = -1;
    this.keepAlive = true;
    this.keepAliveTimeout = -1;
    this.upgrade = '';
    this.elsewhere = '';
  }
}

/** What an authorizer says yes with: 204 is the same without content, which those that speak HTTP like to send. */
export function lets(status: number): boolean {
  return status === 200 || status === 204;
}

/** `100 Continue`, for when it is certain here that the body is wanted. */
export function continueAnswer(): Answer {
  const answer = new Answer();
  answer.status = 100;
  answer.line = '100 Continue';
  return answer;
}

/**
 * Where a body goes, piece by piece. The bytes are only valid during the call: the memory is a read buffer that the
 * next read fills again, so whoever keeps them copies them.
 */
export interface BodySink {
  body(buffer: Buffer, start: number, end: number): void;
  /** The body is complete. `trailers` are complete field lines, '' without any. */
  end(trailers: string): void;
  /**
   * Everything of this read has been handed over: write it. False asks the source to stop reading until the sink's
   * side has been flushed; the source's `resume` is called then.
   */
  flush(): boolean;
}

/** Where an answer goes: what a codec calls while it decodes. */
export interface AnswerSink extends BodySink {
  /** An interim answer: 100, 102, 103. May come any number of times before `head`. */
  interim(answer: Answer): void;
  /** The final head. 101 means the channel is now a tunnel; bytes after it arrive through `body`. */
  head(answer: Answer): void;
  /** The application has something to say to whoever looks after it: a line for the log. */
  note?(line: string): void;
  /**
   * The answer cannot be completed. Nothing follows.
   * @param onlyHere of a protocol that multiplexes: the reason is this connection, and another one to the same origin will do
   */
  fail(code: ErrorCode, detail?: string, onlyHere?: boolean): void;
}

/** Where encoded bytes go: a socket's write side, or an array in a test. */
export interface ByteSink {
  /** Adds text, latin1. */
  text(text: string): void;
  /** Adds bytes; valid only during the call. */
  bytes(buffer: Buffer, start: number, end: number): void;
  /** Nothing will be added any more, and the peer is to see that. */
  end?(): void;
}
