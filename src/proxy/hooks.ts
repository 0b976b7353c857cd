import type { Answer } from '../core/answer.ts';
import type { Exchange } from '../core/exchange.ts';

/** A request as an embedding program sees it: facts to read, fields to read and change. Valid until the hook is over. */
export interface HookRequest {
  readonly method: string;
  /** As the client sent it. */
  readonly target: string;
  readonly path: string;
  readonly query: string;
  readonly host: string;
  readonly remoteAddress: string;
  readonly id: string;
  readonly headers: HookFields;
}

/** An answer's head as an embedding program sees it. */
export interface HookResponse {
  readonly status: number;
  readonly request: HookRequest;
  /** `host:port` of the origin that answered. */
  readonly origin: string;
  readonly headers: HookFields;
}

/** Header fields by any spelling of their names. Bad names or values throw a `TypeError`. */
export interface HookFields {
  get(name: string): string | undefined;
  getAll(name: string): string[];
  set(name: string, value: string): void;
  append(name: string, value: string): void;
  delete(name: string): void;
  entries(): [name: string, value: string][];
}

/** What a hook may answer instead of the origin. */
export interface HookAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Functions of the embedding program. Absent ones cost nothing. */
export interface HookFunctions {
  /** Before an origin is chosen. Answer something to answer the client yourself. */
  onRequest?(request: HookRequest): void | HookAnswer | Promise<void | HookAnswer>;
  /** When an origin's answer has begun, before its head goes to the client. */
  onResponse?(response: HookResponse): void | Promise<void>;
}

/** What the line needs of hooks; `embed/hooks.ts` makes it of `HookFunctions`. */
export interface Hooks {
  readonly onRequest: boolean;
  readonly onResponse: boolean;
  /** Runs the request hook, then `go`: at once when the hook is synchronous. Does not call `go` when the hook answered. */
  request(exchange: Exchange, go: (error?: unknown) => void): void;
  /** Runs the response hook. True when it is over already; false when `go` will be called. */
  answer(exchange: Exchange, answer: Answer, go: (error?: unknown) => void): boolean;
}
