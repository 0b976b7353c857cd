import type { Answer } from '../core/answer.ts';
import { isFieldValue, isToken } from '../core/bytes.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Fields } from '../core/fields.ts';

/** A request as an embedding program sees it: facts to read, fields to read and change. Valid until the hook is over;
 * an `async` hook is over when its promise is. */
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

/** What the line needs of hooks. */
export interface Hooks {
  readonly onRequest: boolean;
  readonly onResponse: boolean;
  /** Runs the request hook, then `go`: at once when the hook is synchronous. Does not call `go` when the hook answered. */
  request(exchange: Exchange, go: (error?: unknown) => void): void;
  /** Runs the response hook. True when it is over already; false when `go` will be called. Throws what the hook throws. */
  answer(exchange: Exchange, answer: Answer, go: (error?: unknown) => void): boolean;
}

/** Makes an embedding program's functions fit the line; `null` when there are none, so that they cost nothing. */
export function makeHooks(functions: HookFunctions): Hooks | null {
  const onRequest = functions.onRequest?.bind(functions);
  const onResponse = functions.onResponse?.bind(functions);
  if (onRequest === undefined && onResponse === undefined) return null;
  return {
    onRequest: onRequest !== undefined,
    onResponse: onResponse !== undefined,
    request(exchange, go) {
      const proceed = (own: void | HookAnswer): void => {
        if (exchange.state === 'done') return;
        if (own === undefined) return go();
        try {
          answerFrom(exchange, own);
        } catch (error) {
          go(error);
        }
      };
      let made: void | HookAnswer;
      try {
        const answer = onRequest?.(new RequestView(exchange));
        // By a promise of our own: whoever calls back at once, or throws in that, must not come before or end the process.
        if (isPromise(answer)) {
          Promise.resolve(answer)
            .then(proceed)
            .catch((error: unknown) => go(error ?? new Error('rejected')));
          return;
        }
        made = answer;
      } catch (error) {
        return go(error ?? new Error('the hook threw nothing'));
      }
      proceed(made);
    },
    answer(exchange, answer, go) {
      const view: HookResponse = {
        status: answer.status,
        request: new RequestView(exchange),
        origin: exchange.origin?.name ?? '',
        headers: new FieldsView(answer.fields, exchange),
      };
      const made = onResponse?.(view);
      if (!isPromise(made)) return true;
      Promise.resolve(made)
        .then(() => go())
        .catch((error: unknown) => go(error ?? new Error('rejected')));
      return false;
    },
  };
}

/** Anything that can be awaited: other libraries and other realms have promises of their own. */
function isPromise<Value>(made: Value | Promise<Value>): made is Promise<Value> {
  return made !== null && typeof made === 'object' && 'then' in made && typeof made.then === 'function';
}

function answerFrom(exchange: Exchange, own: HookAnswer): void {
  if (!Number.isInteger(own.status) || own.status < 200 || own.status > 599) {
    throw new TypeError(`a hook answered with status ${own.status}; it has to be 200 to 599`);
  }
  let lines = '';
  for (const [name, value] of Object.entries(own.headers ?? {})) {
    checkChange(name, value);
    lines += `${name}: ${value}\r\n`;
  }
  exchange.front.respond(own.status, lines, Buffer.from(own.body ?? '').latin1Slice());
}

class RequestView implements HookRequest {
  readonly #exchange: Exchange;
  readonly headers: HookFields;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.headers = new FieldsView(exchange.request.fields, exchange);
  }

  get method(): string {
    return alive(this.#exchange).request.method;
  }

  get target(): string {
    return alive(this.#exchange).request.target;
  }

  get path(): string {
    return alive(this.#exchange).request.path ?? '';
  }

  get query(): string {
    return alive(this.#exchange).request.query;
  }

  get host(): string {
    return alive(this.#exchange).request.host;
  }

  get remoteAddress(): string {
    return this.#exchange.remote;
  }

  get id(): string {
    return this.#exchange.id;
  }
}

/** Fields that frame the message: the codec writes them, a hook may only read them. */
const FRAMING = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'keep-alive',
  'te',
  'trailer',
]);

/** A request's memory serves another one after its end: a hook that outlives its request must not reach into that. */
function alive(exchange: Exchange): Exchange {
  if (exchange.state === 'done') throw new Error('this request is over: its client has left, or it was answered');
  return exchange;
}

class FieldsView implements HookFields {
  readonly #fields: Fields;
  readonly #exchange: Exchange;

  constructor(fields: Fields, exchange: Exchange) {
    this.#fields = fields;
    this.#exchange = exchange;
  }

  get(name: string): string | undefined {
    return this.#live().get(name);
  }

  getAll(name: string): string[] {
    return this.#live().getAll(name);
  }

  set(name: string, value: string): void {
    checkChange(name, value);
    this.#live().set(name, value);
  }

  append(name: string, value: string): void {
    checkChange(name, value);
    if (name.toLowerCase() === 'host') throw new TypeError('a request has one Host: set it');
    this.#live().append(name, value);
  }

  delete(name: string): void {
    checkChange(name, '');
    this.#live().delete(name);
  }

  entries(): [name: string, value: string][] {
    return this.#live().entries();
  }

  #live(): Fields {
    alive(this.#exchange);
    return this.#fields;
  }
}

function checkChange(name: string, value: string): void {
  checkField(name, value);
  if (FRAMING.has(name.toLowerCase()))
    throw new TypeError(`${name} belongs to the connection: a hook cannot change it`);
}

function checkField(name: string, value: string): void {
  if (!isToken(name)) throw new TypeError(`${JSON.stringify(name)} is not a field name`);
  if (!isFieldValue(value)) throw new TypeError(`the value of ${name} has a character that a field cannot have`);
}
