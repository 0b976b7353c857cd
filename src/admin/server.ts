import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIPv6, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import { ControlError, type Control } from '../control/control.ts';
import { checked, hasBody, parseJson, readBody, typeOf } from './body.ts';
import { Guesses, isTold } from './guesses.ts';
import { LIMITS, type AdminLimits } from './limits.ts';
import { openapi } from './openapi.ts';
import { CONFIG_TYPES, type Call, type Operation } from './operation.ts';
import { operations } from './operations.ts';
import { isLocal, type AdminOptions } from './options.ts';
import { Refusal, type ProblemCode } from './problem.ts';
import { hostProblem, paramsOf } from './request.ts';
import { route, WrongMethod } from './router.ts';
import { allow, bind } from './socket.ts';
import { readToken, TokenCheck } from './token.ts';
import { Turns } from './turns.ts';

export interface AdminTools {
  readonly control: Control;
  readonly clock: Clock;
  readonly version: string;
  say(level: 'error' | 'warn' | 'info' | 'debug', code: string, message: string): void;
  readonly limits?: Partial<AdminLimits>;
}

/**
 * The admin interface: HTTP and JSON for operators, off the data path. It refuses what a browser was talked into, checks
 * the token, finds the operation, and leaves the work to `Control`.
 */
export class AdminServer {
  readonly #tools: AdminTools;
  readonly #limits: AdminLimits;
  readonly #server: Server;
  readonly #guesses: Guesses;
  readonly #turns: Turns;
  #options: AdminOptions;
  #token: string | null = null;
  #check = new TokenCheck(null);
  /**
   * Connections that have shown a wrong token. Nothing that follows on them is looked at: Node hands pipelined requests
   * out at once, so a thousand guesses would fit into one wait.
   */
  readonly #guessers = new WeakSet<Socket>();

  constructor(options: AdminOptions, tools: AdminTools) {
    this.#options = options;
    this.#tools = tools;
    this.#limits = { ...LIMITS, ...tools.limits };
    this.#guesses = new Guesses(tools.clock);
    this.#turns = new Turns(this.#limits.changes);
    this.#server = this.#makeServer();
  }

