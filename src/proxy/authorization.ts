import { type Answer, lets } from '../core/answer.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Fields } from '../core/fields.ts';
import type { AuthorizeOptions } from '../route/options.ts';
import { Detour, withoutBody } from './detour.ts';
import { refuse } from './refuse.ts';

/** What would make an authorizer answer something else than yes or no. */
const CONDITIONS = ['range', 'if-range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'];

/** FastCGI 1.0 §6.3. */
const VARIABLE = /^variable-([a-z_][a-z0-9_]*)$/i;

/** What the body's codec says itself, and "httpoxy". */
const NO_VARIABLE = new Set(['CONTENT_LENGTH', 'HTTP_PROXY']);

/**
 * An upstream of authorizers is asked whether a request may go on (FastCGI 1.0 §6.3, or any other protocol). It gets the
 * request without its body, which waits unread. 200 and 204 let it go on, and the answer's `Variable-NAME` fields become the
 * application's variables; every other answer is the client's, and so is every failure: who cannot be asked lets nobody in.
 */
export class Authorization extends Detour {
  readonly #asking: Exchange;
  readonly #options: AuthorizeOptions;
  readonly #go: () => void;
  #allowed = false;
  #ended = false;

  /** @param go called once, when the request may go on */
  constructor(exchange: Exchange, options: AuthorizeOptions, now: number, go: () => void) {
    const { fields } = exchange.request;
    // From the request itself, and so from what the authorizer is asked as well: no client says who it is. What another
    // authorizer has said before a detour does not count any more, either.
    const reserves = (name: string): boolean => isOurs(name, options.fields);
    for (const [name] of fields.entries()) if (reserves(name)) fields.delete(name);
    // Trailers come when it has spoken already.
    exchange.reserves = reserves;
    exchange.variables = null;
    super(exchange, questionOf(exchange, options), now);
    this.inner.authorizes = true;
    this.#asking = exchange;
    this.#options = options;
    this.#go = go;
  }

  override interim(): void {
    // About an answer that the client may never see.
  }

  override answer(answer: Answer): void {
    const { fields } = answer;
    if (lets(answer.status)) {
      this.#allowed = true;
      this.inner.status = answer.status;
      this.#take(fields);
      return;
    }
    for (let i = 0; i < fields.count; i++) if (VARIABLE.test(fields.name(i))) fields.drop(i);
    super.answer(answer);
  }

  override body(buffer: Buffer, start: number, end: number): void {
    if (!this.#allowed) super.body(buffer, start, end);
  }

  override end(trailers: string): void {
    this.#ended = true;
    if (!this.#allowed) super.end(trailers);
  }

  override flush(): boolean {
    if (!this.#allowed) return super.flush();
    if (this.#ended) this.#goOn();
    return true;
  }

  /** An answer that says yes and then breaks off is none. */
  override truncate(): void {
    if (!this.#allowed) return super.truncate();
    this.report();
    this.inner.state = 'done';
    this.#asking.carrier = null;
    refuse(this.#asking, this.inner.error === '' ? 'answer-incomplete' : this.inner.error);
  }

  #goOn(): void {
    if (this.inner.state === 'done') return;
    this.inner.state = 'done';
    this.#asking.carrier = null;
    this.#go();
  }

  #take(answered: Fields): void {
    const { fields } = this.#asking.request;
    const variables = new Map<string, string>();
    for (const [name, value] of answered.entries()) {
      const variable = VARIABLE.exec(name)?.[1];
      if (variable === undefined || NO_VARIABLE.has(variable.toUpperCase())) continue;
      variables.set(variable, value);
      fields.set(`Variable-${variable}`, value);
    }
    for (const name of this.#options.fields) for (const value of answered.getAll(name)) fields.append(name, value);
    this.#asking.variables = variables;
  }
}

/** `_` and `-` are the same to many programs: nothing that looks like one of these fields may pass. */
function isOurs(name: string, fields: readonly string[]): boolean {
  const plain = name.toLowerCase().replaceAll('_', '-');
  return plain.startsWith('variable-') || fields.some((one) => one.toLowerCase().replaceAll('_', '-') === plain);
}

/** What the question says of the request beside its own target: many authorizers look nowhere else. */
const OF_THE_REQUEST = ['X-Forwarded-Method', 'X-Forwarded-Uri'];

function questionOf({ request, front }: Exchange, { path }: AuthorizeOptions): ReturnType<typeof withoutBody> {
  const made = withoutBody(request, path);
  for (const name of CONDITIONS) made.fields.delete(name);
  if (path !== undefined || !front.client.trusted) {
    // Not what the client says of itself, in any spelling.
    for (const [name] of made.fields.entries()) if (isOurs(name, OF_THE_REQUEST)) made.fields.delete(name);
  }
  if (path !== undefined) {
    made.fields.set('X-Forwarded-Method', request.method);
    made.fields.set('X-Forwarded-Uri', request.pathAndQuery);
  }
  return made;
}
