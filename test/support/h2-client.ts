/** A client of HTTP/2 on a raw socket, which sends exactly the frames it is told to. */
import type { Line } from './line.ts';
import { FrameLog, headers, MAGIC, settings } from './h2.ts';
import { eventually, type Peer } from './scripted.ts';

/** What a stream has got. */
interface Got {
  readonly status: string | undefined;
  field(name: string): string | undefined;
  readonly body: string;
  readonly ended: boolean;
  readonly trailers: string;
}

export class H2Client {
  readonly peer: Peer;
  readonly log: FrameLog = new FrameLog(true);
  /** The connection is over. */
  closed = false;

  constructor(peer: Peer) {
    this.peer = peer;
    void this.#read();
  }

  send(...frames: (Buffer | string)[]): void {
    this.peer.send(Buffer.concat(frames.map((one) => (typeof one === 'string' ? Buffer.from(one, 'latin1') : one))));
  }

  got(stream: number): Got {
    const { fields = [], body = '', ended = false, trailers = '' } = this.log.requests.get(stream) ?? {};
    const field = (name: string): string | undefined => fields.find(([key]) => key === name)?.[1];
    return { status: field(':status'), field, body, ended, trailers };
  }

  /** The whole answer, and that it was not cut. */
  async answer(stream: number): Promise<Got> {
    await eventually(
      () => this.got(stream).ended || this.closed,
      () => `the answer of stream ${stream}; got ${this.log.replies.join(', ')}`,
    );
    return this.got(stream);
  }

  /** What came besides answers: `RST_STREAM 1 CANCEL`. */
  get replies(): string[] {
    return this.log.replies;
  }

  async replied(what: string): Promise<void> {
    await eventually(
      () => this.replies.includes(what),
      () => `${what}; got ${this.replies.join(', ')}`,
    );
  }

  async end(): Promise<void> {
    await eventually(() => this.closed, 'the end of the connection');
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const head = await this.peer.bytes(9);
        const length = Buffer.from(head, 'latin1').readUIntBE(0, 3);
        this.log.read(Buffer.from(head + (await this.peer.bytes(length)), 'latin1'));
      }
    } catch {
      this.closed = true;
    }
  }
}

/** A connection that has begun with the preface and these settings. */
export async function h2Client(line: Line, some: Readonly<Record<string, number>> = {}): Promise<H2Client> {
  const client = new H2Client(await line.connect());
  client.send(MAGIC, settings(some));
  return client;
}

export const GET: Readonly<Record<string, string>> = {
  ':method': 'GET',
  ':scheme': 'http',
  ':authority': 'example.org',
  ':path': '/',
};
export const POST: Readonly<Record<string, string>> = { ...GET, ':method': 'POST' };

/** The head of a request without a body. */
export function ask(stream: number, fields: Readonly<Record<string, string>> = {}): Buffer {
  return headers(stream, { ...GET, ...fields }, true);
}
