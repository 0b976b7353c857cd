/**
 * HTTP/2 from the origin's side, written apart from the codec: makes the frames that an origin sends, reads those that it gets,
 * and feeds a session in any pieces while writing down what its sinks hear.
 */
import type { TestContext } from 'node:test';
import { HpackDecoder } from '../../src/codec/h2/hpack-decoder.ts';
import { Http2Session } from '../../src/codec/h2/session.ts';
import type { RequestTarget } from '../../src/codec/codec.ts';
import type { Request } from '../../src/core/request.ts';
import { requestOf } from './request.ts';
import { origin, type Peer, type ScriptedOrigin } from './scripted.ts';
import { feed, Heard, Sent, TARGET } from './session.ts';

const TYPES = [
  ...['DATA', 'HEADERS', 'PRIORITY', 'RST_STREAM', 'SETTINGS', 'PUSH_PROMISE', 'PING', 'GOAWAY', 'WINDOW_UPDATE'],
  'CONTINUATION',
];
export const ERRORS = [
  ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED'],
  ...['FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM'],
  ...['INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED'],
];
const SETTINGS: Readonly<Record<string, number>> = {
  table: 1,
  push: 2,
  streams: 3,
  window: 4,
  frame: 5,
  head: 6,
  connect: 8,
};
export const OPTIONS = { streams: 100, window: 262_144 };
export const LIMITS = { head: 32_768, fields: 100 };

/** One frame as it travels. */
export function frame(type: string | number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = typeof type === 'number' ? type : TYPES.indexOf(type);
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

export function word(...values: number[]): Buffer {
  return Buffer.concat(
    values.map((value) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes;
    }),
  );
}

export function settings(some: Readonly<Record<string, number>> = {}): Buffer {
  const payload = Object.entries(some).map(([name, value]) => {
    const bytes = Buffer.alloc(6);
    bytes.writeUInt16BE(SETTINGS[name] ?? Number(name));
    bytes.writeUInt32BE(value, 2);
    return bytes;
  });
  return frame('SETTINGS', 0, 0, Buffer.concat(payload));
}

/** Fields without tables and without Huffman's code: what any encoder may do. */
export function fieldsOf(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), textOf(name), textOf(value)]));
}

function textOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const size = [127];
  let left = bytes.length - 127;
  for (; left >= 128; left >>>= 7) size.push((left & 127) | 128);
  return Buffer.concat([Buffer.from([...size, left]), bytes]);
}

/** HEADERS with everything in one frame. */
export function headers(stream: number, fields: Readonly<Record<string, string>>, ends = false): Buffer {
  return frame('HEADERS', ends ? 5 : 4, stream, fieldsOf(Object.entries(fields)));
}

export function data(stream: number, content: Buffer | string, ends = false): Buffer {
  return frame('DATA', ends ? 1 : 0, stream, content);
}

export interface ReadFrame {
  readonly type: string;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export const MAGIC = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

/** Reads what one side sends; throws on anything that the other would not take. */
export class FrameLog {
  readonly frames: ReadFrame[] = [];
  readonly #hpack = new HpackDecoder(4096);
  #rest: Buffer = Buffer.alloc(0);
  #magic: boolean;
  #block: Buffer[] = [];
  /** Requests, or answers, by their stream: fields, and what came of the body. */
  readonly requests = new Map<number, { fields: [string, string][]; body: string; ended: boolean; trailers: string }>();

  /** @param server it is what a server sends: there is no preface */
  constructor(server = false) {
    this.#magic = server;
  }

