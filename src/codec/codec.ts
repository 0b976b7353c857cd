import type { z } from 'zod';
import type { ClientAddress } from '../core/exchange.ts';
import type { CgiOptions } from './cgi/options.ts';
import type { AnswerSink, ByteSink } from '../core/answer.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Kind } from '../core/kind.ts';
import type { Command, Exit } from '../core/program.ts';
import type { Request } from '../core/request.ts';

/**
 * One channel's protocol state: bytes in and out, no sockets, timers or promises. Exchanges on it are told apart by a
 * small number that `open` gives out.
 */
export interface CodecSession {
  /** Exchanges that may be open at once: 1 where the protocol cannot multiplex. It changes when the peer tells its limit. */
  readonly slots: number;
  /** False once the peer or a failure ruled out another exchange on this channel. */
  readonly reusable: boolean;
  /** Its peer may say of a request that it has not begun with it: bodies are kept for another origin. */
  readonly mayDecline?: boolean;
  /** The peer's own idle limit in milliseconds, or -1. */
  readonly idleLimit: number;
  /**
   * For protocols whose peer says how much of a body it takes: some is kept here, and no more should come until a read
   * has made this false. What is kept is at most what arrives before the sender looks: one read, or a body sent again.
   */
  readonly holding?: boolean;
  /**
   * Sends a request's head. `body` and `end` follow when its framing is not `none`.
   * @returns the exchange's number, or why this request cannot be told: then nothing was sent, and the channel is as before
   */
  open(request: Request, target: RequestTarget, into: AnswerSink, from: Asker): number | ErrorCode;
  body(id: number, buffer: Buffer, start: number, end: number): void;
  end(id: number, trailers: string): void;
  /** Forgets an exchange before its end; the sink hears nothing more. Afterwards the session may not be reusable. */
  abort(id: number): void;
  /** Bytes from the peer. Errors reach the sink, never the caller. What it writes meanwhile goes out afterwards. */
  receive(buffer: Buffer, start: number, end: number): void;
  /** The peer has closed its side. */
  eof(): void;
  /**
   * For protocols that multiplex, whose peers send an exchange no more than they have been allowed: the sink of this one
   * takes no more for now. What is allowed already still comes, and the sink keeps it.
   */
  pause?(id: number): void;
  /** The sink takes more again: what this writes is to be flushed. */
  resume?(id: number): void;
  /** `holding`, of one exchange among several. */
  holds?(id: number): boolean;
  /**
   * For protocols that multiplex, whose peers cannot be asked to stop one exchange alone: what was sent to those that
   * are paused is as much as may be kept. Nothing is to be read until `resume` or `abort` has made this false.
   */
  readonly full?: boolean;
  /** For kinds that run a program for each exchange, which is the peer. */
  readonly running?: Running;
}

/** What a session has to do with the program that answers it. */
export interface Running {
  /** What is to be started; there after `open`. */
  readonly command: Command;
  /** Bytes of the program's standard error. */
  complained(bytes: Buffer): void;
  /** Nothing more comes of that. */
  silent(): void;
  /** How the program has ended. Comes before `eof`, unless the program lives on without a standard output. */
  exited(exit: Exit): void;
}

/** Who asks, and how: for protocols that tell the application. An `Exchange` is one. */
export interface Asker {
  /** The client's IP address, as trusted proxies name it, or `unix:`. */
  readonly remote: string;
  /** `X-Request-Id`; '' when switched off. */
  readonly id: string;
  readonly front: { readonly client: ClientAddress };
  /** The question is whether a request may go on, where the protocol has a word for that. */
  readonly authorizes?: boolean;
  /** Further variables, which replace those of the request. */
  readonly variables?: ReadonlyMap<string, string> | null;
}

/** How the origin is to be addressed, when that is not how the client put it. */
export interface RequestTarget {
  /** The Host to send when the client sent none (HTTP/1.0), or when the upstream wants its own. */
  readonly authority: string;
  /** Replace the client's Host by `authority`. */
  readonly replaceHost: boolean;
  /** The connection to the origin is TLS; default false. */
  readonly secure?: boolean;
  /** How requests become files and variables, for protocols with CGI's names. */
  readonly cgi: CgiOptions;
  /** The origin is this program; '' is one that each request names. */
  readonly program?: string;
}

/** Bounds a codec keeps while decoding. */
export interface CodecLimits {
  /** Bytes of an answer's head. */
  readonly head: number;
  /** Fields in a head or trailer section. */
  readonly fields: number;
}

/**
 * What sessions have found out about an origin, for those of the same origin that come after them, or are there with them.
 * It is forgotten when the origin has been down: what comes back may be another program.
 */
export interface Learned {
  /** Exchanges that it takes on one connection. */
  slots?: number;
  /** It has been asked for them. */
  asked?: boolean;
}

export type CodecKind<Options extends z.ZodObject = z.ZodObject> = Kind<
  Options,
  [out: ByteSink, limits: CodecLimits, learned?: Learned],
  CodecSession
> & {
  /** URL schemes of origins that speak it. */
  readonly schemes: readonly string[];
  /** The head of a request tells the body's length: chunked bodies are gathered before they are sent. */
  readonly needsLength?: boolean;
  /** Requests are told in CGI's names: the upstream's `cgi` options count. */
  readonly speaksCgi?: boolean;
  /** Of the upstream's `cgi` options `env` counts, and nothing else: its variables come over in a way of the protocol's own. */
  readonly takesVariables?: boolean;
  /**
   * Exchanges share connections, as many at a time as each session has `slots`. Then `abort` is for the exchange alone; it
   * comes, too, when the answer has ended and the request has not. Errors of exchanges are told within `receive` and `eof`.
   */
  readonly multiplexes?: boolean;
  /** The same for protocols where it depends on the options. */
  multiplexesWith?(options: z.output<Options>): boolean;
  /** Some of its applications are interpreters, which every request has to tell the file of a script. */
  readonly runsScripts?: boolean;
  /** Its origins are programs, started for one exchange each: they have a path instead of an address. */
  readonly runs?: boolean;
  /** Where its servers listen by default, or in their documents' examples. A hint for people: none is taken for granted. */
  readonly usualPort?: number;
  /** Those of the schemes that go over TLS. */
  readonly secure?: readonly string[];
  /** Its name in ALPN (RFC 7301). */
  readonly alpn?: string;
  /** It is also what origins speak that choose nothing by ALPN. */
  readonly withoutAlpn?: boolean;
};
