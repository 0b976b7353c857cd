/**
 * Scripted peers on raw sockets: a client and an origin that send exactly the bytes they are told to, and see exactly the
 * bytes that came. Nothing here understands HTTP beyond finding the end of a message.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type NetConnectOpts, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';

/** How long is waited for what has to come, in milliseconds. Long, because it only matters when a test fails. */
export const PATIENCE = 30_000;

/** The other side ended the connection while more was expected. */
class PeerClosed extends Error {}

export interface Message {
  /** Request line or status line. */
  readonly line: string;
  readonly status: number;
  readonly method: string;
  readonly target: string;
  /** Everything up to the empty line, as received. */
  readonly head: string;
  /** Field lines as received. */
  readonly fields: readonly string[];
  /** Values of a field in order, joined by `, `; `undefined` when absent. */
  field(name: string): string | undefined;
  body: string;
  /** Trailer lines of a chunked body. */
  trailers: string[];
}

/** One end of a raw connection. */
export class Peer {
  readonly socket: Socket;
  /** Bytes received so far, taken ones included. */
  total = 0;
  /** How the other side has ended: `open`, by FIN, or by a reset. */
  ending: 'open' | 'fin' | 'reset' = 'open';
  #held = '';
  #wake: (() => void) | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.total += chunk.length;
      this.#held += chunk.latin1Slice();
      this.#stir();
    });
    socket.on('end', () => {
      if (this.ending === 'open') this.ending = 'fin';
      this.#stir();
    });
    socket.on('error', () => {
      this.ending = 'reset';
      this.#stir();
    });
    socket.on('close', () => {
      if (this.ending === 'open') this.ending = 'fin';
      this.#stir();
    });
  }

  /** What has come and has not been taken. */
  get held(): string {
    return this.#held;
  }

  send(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Sends byte after byte, each in a packet of its own as far as the kernel lets it. */
  async drip(text: string): Promise<void> {
    for (const one of text) {
      this.send(one);
      await new Promise(setImmediate);
    }
  }

  /** FIN: nothing more is sent, reading goes on. */
  fin(): void {
    this.socket.end();
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Takes everything up to and including `marker`. */
  async until(marker: string): Promise<string> {
    await this.#wait(() => this.#held.includes(marker), `waited for ${JSON.stringify(marker)}`);
    return this.#take(this.#held.indexOf(marker) + marker.length);
  }

  /** Takes exactly this many bytes. */
  async bytes(count: number): Promise<string> {
    await this.#wait(() => this.#held.length >= count, `waited for ${count} bytes`);
    return this.#take(count);
  }

  /** Waits for the other side's end and takes what came before it. */
  async end(): Promise<string> {
    await this.#wait(() => this.ending !== 'open', 'waited for the end of the connection', true);
    return this.#take(this.#held.length);
  }

  /** Nothing comes, and the connection stays, for this many milliseconds. */
  async silence(ms: number): Promise<void> {
    await sleep(ms);
    assert.equal(this.#held, '', 'expected silence');
    assert.equal(this.ending, 'open', 'expected the connection to stay');
  }

  /** The next request, body included; `undefined` when the connection ends before one begins. */
  async request(): Promise<Message | undefined> {
    const message = await this.requestHead();
    if (message !== undefined) await this.#body(message, false);
    return message;
  }

  /** The next request's head. */
  async requestHead(): Promise<Message | undefined> {
    try {
      return parse(await this.until('\r\n\r\n'));
    } catch (error) {
      if (error instanceof PeerClosed && this.#held === '') return undefined;
      throw error;
    }
  }

  /** The next answer, body included. `how` is `head` for the answer to HEAD. Interim answers are answers. */
  async answer(how: 'whole' | 'head' = 'whole'): Promise<Message> {
    const message = parse(await this.until('\r\n\r\n'));
    const bodiless = how === 'head' || message.status < 200 || message.status === 204 || message.status === 304;
    if (!bodiless) await this.#body(message, true);
    return message;
  }

  /** Takes a chunked body. */
  async chunked(): Promise<{ body: string; trailers: string[] }> {
    let body = '';
    for (;;) {
      const size = Number.parseInt(await this.until('\r\n'), 16);
      if (size === 0) break;
      body += await this.bytes(size);
      assert.equal(await this.bytes(2), '\r\n');
    }
    const trailers: string[] = [];
    for (;;) {
      const line = (await this.until('\r\n')).slice(0, -2);
      if (line === '') return { body, trailers };
      trailers.push(line);
    }
  }

  async #body(message: Message, toEnd: boolean): Promise<void> {
    const length = message.field('content-length');
    if (message.field('transfer-encoding') === 'chunked') Object.assign(message, await this.chunked());
    else if (length !== undefined) message.body = await this.bytes(Number(length));
    else if (toEnd) message.body = await this.end();
  }

  #take(count: number): string {
    const taken = this.#held.slice(0, count);
    this.#held = this.#held.slice(count);
    return taken;
  }

  /** For messages; too dear for anything else, as it makes one string of all the pieces. */
  #got(): string {
    return `got ${JSON.stringify(this.#held.slice(0, 500))}`;
  }

  #stir(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  async #wait(ready: () => boolean, what: string, ended = false): Promise<void> {
    const stop = Date.now() + PATIENCE;
    while (!ready()) {
      if (!ended && this.ending !== 'open')
        throw new PeerClosed(`${what}, but the connection ended (${this.ending}); ${this.#got()}`);
      const left = stop - Date.now();
      if (left <= 0) throw new Error(`${what} in vain; ${this.#got()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

function parse(head: string): Message {
  const [line = '', ...fields] = head.slice(0, -4).split('\r\n');
  const [first = '', second = ''] = line.split(' ');
  return {
    line,
    status: first.startsWith('HTTP/') ? Number(second) : 0,
    method: first,
    target: second,
    head,
    fields,
    field(name) {
      const values = fields
        .filter((one) => one.slice(0, one.indexOf(':')).toLowerCase() === name)
        .map((one) => one.slice(one.indexOf(':') + 1).trim());
      return values.length === 0 ? undefined : values.join(', ');
    },
    body: '',
    trailers: [],
  };
}

/** A client: connects to a port or a unix socket. */
export async function client(t: TestContext, where: number | string): Promise<Peer> {
  const address: NetConnectOpts = typeof where === 'number' ? { port: where, host: '127.0.0.1' } : { path: where };
  const socket = connect({ ...address, allowHalfOpen: true });
  t.after(() => socket.destroy());
  const peer = new Peer(socket);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return peer;
}

export interface ScriptedOrigin {
  readonly port: number;
  readonly url: string;
  /** Every connection that came, in order. */
  readonly connections: Peer[];
  /** Requests in hand now, and the most there ever were: kept by `server`. */
  busy: number;
  mostBusy: number;
  /** Every request that `server` read. */
  readonly requests: Message[];
  /** Stops listening; connections stay. */
  refuse(): Promise<void>;
  /** Listens again on the same port. */
  listen(): Promise<void>;
}

/** An origin that does as the script says with each connection. What the script throws fails the test. */
export async function origin(
  t: TestContext,
  script: (peer: Peer, nth: number, self: ScriptedOrigin) => Promise<void> | void,
  path?: string,
): Promise<ScriptedOrigin> {
  const failures: unknown[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const peer = new Peer(socket);
    self.connections.push(peer);
    void (async () => {
      try {
        await script(peer, self.connections.length - 1, self);
      } catch (error) {
        if (!(error instanceof PeerClosed)) failures.push(error);
      }
    })();
  });
  const listen = (where: object): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(where, () => {
        server.off('error', reject);
        resolve();
      });
    });
  let held: Socket | null = null;
  const refuse = async (): Promise<void> => {
    await new Promise<void>((resolve) => (server.close(() => {}), setImmediate(resolve)));
    if (path === undefined) held ??= await hold(t, port);
  };
  await listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path });
  const bound = server.address();
  const port = path === undefined ? (bound as AddressInfo).port : 0;
  const self: ScriptedOrigin = {
    port,
    url: path === undefined ? `http://127.0.0.1:${port}` : `unix:${path}`,
    connections: [],
    requests: [],
    busy: 0,
    mostBusy: 0,
    refuse,
    async listen() {
      await listen({ port, host: '127.0.0.1' });
      held?.resetAndDestroy();
      held = null;
    },
  };
  t.after(() => {
    held?.destroy();
    server.close(() => {});
    for (const peer of self.connections) peer.close();
    if (failures.length > 0) throw failures[0];
  });
  return self;
}

/**
 * Keeps a port on which nobody listens from being handed out to somebody else: a connection has it as its own. Whoever
 * connects to it is refused all the same, and whoever says that he wants this port may listen on it.
 */
async function hold(t: TestContext, port: number): Promise<Socket | null> {
  const anchor = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => anchor.listen(0, '127.0.0.1', resolve));
  const { port: anchored } = anchor.address() as AddressInfo;
  const socket = connect({ port: anchored, host: '127.0.0.1', localAddress: '127.0.0.1', localPort: port });
  t.after(() => socket.destroy());
  const held = await new Promise<boolean>((resolve) =>
    socket.once('connect', () => resolve(true)).on('error', () => resolve(false)),
  );
  anchor.close();
  return held ? socket : null;
}