  /** Reads the token and binds. Rejects with the system's error, or with what is wrong with the token's file. */
  async open(): Promise<void> {
    this.#setToken(await readToken(this.#options));
    await bind(this.#server, this.#options.address);
    // Running out of descriptors ends up here.
    this.#server.on('error', (error) => this.#defect(error));
  }

  /**
   * Reads what other options of the same address need: the token's file, which may hold another one now. Rejects when that
   * has no token.
   *
   * @returns goes over to them
   */
  async prepare(options: AdminOptions): Promise<() => void> {
    const token = await readToken(options);
    return () => {
      const before = this.#options.address;
      this.#options = options;
      this.#setToken(token);
      try {
        allow(options.address, before);
      } catch (error) {
        this.#tools.say('error', 'admin-mode', `the socket keeps its mode: ${(error as Error).message}`);
      }
    };
  }

  /** Where it listens: `http://127.0.0.1:9000`, `unix:/path`. */
  get url(): string {
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') return `unix:${bound ?? ''}`;
    return `http://${isIPv6(bound.address) ? `[${bound.address}]` : bound.address}:${bound.port}`;
  }

  /** Takes no more requests; those in hand have a second, then they are cut. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const cancel = this.#tools.clock.after(1000, () => this.#server.closeAllConnections(), 'idle');
    await closed;
    cancel();
  }

  #setToken(token: string | null): void {
    this.#token = token;
    this.#check = new TokenCheck(token);
  }

  #makeServer(): Server {
    const { head, headTime, requestTime, idleTime, connections } = this.#limits;
    const server = createServer({
      maxHeaderSize: head,
      headersTimeout: headTime,
      requestTimeout: requestTime,
      keepAliveTimeout: idleTime,
      connectionsCheckingInterval: Math.min(1000, headTime),
      requireHostHeader: false,
      insecureHTTPParser: false,
    });
    server.maxConnections = connections;
    // Who neither sends nor takes anything for so long is gone, or holds an answer on purpose.
    server.setTimeout(requestTime + this.#limits.workTime);
    server.on('request', (request, response) => this.#take(request, response));
    // Whoever asks first gets its answer first: no body is invited before the token has been seen.
    server.on('checkContinue', (request, response) => this.#take(request, response));
    server.on('checkExpectation', (_request, response) => this.#refuse(response, new Refusal('unknown-expectation')));
    server.on('connect', (_request: IncomingMessage, socket: Duplex) => endRaw(socket, new Refusal('unknown-path')));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => endRaw(socket, clientFault(error)));
    server.on('drop', () => this.#tools.say('warn', 'admin-full', `more than ${connections} connections`));
    return server;
  }

  /** Nothing that happens to a request gets out of here. */
  #take(request: IncomingMessage, response: ServerResponse): void {
    request.on('error', () => {});
    response.on('error', () => {});
    this.#answer(request, response).catch((error: unknown) => this.#refuse(response, this.#refusalOf(error)));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#refusePages(request);
    const { path, query } = paramsOf(request.url ?? '');
    const open = path === '/metrics' && this.#options.metrics === 'open';
    if (!open) await this.#authenticate(request);
    const { operation, params } = route(this.#operations(), request.method ?? '', path);
    const body = await this.#bodyOf(request, response, operation);
    const call: Call = {
      control: this.#tools.control,
      who: this.#operator(request),
      params,
      query:
        operation.query === null
          ? noQuery(query)
          : checked(operation.query, query.values(operation.query), Object.keys(operation.query.shape)),
      body,
      describe: () => Promise.resolve(openapi(operations, this.#tools.version, this.#options.metrics)),
    };
    const run = (): Promise<unknown> => operation.run(call as Call<never, never>);
    const work = operation.changes ? this.#turns.take(run, () => response.destroyed) : run();
    this.#send(response, operation, await this.#inTime(work));
  }

  #operations(): readonly Operation[] {
    return this.#options.metrics === 'off' ? operations.filter(({ id }) => id !== 'metrics') : operations;
  }

  /** What a web page could make a browser send to an address of this machine. */
  #refusePages({ headers }: IncomingMessage): void {
    if (headers.origin !== undefined) throw new Refusal('origin-refused');
    const { address } = this.#options;
    if (address.kind === 'unix' || !isLocal(address)) return;
    const problem = hostProblem(headers.host);
    if (problem !== undefined) throw new Refusal('host-refused', problem);
  }

  async #authenticate(request: IncomingMessage): Promise<void> {
    if (this.#guessers.has(request.socket)) throw new Refusal('wrong-token');
    const outcome = this.#check.of(request.headers.authorization);
    if (outcome === 'good') return;
    if (outcome === 'wrong-token') {
      this.#guessers.add(request.socket);
      const { wait, count } = this.#guesses.wrong(peerOf(request.socket));
      if (isTold(count)) {
        const nth = count === 1 ? '' : ` (${count} by now)`;
        this.#tools.say('warn', 'admin-refused', `${peerOf(request.socket)} has shown a wrong token${nth}`);
      }
      await new Promise<void>((resolve) => this.#tools.clock.after(wait, resolve, 'idle'));
    }
    throw new Refusal(outcome);
  }

  /** Peer and way in, for the audit. */
  #operator(request: IncomingMessage): string {
    const peer = peerOf(request.socket);
    return this.#token === null ? `socket ${peer}` : `token ${peer}`;
  }

  async #bodyOf(request: IncomingMessage, response: ServerResponse, { body }: Operation): Promise<unknown> {
    const there = hasBody(request);
    if (body === null) {
      if (there) throw new Refusal('unexpected-body');
      return undefined;
    }
    if (!there && body === 'config?') return undefined;
    typeOf(request, typeof body === 'string' ? CONFIG_TYPES : ['application/json']);
    if (request.headers.expect !== undefined && !tooLong(request, this.#limits.body)) response.writeContinue();
    const text = await readBody(request, this.#limits.body);
    if (typeof body === 'string') {
      if (text.trim() !== '') return text;
      if (body === 'config?') return undefined;
      throw new Refusal('invalid', 'the body is empty: send the text of a config');
    }
    return checked(body, parseJson(text), Object.keys(body.shape));
  }

  /** An operation that hangs must not keep the operator waiting for ever. */
  #inTime(work: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const cancel = this.#tools.clock.after(this.#limits.workTime, () => reject(new Refusal('too-slow')), 'idle');
      work.then(resolve, reject).finally(cancel);
    });
  }