  read(bytes: Buffer): this {
    let all = Buffer.concat([this.#rest, bytes]);
    if (!this.#magic && all.length >= 24) {
      if (all.latin1Slice(0, 24) !== MAGIC) throw new Error('no preface');
      this.#magic = true;
      all = all.subarray(24);
    }
    while (this.#magic && all.length >= 9) {
      const length = all.readUIntBE(0, 3);
      if (all.length < 9 + length) break;
      const one = {
        type: TYPES[all[3]] ?? `type ${all[3]}`,
        flags: all[4],
        stream: all.readUInt32BE(5),
        payload: Buffer.from(all.subarray(9, 9 + length)),
      };
      this.frames.push(one);
      this.#note(one);
      all = all.subarray(9 + length);
    }
    this.#rest = all;
    return this;
  }

  /** `RST_STREAM 1 CANCEL`, `GOAWAY PROTOCOL_ERROR`, `WINDOW_UPDATE 0 5`: what answers the origin, not what asks it. */
  get replies(): string[] {
    return this.frames.slice(2).flatMap(({ type, flags, stream, payload }) => {
      switch (type) {
        case 'RST_STREAM':
          return [`${type} ${stream} ${ERRORS[payload.readUInt32BE()]}`];
        case 'GOAWAY':
          return [`${type} ${ERRORS[payload.readUInt32BE(4)]}`];
        case 'WINDOW_UPDATE':
          return [`${type} ${stream} ${payload.readUInt32BE()}`];
        case 'PING':
        case 'SETTINGS':
          return [`${type}${(flags & 1) === 1 ? ' ACK' : ''}`];
        default:
          return [];
      }
    });
  }

  #note({ type, flags, stream, payload }: ReadFrame): void {
    if (type === 'HEADERS' || type === 'CONTINUATION') {
      this.#block.push(payload);
      let known = this.requests.get(stream);
      const trailers = known !== undefined && known.fields.length > 0;
      if (known === undefined)
        this.requests.set(stream, (known = { fields: [], body: '', ended: false, trailers: '' }));
      if ((flags & 1) === 1 && type === 'HEADERS') known.ended = true;
      if ((flags & 4) === 0) return;
      const block = Buffer.concat(this.#block);
      this.#block = [];
      const fields: [string, string][] = [];
      const sink = { field: (one: { name: string; value: string }) => void fields.push([one.name, one.value]) };
      if (!this.#hpack.read(block, 0, block.length, sink)) throw new Error(this.#hpack.detail);
      if (trailers) known.trailers = fields.map((field) => field.join(': ')).join('\n');
      else known.fields = fields;
    } else if (type === 'DATA') {
      const known = this.requests.get(stream);
      if (known === undefined) throw new Error('data before a head');
      if (known.ended) throw new Error('data after the end');
      known.body += payload.latin1Slice();
      known.ended = (flags & 1) === 1;
    }
  }
}

export class Client {
  readonly sent = new Sent();
  readonly log = new FrameLog();
  readonly session: Http2Session;
  readonly heard: Heard[] = [];

  constructor(options: Partial<typeof OPTIONS> = {}, limits = LIMITS, first = 1) {
    this.session = new Http2Session({ ...OPTIONS, ...options }, this.sent, limits, {}, first);
  }

  /** Opens an exchange: `POST /x HTTP/1.1` and lines. */
  ask(line = 'GET / HTTP/1.1', some: Partial<Request> = {}, target: Partial<RequestTarget> = {}): number {
    const request = requestOf(line, 'Host: a');
    Object.assign(request, some);
    return this.open(request, target);
  }

  open(request: Request, target: Partial<RequestTarget> = {}): number {
    const heard = new Heard();
    const id = this.session.open(request, { ...TARGET, ...target }, heard);
    if (typeof id === 'string') throw new Error(id);
    this.heard[id] = heard;
    return id;
  }

  body(id: number, text: string): void {
    const bytes = Buffer.from(`..${text}..`, 'latin1');
    this.session.body(id, bytes, 2, bytes.length - 2);
    bytes.fill(0x58);
  }

  hear(...pieces: Buffer[]): this {
    for (const piece of pieces) feed(this.session, piece);
    return this;
  }

  /** What has been sent until now. */
  get out(): FrameLog {
    return this.log.read(this.sent.take());
  }

  events(id = 0): string[] {
    const { events, content, detail } = this.heard[id];
    const shown = events.map((event) => (event.startsWith('error') && detail !== '' ? `${event}: ${detail}` : event));
    return content === '' ? shown : [...shown, `body ${content}`];
  }
}

/** One connection to a scripted origin. */
export interface Conversation {
  readonly peer: Peer;
  readonly log: FrameLog;
  send(...frames: Buffer[]): void;
}

export interface H2Origin extends ScriptedOrigin {
  readonly h2: string;
  readonly conversations: Conversation[];
}

/**
 * An origin on raw sockets that begins with these SETTINGS, and whose script hears each frame that comes, when it is
 * complete.
 * @param begins the SETTINGS of each connection; `null`: the script sends them
 */
export async function h2Origin(
  t: TestContext,
  begins: Readonly<Record<string, number>> | ((nth: number) => Readonly<Record<string, number>> | null),
  script: (one: ReadFrame, conversation: Conversation, nth: number) => void,
): Promise<H2Origin> {
  const conversations: Conversation[] = [];
  const made = await origin(t, async (peer, nth) => {
    const conversation: Conversation = {
      peer,
      log: new FrameLog(),
      send: (...frames) => peer.send(Buffer.concat(frames)),
    };
    conversations.push(conversation);
    const first = typeof begins === 'function' ? begins(nth) : begins;
    if (first !== null) peer.send(settings(first));
    conversation.log.read(Buffer.from(await peer.bytes(24), 'latin1'));
    for (;;) {
      const head = await peer.bytes(9);
      const length = Buffer.from(head, 'latin1').readUIntBE(0, 3);
      const { frames } = conversation.log.read(Buffer.from(head + (await peer.bytes(length)), 'latin1'));
      const last = frames[frames.length - 1];
      // As every server does.
      if (first !== null && last.type === 'SETTINGS' && (last.flags & 1) === 0) peer.send(frame('SETTINGS', 1, 0));
      script(last, conversation, nth);
    }
  });
  return Object.assign(made, { h2: `h2c://127.0.0.1:${made.port}`, conversations });
}
