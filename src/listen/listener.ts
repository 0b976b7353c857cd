import { type AddressInfo, createServer, isIPv6, type ListenOptions, type Server, Socket } from 'node:net';
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { Board, takeOne } from '../core/board.ts';
import type { Clock } from '../core/clock.ts';
import type { Networks } from '../core/networks.ts';
import { errorAnswer, phraseOf } from '../core/error-answer.ts';
import { SluiceError } from '../core/errors.ts';
import type { ClientAddress, Exchange } from '../core/exchange.ts';
import { METER } from '../core/meter.ts';
import { Request } from '../core/request.ts';
import type { Tally } from '../core/tally.ts';
import type { Wheel } from '../core/wheel.ts';
import type { WireLike } from '../core/wire.ts';
import { Wire } from '../wire/wire.ts';
import type { Intake } from './intake.ts';
import { FIRST_LINE } from '../codec/h2/frames.ts';
import { DateLine } from './answer-writer.ts';
import { Connection } from './connection.ts';
import { Plug } from './plug.ts';
import type { ListenAddress } from './address.ts';
import type { ClientConnection, ClientLimits, ClientTimeouts, ConnectionHost } from './host.ts';
import { Http2Connection } from './http2/connection.ts';

/** Requests whose memory is kept for the next ones. */
const KEPT_REQUESTS = 1024;
/** Clients that may be told at the same time that there is no room for them, and the milliseconds that may take. */
const TURNED_AWAY = 100;
const MOMENT = 1000;

export interface ListenerOptions {
  /** For logs: as the user wrote it. */
  readonly name: string;
  readonly address: ListenAddress;
  readonly http2: boolean;
  readonly limits: ClientLimits;
  readonly timeouts: ClientTimeouts;
  /** Peers whose `X-Forwarded-*` are believed. */
  readonly trusted: Networks;
  /** Take connections as Node's own sockets even where their handles can be had. For the test of that way. */
  readonly plainSockets?: boolean;
}

/** What a listener hands its exchanges to. */
export interface ListenerApp {
  readonly clock: Clock;
  readonly wheel: Wheel;
  handle(exchange: Exchange): void;
  done(exchange: Exchange): void;
  /** A connection was turned away or went wrong before it had an exchange. */
  refused(listener: string, address: string, code: 'too-many-connections'): void;
  defect(error: unknown): void;
}

/** Milliseconds that leaving a shared address may take: longer only than a long queue on a busy machine. */
const LEAVING = 1000;
/** How often it is looked whether the next step of that can be done, in milliseconds. */
const LOOK = 5;

/** How an address is bound. */
export interface Binding {
  /** The port that another thread has bound already. */
  readonly port?: number | undefined;
  /** Others may listen on the same address: the system spreads connections over them (SO_REUSEPORT). */
  readonly sharing: boolean;
  /** The address may be in use by a process that is about to leave. */
  readonly takeover: boolean;
}

/** The words of a listener's board: its connections in all threads, and whether a thread is just leaving the address. */
const CONNECTIONS = 0;
const LEAVES = 1;

/** The accepting side of libuv's handles, as far as it is used here. */
interface AcceptHandle {
  onconnection?: (this: unknown, status: number, client: unknown) => void;
  listen?(backlog: number): number;
}

/** One socket that accepts clients, and the connections that came by it. */
export class Listener implements ConnectionHost {
  name: string;
  limits: ClientLimits;
  timeouts: ClientTimeouts;
  readonly clock: Clock;
  readonly wheel: Wheel;
  readonly date: DateLine;
  draining = false;
  /** Nobody may finish any more, whoever comes in while the system's queue is emptied included. */
  #cut = false;
  #options: ListenerOptions;
  readonly #app: ListenerApp;
  /** What the listener's threads share. */
  readonly board: Board;
  readonly #server: Server;
  readonly #connections = new Set<ClientConnection>();
  /** Clients that are being told that there is no room. */
  readonly #turnedAway = new Set<Socket>();
  readonly #perAddress = new Map<string, number>();
  /** The same over all threads; `null` when there is only this one, or no limit. */
  #tally: Tally | null = null;
  readonly #requests: Request[] = [];
  #port = 0;
  #sharing = false;
  readonly #empty = Promise.withResolvers<void>();
  readonly #unbound = Promise.withResolvers<void>();
  #drained: Promise<void> | null = null;
  /** Set while a shared address is being left. */
  #plug: Plug | null = null;