  #send(response: ServerResponse, { id, status, answer }: Operation, made: unknown): void {
    if (answer === null) return end(response, status, {}, '');
    if (answer === 'text')
      return end(response, status, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }, String(made));
    // `Control` has hidden the secrets already; this one is ours to keep in any case.
    const secret = id === 'config' ? this.#token : null;
    const text = JSON.stringify(made, (_key, value: unknown) => (secret !== null && value === secret ? '***' : value));
    end(response, status, { 'Content-Type': 'application/json' }, `${text}\n`);
  }

  #refusalOf(error: unknown): Refusal {
    if (error instanceof Refusal) return error;
    if (error instanceof ControlError) {
      return new Refusal(
        error.code,
        error.message,
        error.problems.length === 0 ? {} : { problems: [...error.problems] },
      );
    }
    const { code } = error as NodeJS.ErrnoException;
    // The client went away while its body was read: nobody will see this.
    if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE') return new Refusal('bad-request');
    this.#defect(error);
    return new Refusal('failed');
  }

  #refuse(response: ServerResponse, refusal: Refusal): void {
    if (response.headersSent || response.destroyed) return void response.destroy();
    const fields: Record<string, string> = { 'Content-Type': 'application/problem+json' };
    if (refusal instanceof WrongMethod) fields['Allow'] = refusal.allow;
    if (refusal.status === 401) fields['WWW-Authenticate'] = 'Bearer realm="sluice admin"';
    if (refusal.code === 'busy' || refusal.code === 'unavailable') fields['Retry-After'] = '1';
    const invited = response.req.headers.expect === undefined;
    // A client that was not invited sends its next request where its body would be; and a guesser is done.
    if (refusal.code === 'wrong-token' || !(invited || response.req.complete)) fields['Connection'] = 'close';
    // The rest of the body is thrown away: a connection closed with bytes unread is reset, and the answer lost with it.
    // `requestTime` bounds it.
    response.req.resume();
    end(response, refusal.status, fields, `${JSON.stringify(refusal.view())}\n`);
  }

  #defect(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#tools.say('error', 'internal', this.#token === null ? text : text.replaceAll(this.#token, '***'));
  }
}

function end(response: ServerResponse, status: number, fields: Record<string, string>, body: string): void {
  const length = status === 204 ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  response.writeHead(status, {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...fields,
    ...length,
  });
  response.end(body);
}

function noQuery(query: { readonly names: readonly string[] }): undefined {
  const [first] = query.names;
  if (first !== undefined) throw new Refusal('invalid', `unknown parameter ${JSON.stringify(first)}: this takes none`);
}

function tooLong({ headers }: IncomingMessage, most: number): boolean {
  return Number(headers['content-length'] ?? 0) > most;
}

function peerOf(socket: Socket): string {
  return socket.remoteAddress === undefined ? 'unix:' : socket.remoteAddress.replace(/^::ffff:/, '');
}

/** What Node's parser has refused, and its timers. */
function clientFault({ code }: NodeJS.ErrnoException): Refusal {
  const known: Record<string, ProblemCode> = {
    HPE_HEADER_OVERFLOW: 'head-too-large',
    ERR_HTTP_REQUEST_TIMEOUT: 'body-timeout',
  };
  return new Refusal(known[code ?? ''] ?? 'bad-request');
}

/** An answer to what never became a request. */
function endRaw(socket: Duplex, refusal: Refusal): void {
  socket.on('error', () => {});
  if (!socket.writable) return void socket.destroy();
  const body = `${JSON.stringify(refusal.view())}\n`;
  socket.end(
    `HTTP/1.1 ${refusal.status} ${refusal.code}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Cache-Control: no-store\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
