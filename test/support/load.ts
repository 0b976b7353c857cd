/**
 * Clients that never stop asking, on raw sockets, so that each way in which a request can fail is seen for what it is.
 * That a kept connection is closed between two requests is no failure: HTTP allows it, and clients just connect again.
 */
import { connect, type Socket } from 'node:net';

export interface LoadOptions {
  readonly host?: string;
  readonly port: number;
  /** At the same time. Default 8. */
  readonly clients?: number;
  /** Ask again on the same connection as long as the server lets us. */
  readonly keepAlive: boolean;
  readonly path?: string;
  /** The request's Host. */
  readonly name?: string;
  /** Milliseconds between an answer and the next request. Default 0. */
  readonly pause?: number;
}

export interface Load {
  /** Whole answers of status 200 so far. */
  readonly good: number;
  readonly connections: number;
  /** Times the server ended a kept connection, between requests or by saying so. */
  readonly closed: number;
  /** Each failed request: `refused`, `reset before the answer`, `status 502` … with the milliseconds it took. */
  readonly failures: readonly string[];
  /** The longest request, in milliseconds, with its connect. */
  readonly longest: number;
  /** Stops asking; resolves when the last request has ended. */
  stop(): Promise<void>;
}

/** A request that takes longer has failed. */
const PATIENCE = 30_000;

export function load(options: LoadOptions): Load {
  const state = { good: 0, connections: 0, closed: 0, failures: [] as string[], longest: 0 };
  let over = false;
  const one = async (): Promise<void> => {
    while (!over) {
      state.connections++;
      await new OneConnection(options, state, () => over).done;
      // A refused connection must not become a busy loop.
      if (state.failures.length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const running = Promise.all(Array.from({ length: options.clients ?? 8 }, one));
  return Object.assign(state, {
    stop: async () => {
      over = true;
      await running;
    },
  });
}

type Tally = { good: number; closed: number; readonly failures: string[]; longest: number };

class OneConnection {
  readonly done: Promise<void>;
  readonly #options: LoadOptions;
  readonly #tally: Tally;
  readonly #over: () => boolean;
  readonly #socket: Socket;
  #resolve: () => void = () => {};
  #held = '';
  #begun = performance.now();
  /** A request is on its way. */
  #asking = true;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LoadOptions, tally: Tally, over: () => boolean) {
    this.#options = options;
    this.#tally = tally;
    this.#over = over;
    this.done = new Promise((resolve) => (this.#resolve = resolve));
    this.#timer = setTimeout(() => this.#end('no answer'), PATIENCE);
    this.#socket = connect({ host: options.host ?? '127.0.0.1', port: options.port, noDelay: true });
    this.#socket.on('connect', () => this.#ask(this.#begun));
    this.#socket.on('data', (bytes) => this.#take(bytes.latin1Slice()));
    this.#socket.on('end', () => this.#closedByServer('FIN'));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#closedByServer(error.code ?? error.message));
  }

  #ask(begun = performance.now()): void {
    const { path = '/', name = 'load.test', keepAlive } = this.#options;
    this.#asking = true;
    this.#begun = begun;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end('no answer'), PATIENCE);
    const close = keepAlive ? '' : 'Connection: close\r\n';
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: ${name}\r\n${close}\r\n`, 'latin1');
  }

  #take(text: string): void {
    this.#held += text;
    const head = this.#held.indexOf('\r\n\r\n');
    if (head < 0) return;
    const lines = this.#held.slice(0, head).toLowerCase();
    const length = Number(/\r\ncontent-length: (\d+)/.exec(lines)?.[1] ?? Number.NaN);
    if (Number.isNaN(length)) return this.#end(`an answer without a length: ${lines}`);
    if (this.#held.length < head + 4 + length) return;
    if (this.#held.length > head + 4 + length) return this.#end('more bytes than the answer has');
    this.#held = '';
    this.#asking = false;
    clearTimeout(this.#timer);
    this.#tally.longest = Math.max(this.#tally.longest, performance.now() - this.#begun);
    const status = lines.slice(9, 12);
    if (status !== '200') return this.#end(`status ${status} ${/\r\nproxy-status: (.*)/.exec(lines)?.[1] ?? ''}`);
    this.#tally.good++;
    const last = /\r\nconnection:[^\r]*close/.test(lines);
    if (last && this.#options.keepAlive) this.#tally.closed++;
    if (last || !this.#options.keepAlive || this.#over()) return this.#end('');
    const { pause = 0 } = this.#options;
    if (pause === 0) this.#ask();
    else this.#timer = setTimeout(() => (this.#over() ? this.#end('') : this.#ask()), pause);
  }

  #closedByServer(how: string): void {
    if (this.#ended) return;
    if (how === 'FIN' && !this.#asking) {
      this.#tally.closed++;
      return this.#end('');
    }
    const when = this.#socket.connecting ? '' : this.#held === '' ? ' before the answer' : ' in the answer';
    this.#end(`${how}${this.#asking ? when : ' between requests'}`);
  }

  #end(failure: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    if (failure !== '') this.#tally.failures.push(`${failure}, ${(performance.now() - this.#begun).toFixed(0)} ms`);
    this.#socket.destroy();
    this.#resolve();
  }
}