/** An origin that reads whole requests and answers each; ends with the connection. */
export function server(
  t: TestContext,
  answer: (
    request: Message,
    peer: Peer,
    self: ScriptedOrigin,
  ) => Promise<string | Buffer | void> | string | Buffer | void,
  path?: string,
): Promise<ScriptedOrigin> {
  return origin(
    t,
    async (peer, _nth, self) => {
      for (;;) {
        const request = await peer.request();
        if (request === undefined) return peer.fin();
        self.requests.push(request);
        self.mostBusy = Math.max(self.mostBusy, ++self.busy);
        try {
          const bytes = await answer(request, peer, self);
          if (bytes !== undefined) peer.send(bytes);
        } finally {
          self.busy--;
        }
      }
    },
    path,
  );
}

/** An answer with a length. */
export function ok(body = 'ok', lines = ''): string {
  return `HTTP/1.1 200 OK\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;
}

export function get(target = '/', lines = ''): string {
  return `GET ${target} HTTP/1.1\r\nHost: example.org\r\n${lines}\r\n`;
}

export function post(body: string, target = '/', lines = ''): string {
  return `POST ${target} HTTP/1.1\r\nHost: example.org\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until this holds. */
export async function eventually(holds: () => boolean, what: string | (() => string)): Promise<void> {
  const stop = Date.now() + PATIENCE;
  while (!holds()) {
    if (Date.now() > stop) throw new Error(`${typeof what === 'string' ? what : what()}: did not come about`);
    await sleep(5);
  }
}

/**
 * The URL of an origin to which nobody can connect and which refuses nobody: its queue of connections that wait to be
 * accepted is full, and it never accepts one.
 */
export async function deafOrigin(t: TestContext): Promise<string> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       // In the same turn: it must not accept a single one.
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true },
  );
  const [port] = (await once(worker, 'message')) as [number];
  const fillers: Socket[] = [];
  t.after(async () => {
    for (const one of fillers) one.destroy();
    await worker.terminate();
  });
  for (;;) {
    const socket = connect({ port, host: '127.0.0.1' }).on('error', () => {});
    fillers.push(socket);
    await Promise.race([once(socket, 'connect'), sleep(300)]);
    // After a standstill of this process timers come first, and what has long happened is told in the turn that follows.
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    if (socket.connecting) return `http://127.0.0.1:${port}`;
  }
}
