/**
 * FastCGI from the application's side, written apart from the codec: makes the records that an application sends, reads those
 * that it gets, and feeds a session in any pieces while writing down what its sink hears.
 */
import type { AnswerSink } from '../../src/core/answer.ts';
import type { Asker, RequestTarget } from '../../src/codec/codec.ts';
import { type CgiOptions, cgiSchema } from '../../src/codec/cgi/options.ts';
import { FastCgiSession } from '../../src/codec/fastcgi/session.ts';
import { exchangeOf } from './exchange.ts';
import { requestOf } from './request.ts';

export const TYPES = {
  begin: 1,
  abort: 2,
  end: 3,
  params: 4,
  stdin: 5,
  stdout: 6,
  stderr: 7,
  data: 8,
  getValues: 9,
  getValuesResult: 10,
  unknown: 11,
} as const;

/** One record as it travels. */
export function record(type: number, content: Buffer | string = '', padding = 0, id = 1): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  const head = Buffer.from([1, type, id >> 8, id & 255, bytes.length >> 8, bytes.length & 255, padding, 0]);
  return Buffer.concat([head, bytes, Buffer.alloc(padding, 0x7a)]);
}

export function stdout(text: Buffer | string, padding = 0): Buffer {
  return record(TYPES.stdout, text, padding);
}

/** END_REQUEST. */
export function ending(exit = 0, status = 0, padding = 0): Buffer {
  const content = Buffer.alloc(8);
  content.writeUInt32BE(exit);
  content[4] = status;
  return record(TYPES.end, content, padding);
}

export interface ReadRecord {
  readonly type: number;
  readonly id: number;
  readonly content: Buffer;
}

/** The complete records at the beginning of `bytes`, and how far they reach. */
export function readRecords(bytes: Buffer): { records: ReadRecord[]; used: number } {
  const records: ReadRecord[] = [];
  let used = 0;
  while (bytes.length - used >= 8) {
    if (bytes[used] !== 1) throw new Error(`version ${bytes[used]} at ${used}`);
    const size = bytes.readUInt16BE(used + 4);
    const whole = 8 + size + bytes[used + 6];
    if (bytes.length - used < whole) break;
    const content = Buffer.from(bytes.subarray(used + 8, used + 8 + size));
    records.push({ type: bytes[used + 1], id: bytes.readUInt16BE(used + 2), content });
    used += whole;
  }
  return { records, used };
}

/** The pairs of a PARAMS stream. Throws when one is cut off or there twice. */
function readPairs(stream: Buffer): Map<string, string> {
  const pairs = new Map<string, string>();
  let at = 0;
  const size = (): number => {
    if (stream[at] < 128) return stream[at++];
    const long = stream.readUInt32BE(at) & 0x7fffffff;
    at += 4;
    return long;
  };
  while (at < stream.length) {
    const name = size();
    const value = size();
    if (at + name + value > stream.length) throw new Error('a pair is cut off');
    const key = stream.latin1Slice(at, at + name);
    if (pairs.has(key)) throw new Error(`${key} is there twice`);
    pairs.set(key, stream.latin1Slice(at + name, at + name + value));
    at += name + value;
  }
  return pairs;
}

export interface ReadRequest {
  readonly role: number;
  readonly keep: boolean;
  readonly variables: Map<string, string>;
  readonly body: string;
  /** STDIN has ended. */
  readonly complete: boolean;
  readonly aborted: boolean;
}

/** What an application makes of the records of one request. */
export function requestFrom(records: readonly ReadRecord[]): ReadRequest {
  const [begin] = records;
  if (begin?.type !== TYPES.begin || begin.content.length !== 8) throw new Error('no BEGIN_REQUEST');
  const of = (type: number): Buffer[] => records.filter((one) => one.type === type).map(({ content }) => content);
  const params = of(TYPES.params);
  if (params.at(-1)?.length !== 0) throw new Error('PARAMS do not end');
  const stdin = of(TYPES.stdin);
  if (stdin.slice(0, -1).some((one) => one.length === 0)) throw new Error('STDIN goes on after its end');
  return {
    role: begin.content.readUInt16BE(0),
    keep: (begin.content[2] & 1) === 1,
    variables: readPairs(Buffer.concat(params)),
    body: Buffer.concat(stdin).latin1Slice(),
    complete: stdin.at(-1)?.length === 0,
    aborted: records.some((one) => one.type === TYPES.abort),
  };
}

const ASKER: Asker = exchangeOf({}, 'GET / HTTP/1.1');

export function targetOf(cgi: Partial<CgiOptions> = {}): RequestTarget {
  return { authority: 'origin', replaceHost: false, cgi: { ...cgiSchema.parse({}), ...cgi } };
}

/** What is sent for a request: the bytes, as one buffer. */
export class Sent {
  readonly parts: Buffer[] = [];

  text(text: string): void {
    if (/[^\0-\xff]/.test(text)) throw new Error('not latin1');
    this.parts.push(Buffer.from(text, 'latin1'));
  }

  bytes(buffer: Buffer, start: number, end: number): void {
    this.parts.push(Buffer.from(buffer.subarray(start, end)));
  }

  get all(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** Everything the sink of one exchange heard, in order; pieces of a body in one. */
export interface Heard {
  readonly events: string[];
  body: string;
  readonly notes: string[];
  lines: string;
  reusable: boolean;
  /** Something was heard after the end. */
  late: boolean;
}

export interface Asked {
  readonly method?: string;
  readonly keep?: boolean;
  readonly limits?: { readonly head: number; readonly fields: number };
}

/** What becomes of an application's bytes, however they are cut. */
export function hear(
  pieces: readonly Buffer[],
  eof: boolean,
  { method = 'GET', keep = false, limits }: Asked = {},
): Heard {
  const heard: Heard = { events: [], body: '', notes: [], lines: '', reusable: false, late: false };
  let over = false;
  const note = (event: string): void => {
    if (over) heard.late = true;
    heard.events.push(event);
  };
  const sink: AnswerSink = {
    interim: () => note('interim'),
    head({ line, framing, length, fields }) {
      note(`answer ${line} (${framing === 'length' ? `length=${length}` : framing})`);
      heard.lines = fields.lines();
    },
    body(buffer, start, end) {
      if (over) heard.late = true;
      if (start >= end) throw new Error('an empty piece');
      heard.body += buffer.latin1Slice(start, end);
    },
    end(trailers) {
      note(`end${trailers}`);
      over = true;
    },
    flush: () => true,
    note: (line) => void heard.notes.push(line),
    fail(code, detail) {
      note(`error ${code}${detail === undefined || detail === '' ? '' : `: ${detail}`}`);
      over = true;
    },
  };
  const session = new FastCgiSession({ text() {}, bytes() {} }, limits ?? { head: 32_768, fields: 100 }, keep);
  session.open(requestOf(`${method} / HTTP/1.1`, 'Host: a'), targetOf(), sink, ASKER);
  for (const piece of pieces) {
    // Somewhere in a larger memory, which is overwritten after the call, as read buffers are.
    const memory = Buffer.alloc(piece.length + 12, 0x3a);
    piece.copy(memory, 5);
    session.receive(memory, 5, 5 + piece.length);
    memory.fill(0x58);
  }
  if (eof) session.eof();
  heard.reusable = session.reusable;
  return heard;
}
