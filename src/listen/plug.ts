import { Socket } from 'node:net';

/** Connections to ourselves that are made at once to find out which ports lead here. */
const TRIES = 8;
/** Ports to try from: below those that Linux hands out, where other clients have theirs. */
const PORTS = { first: 20_000, count: 12_000 };

/** The part of a socket's handle that tells at once whether it is connected. */
interface Connecting {
  readonly _handle?: { getpeername?: (out: object) => number } | null;
}

/**
 * Keeps everybody else out of a listening socket's queue, so that nobody waits in it when the socket closes.
 *
 * The system spreads clients over all sockets that listen on an address, by a hash of both ends' addresses, and resets
 * those in the queue of one that closes. With a queue of one place, a connection of our own in that place has the system
 * ignore what else comes; clients ask again after a second and are led to another socket. Whether our connection lies in
 * our queue, and not in another process's, is known by its port: it comes from one that has led here before.
 */
export class Plug {
  readonly #host: string;
  readonly #port: number;
  readonly #random: () => number;
  readonly #tried = new Map<number, Socket>();
  /** The ports that lead to us. */
  readonly #ours: number[] = [];
  readonly #plugs: Socket[] = [];

  /** @param host what the socket listens on */
  constructor(host: string, port: number, random: () => number) {
    this.#host = host === '::' || host === '0.0.0.0' ? '127.0.0.1' : host;
    this.#port = port;
    this.#random = random;
  }

  /** Begins to find out; `false`: it takes a moment, and may have to be done again. */
  probe(): boolean {
    for (let i = 0; i < TRIES; i++) {
      const port = PORTS.first + Math.floor(this.#random() * PORTS.count);
      if (!this.#tried.has(port)) this.#tried.set(port, this.#connect(port));
    }
    return false;
  }

  /** A client that has come in is one of ours: to be thrown away. */
  takes(address: string, port: number): boolean {
    if (address !== this.#host) return false;
    const socket = this.#tried.get(port);
    // One that could not have its port is destroyed by now, and this is somebody else's connection from there.
    if (socket === undefined || socket.destroyed) return false;
    this.#ours.push(port);
    // With a reset, or the port would be in use for a minute.
    socket.resetAndDestroy();
    return true;
  }

  /** At least one port leads here. */
  get fits(): boolean {
    return this.#ours.length > 0;
  }

  /**
   * Tries to take the queue's one place; `false`: a client waits there, who has to be let in first. Resolves before the
   * event loop turns, so the answer holds for whoever goes on at once.
   */
  async put(): Promise<boolean> {
    const [port] = this.#ours;
    const socket = this.#connect(port);
    this.#plugs.push(socket);
    // Node connects in the next tick, and on one machine the handshake is over when `connect` returns.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    const within = (socket as Connecting)._handle?.getpeername?.({}) === 0;
    if (!within) socket.destroy();
    return within;
  }

  /** Ends all connections that this has made. */
  close(): void {
    for (const socket of [...this.#tried.values(), ...this.#plugs]) socket.resetAndDestroy();
  }

  #connect(localPort: number): Socket {
    const socket = new Socket();
    // The port is in use, or nobody listens any more: then there is one fewer.
    socket.on('error', () => {});
    socket.connect({ host: this.#host, port: this.#port, localAddress: this.#host, localPort });
    return socket;
  }
}
