import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { DecodedPacket } from 'dns-packet';
import type { Clock } from '../core/clock.ts';
import { decodeAnswer, encodeQuestion, rcodeOf, type Question } from './dns-message.ts';
import { showServer, type DnsServer } from './server.ts';

/**
 * Datagrams that are no answer to our question, from the server's own address, before we ask over TCP: somebody may be
 * guessing our id, and TCP cannot be forged that way.
 */
const MOST_STRAYS = 16;

/** Nobody could answer. The message says who was asked and what came. */
class DnsFailure extends Error {}

/** Questions that are under way at a time; others wait. Each has a socket. */
const MOST_AT_ONCE = 64;

/**
 * Asks DNS servers: over UDP, then over TCP for what does not fit. Node's own resolver tells no TTL of SRV records, and
 * takes SERVFAIL from the first server as the last word (it sets ARES_FLAG_NOCHECKRESP), so that a second server helps
 * only against silence.
 */
export class DnsClient {
  readonly #clock: Clock;
  /** Ends what is under way. */
  readonly #open = new Set<() => void>();
  readonly #waiting: (() => void)[] = [];
  #asking = 0;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The answer of the first server that has one; NXDOMAIN is one.
   *
   * @param timeout milliseconds for each question to each server
   * @param tries how often each server is asked
   * @throws DnsFailure
   */
  async ask(question: Question, servers: readonly DnsServer[], timeout: number, tries: number): Promise<DecodedPacket> {
    if (this.#asking >= MOST_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#asking++;
    try {
      return await this.#askAll(question, servers, timeout, tries);
    } finally {
      this.#asking--;
      this.#waiting.shift()?.();
    }
  }

  async #askAll(
    question: Question,
    servers: readonly DnsServer[],
    timeout: number,
    tries: number,
  ): Promise<DecodedPacket> {
    if (servers.length === 0) throw new DnsFailure('no DNS server is known: set resolver.servers');
    const failures = new Map<string, string>();
    for (let round = 0; round < tries; round++) {
      for (const server of servers) {
        if (this.#closed) throw new DnsFailure('the resolver is closed');
        try {
          return await this.#askOne(server, question, timeout);
        } catch (error) {
          failures.set(showServer(server), error instanceof Error ? error.message : String(error));
        }
      }
    }
    const texts = [...failures].map(([server, why]) => `${why} from ${server}`);
    throw new DnsFailure(texts.join(', '));
  }

  /** What is under way fails at once, and so does whatever comes. */
  close(): void {
    this.#closed = true;
    for (const end of this.#open) end();
  }

  async #askOne(server: DnsServer, asked: Question, timeout: number): Promise<DecodedPacket> {
    for (const edns of [true, false]) {
      const id = randomInt(0x1_0000);
      const question = encodeQuestion(id, asked, edns);
      let packet = await this.#udp(server, question, timeout, (bytes) => decodeAnswer(bytes, id, asked));
      if (packet === null || packet.flag_tc) {
        packet = await this.#tcp(server, question, timeout, (bytes) => decodeAnswer(bytes, id, asked));
      }
      const rcode = rcodeOf(packet);
      if (rcode === 'NOERROR' || rcode === 'NXDOMAIN') return packet;
      // Servers from before EDNS say that they do not understand it (RFC 6891 §7).
      if (!edns || (rcode !== 'FORMERR' && rcode !== 'NOTIMP')) throw new DnsFailure(rcode);
    }
    throw new DnsFailure('FORMERR');
  }

  /** The answer, or `null` when there is too much noise to tell it. A socket and so a port for each question. */
  #udp(
    server: DnsServer,
    question: Buffer,
    timeout: number,
    read: (bytes: Buffer) => DecodedPacket | undefined,
  ): Promise<DecodedPacket | null> {
    return this.#within(timeout, (resolve, reject) => {
      const socket = createSocket(server.host.includes(':') ? 'udp6' : 'udp4');
      let strays = 0;
      socket.on('error', (error: NodeJS.ErrnoException) => reject(new DnsFailure(error.code ?? error.message)));
      socket.on('message', (bytes) => {
        const packet = read(bytes);
        if (packet !== undefined) resolve(packet);
        else if (++strays >= MOST_STRAYS) resolve(null);
      });
      // Connected, so that the kernel drops what others send, and tells us when nobody listens there.
      socket.connect(server.port, server.host, (error?: Error) => {
        if (error) reject(error);
        else socket.send(question);
      });
      return () => socket.close();
    });
  }

  #tcp(
    server: DnsServer,
    question: Buffer,
    timeout: number,
    read: (bytes: Buffer) => DecodedPacket | undefined,
  ): Promise<DecodedPacket> {
    return this.#within(timeout, (resolve, reject) => {
      const socket = connect({ host: server.host, port: server.port, noDelay: true });
      let held = Buffer.alloc(0);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(question.length);
      socket.write(Buffer.concat([length, question]));
      socket.on('error', (error: NodeJS.ErrnoException) => reject(new DnsFailure(error.code ?? error.message)));
      socket.on('close', () => reject(new DnsFailure('a cut off answer')));
      socket.on('data', (bytes: Buffer) => {
        held = Buffer.concat([held, bytes]);
        if (held.length < 2 || held.length < 2 + held.readUInt16BE()) return;
        const packet = read(held.subarray(2, 2 + held.readUInt16BE()));
        if (packet === undefined) reject(new DnsFailure('a malformed answer'));
        else resolve(packet);
      });
      return () => socket.destroy();
    });
  }

  /** Runs until it resolves, rejects, takes too long, or everything ends; then calls what `start` returned. */
  #within<Result>(
    timeout: number,
    start: (resolve: (result: Result) => void, reject: (error: Error) => void) => () => void,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      let over = false;
      let stop: (() => void) | null = null;
      const finish = (settle: () => void): void => {
        if (over) return;
        over = true;
        cancel();
        this.#open.delete(end);
        stop?.();
        settle();
      };
      const end = (): void => finish(() => reject(new DnsFailure('nothing')));
      const cancel = this.#clock.after(
        timeout,
        () => finish(() => reject(new DnsFailure(`no answer within ${timeout} ms`))),
        'idle',
      );
      this.#open.add(end);
      stop = start(
        (result) => finish(() => resolve(result)),
        (error) => finish(() => reject(error)),
      );
      // It may have been over before there was anything to stop.
      if (over) stop();
    });
  }
}