  constructor(options: ListenerOptions, app: ListenerApp, board: Board = new Board()) {
    this.board = board;
    this.#options = options;
    this.#app = app;
    this.name = options.name;
    this.limits = options.limits;
    this.timeouts = options.timeouts;
    this.clock = app.clock;
    this.wheel = app.wheel;
    this.date = new DateLine(app.clock);
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket, true));
  }

  /** Binds. Rejects with the system's error (`EADDRINUSE`, `EACCES`, …). */
  async open({ port, sharing, takeover }: Binding = { sharing: false, takeover: false }): Promise<void> {
    const { address } = this.#options;
    this.#sharing = sharing;
    let where: ListenOptions;
    if (address.kind === 'unix') {
      await removeStale(address.path);
      where = { path: address.path };
    } else {
      where = { port: port ?? address.port, ...(address.host === '' ? {} : { host: address.host }) };
      // A shared address can be bound by any number of processes. Whether it is free shows a socket that does not share.
      if (sharing && port === undefined && !takeover) where.port = await freePort(where);
      if (sharing) where.reusePort = true;
    }
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ ...where, backlog: 4096 }, () => {
        this.#server.off('error', reject);
        // Running out of descriptors ends up here; connections in being are not touched by it.
        this.#server.on('error', (error) => this.#app.defect(error));
        resolve();
      });
    });
    if (address.kind === 'unix' && address.mode >= 0) chmodSync(address.path, address.mode);
    const bound = this.#server.address();
    this.#port = bound !== null && typeof bound === 'object' ? bound.port : 0;
    if (this.#options.plainSockets !== true) this.#acceptHandles();
  }

  /** Goes over to other limits; connections in being keep what they began with where it has been used already. */
  update(options: ListenerOptions): void {
    this.#options = options;
    this.name = options.name;
    this.limits = options.limits;
    this.timeouts = options.timeouts;
  }

  /** Counts connections by address together with other threads from now on, those in being included. */
  countTogether(tally: Tally | null): void {
    this.#tally = tally;
    if (tally === null) return;
    for (const [address, count] of this.#perAddress) for (let i = 0; i < count; i++) tally.add(address, 1);
  }

  /** The address in use: `http://host:port`, or `unix:path`. */
  get url(): string {
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') return `unix:${bound ?? ''}`;
    const host = bound.address === '::' || bound.address === '0.0.0.0' ? 'localhost' : bound.address;
    return `http://${isIPv6(host) ? `[${host}]` : host}:${bound.port}`;
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Accepts nobody any more, lets exchanges finish; resolves when the last connection is gone. */
  /** @param handover another process listens on the same address, and is to get everybody who comes from now on */
  drain(handover = false): Promise<void> {
    return (this.#drained ??= this.#drain(handover));
  }

  /** Resolves when `drain` has given the address up. */
  get unbound(): Promise<void> {
    return this.#unbound.promise;
  }

  async #drain(handover: boolean): Promise<void> {
    if (this.#sharing && handover && !this.#cut) await this.#emptyQueue();
    this.draining = true;
    this.#server.close();
    if (this.#plug !== null) {
      this.#plug.close();
      this.#plug = null;
      Atomics.store(this.board.words, LEAVES, 0);
    }
    this.#unbound.resolve();
    for (const socket of this.#turnedAway) socket.destroy();
    for (const connection of [...this.#connections]) connection.drain();
    if (this.#cut) this.abort();
    if (this.#connections.size > 0) await this.#empty.promise;
  }

  /** Cuts what is left; returns how many connections were in the midst of something. */
  abort(): number {
    this.#cut = true;
    return [...this.#connections].filter((connection) => connection.abort()).length;
  }

  // ---- for connections

  takeRequest(): Request {
    return this.#requests.pop() ?? new Request();
  }

  giveRequest(request: Request): void {
    if (this.#requests.length >= KEPT_REQUESTS) return;
    request.clear();
    this.#requests.push(request);
  }

  handle(exchange: Exchange): void {
    this.#app.handle(exchange);
  }

  done(exchange: Exchange): void {
    this.#app.done(exchange);
  }

  switchToHttp2(connection: ClientConnection, wire: WireLike, intake: Intake): boolean {
    if (!this.#options.http2 || !intake.startsWith(FIRST_LINE)) return false;
    this.#connections.delete(connection);
    const next = new Http2Connection(this, connection.client, wire);
    this.#connections.add(next);
    next.begin(intake.take() as Buffer);
    return true;
  }

  left(connection: ClientConnection): void {
    if (!this.#connections.delete(connection)) return;
    Atomics.sub(this.board.words, CONNECTIONS, 1);
    this.board.meter[METER.held]--;
    const { address } = connection.client;
    this.#tally?.add(address, -1);
    const count = (this.#perAddress.get(address) ?? 1) - 1;
    if (count <= 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, count);
    if (this.draining && this.#connections.size === 0) this.#empty.resolve();
  }

  defect(error: unknown): void {
    this.#app.defect(error);
  }

  // ---- inside

  /**
   * Takes accepted handles before Node wraps them, so that their sockets read into our memory from the start and only
   * one socket object is made for each. Where a release of Node hides the handle, connections arrive as sockets with
   * 'data' events instead: slower, otherwise the same.
   */
  #acceptHandles(): void {
    const handle = (this.#server as Server & { _handle?: AcceptHandle | null })._handle;
    if (typeof handle?.onconnection !== 'function') return;
    handle.onconnection = (status, client) => {
      if (this.#plug !== null && this.#isPlug(client)) return;
      if (status < 0) this.#app.defect(new SluiceError('internal', `accept failed: ${status}`));
      else this.#acceptHandle(client);
    };
  }

  /**
   * Takes in who has connected already before a shared address is given up, and lets nobody come after: the system resets
   * those who wait in the queue of a socket that closes, although another process listens on the same address.
   * When it resolves, `close` has to follow before the event loop turns. See decisions/012-takeover.md.
   */
  async #emptyQueue(): Promise<void> {
    const { _handle: handle } = this.#server as Server & { _handle?: AcceptHandle | null };
    const bound = this.#server.address();
    if (typeof handle?.listen !== 'function' || bound === null || typeof bound === 'string') return;
    // One thread after the other: each that leaves changes which of them a client is led to.
    await this.#waitFor(() => takeOne(this.board.words, LEAVES, 1));
    const plug = (this.#plug = new Plug(bound.address, bound.port, () => this.clock.random()));
    await this.#waitFor(() => plug.fits || plug.probe());
    handle.listen(0);
    const until = this.clock.now() + LEAVING;
    while (plug.fits && !this.#cut && this.clock.now() < until && !(await plug.put())) {
      // One client is let in at each turn of the event loop.
      await new Promise<void>((resolve) => this.clock.soon(resolve));
    }
  }

  async #waitFor(holds: () => boolean): Promise<void> {
    const until = this.clock.now() + LEAVING;
    while (!holds() && !this.#cut && this.clock.now() < until) {
      await new Promise<void>((resolve) => this.clock.after(LOOK, resolve));
    }
  }

  /** One of our own connections, by which a plug is fitted: it ends here. */
  #isPlug(client: unknown): boolean {
    const { address, port } = peerOf(client, '');
    if (this.#plug?.takes(address, port) !== true) return false;
    (client as { close(): void }).close();
    return true;
  }

  #acceptHandle(client: unknown): void {
    const raw = client as { setNoDelay?: (on: boolean) => void };
    raw.setNoDelay?.(true);
    let socket: Socket | undefined;
    const connection = this.#admit(client, (owner) => {
      const wire = new Wire(owner, this.limits.window);
      const options = { handle: client, allowHalfOpen: true, onread: wire.readInto(), readable: true, writable: true };
      socket = new Socket(options as never);
      wire.attach(socket, false);
      return wire;
    });
    if (connection === null) this.#turnAway(new Socket({ handle: client, allowHalfOpen: true } as never));
  }

  #accept(socket: Socket, byEvents: boolean): void {
    const connection = this.#admit(socket, (owner) => {
      const wire = new Wire(owner, this.limits.window);
      wire.attach(socket, byEvents);
      return wire;
    });
    if (connection === null) this.#turnAway(socket);
  }

  #admit(peer: unknown, makeWire: ConstructorParameters<typeof Connection>[2]): Connection | null {
    // A TCP peer without an address has reset the connection already: it goes the way of any other that breaks.
    const { address, port } = peerOf(peer, this.#options.address.kind === 'unix' ? 'unix:' : 'unknown');
    const { limits } = this;
    // Counted also without a limit: a reload may bring one.
    const count = this.#perAddress.get(address) ?? 0;
    if ((this.#tally?.count(address) ?? count) >= limits.connectionsPerAddress || this.draining)
      return this.#noRoom(address);
    if (!takeOne(this.board.words, CONNECTIONS, limits.connections)) return this.#noRoom(address);
    this.board.meter[METER.held]++;
    this.board.meter[METER.opened]++;
    this.#perAddress.set(address, count + 1);
    this.#tally?.add(address, 1);
    let own: string | undefined;
    const client: ClientAddress = {
      address,
      port,
      listener: this.name,
      scheme: 'http',
      localPort: this.#port,
      // Few ask, and asking is a system call.
      get localAddress() {
        return (own ??= ownAddressOf(peer));
      },
      trusted: this.#options.trusted.has(address),
      proxies: this.#options.trusted,
      meter: this.board.meter,
      lines: '',
    };
    const connection = new Connection(this, client, makeWire);
    this.#connections.add(connection);
    return connection;
  }

  #noRoom(address: string): null {
    this.board.meter[METER.refused]++;
    this.#app.refused(this.name, address, 'too-many-connections');
    return null;
  }

  /** Says why and closes, after a moment in which the client can read that; in a rush, without a word. */
  #turnAway(socket: Socket): void {
    if (this.draining || this.#turnedAway.size >= TURNED_AWAY) {
      socket.destroy();
      return;
    }
    this.#turnedAway.add(socket);
    const cancel = this.clock.after(MOMENT, () => socket.destroy(), 'idle');
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      cancel();
      this.#turnedAway.delete(socket);
    });
    // What it sends is read, or closing would reset the connection before it has the answer.
    socket.resume();
    const { status, lines, body } = errorAnswer('too-many-connections', '', '', 1);
    const head = `HTTP/1.1 ${status} ${phraseOf(status)}\r\n${lines}Content-Length: ${body.length}\r\n`;
    socket.end(`${head}Connection: close\r\n${this.date.get()}\r\n${body}`, 'latin1');
  }
}

/** The address of our end of a connection, likewise. */
function ownAddressOf(peer: unknown): string {
  const handle = peer as { getsockname?: (out: { address?: string }) => number } & { localAddress?: string };
  const out: { address?: string } = {};
  if (typeof handle.getsockname === 'function') handle.getsockname(out);
  return plainAddress(out.address ?? handle.localAddress ?? '');
}

/** An IPv4 address of a dual-stack socket in its own form. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** A peer's address from a raw handle or a socket; IPv4 peers of a dual-stack socket in their own form. */
function peerOf(peer: unknown, nameless: string): { address: string; port: number } {
  const handle = peer as { getpeername?: (out: { address?: string; port?: number }) => number } & {
    remoteAddress?: string;
    remotePort?: number;
  };
  const out: { address?: string; port?: number } = {};
  if (typeof handle.getpeername === 'function') handle.getpeername(out);
  const address = out.address ?? handle.remoteAddress;
  if (address === undefined || address === '') return { address: nameless, port: 0 };
  return { address: plainAddress(address), port: out.port ?? handle.remotePort ?? 0 };
}

/** Gives back what a thread that has died held of a listener. */
export function forgetConnections(board: Board, thread: number): void {
  const row = board.row(thread);
  Atomics.sub(board.words, CONNECTIONS, row[METER.held]);
  row[METER.held] = 0;
}

/** A port that nobody listens on: the given one, or any for 0. Rejects with the system's error when it is taken. */
async function freePort(where: ListenOptions): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen({ ...where, exclusive: true }, resolve);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** A socket file that nobody listens on is left over from a crash; one that answers is somebody else's. */
async function removeStale(path: string): Promise<void> {
  // Connecting to a plain file is refused as well, and that is somebody's file.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const inUse = await new Promise<boolean>((resolve) => {
    const probe = new Socket();
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
    probe.connect(path);
  }).catch(() => true);
  if (inUse) return;
  try {
    unlinkSync(path);
  } catch {
    // Gone meanwhile, or not ours to remove: listen will say so.
  }
}
