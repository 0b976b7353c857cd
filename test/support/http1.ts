/**
 * Feeds bytes to the HTTP/1 parsers as a connection or a channel would, in any pieces, and writes down what they say: plain
 * records that tests compare, print and hold against another parser's.
 */
import type { Answer, AnswerSink } from '../../src/core/answer.ts';
import type { Fields } from '../../src/core/fields.ts';
import type { ErrorCode } from '../../src/core/errors.ts';
import { Request } from '../../src/core/request.ts';
import { FAILED, MORE } from '../../src/codec/http1/lines.ts';
import { RequestHeadParser, type RequestLimits } from '../../src/codec/http1/request-head.ts';
import { Http1Session } from '../../src/codec/http1/session.ts';
import { BodyReader } from '../../src/listen/body-reader.ts';

export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly form: string;
  readonly minor: number;
  readonly framing: string;
  readonly length: number;
  readonly keepAlive: boolean;
  readonly expectsContinue: boolean;
  readonly upgrade: string;
  /** What goes on to the origin, as fields and as lines, and what was there. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly lines: string;
  readonly received: readonly (readonly [name: string, value: string])[];
  body: string;
  trailers: string;
  complete: boolean;
}

export interface ReadRequests {
  readonly requests: ReadRequest[];
  error: ErrorCode | '';
  /** Bytes of a head that is not complete. */
  waiting: number;
}

interface ReadAnswer {
  readonly status: number;
  readonly line: string;
  readonly minor: number;
  readonly framing: string;
  readonly length: number;
  /** What goes on to the client, as fields and as lines, and what was there. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly lines: string;
  readonly received: readonly (readonly [name: string, value: string])[];
  body: string;
  trailers: string;
  complete: boolean;
}

export interface ReadAnswers {
  readonly answers: ReadAnswer[];
  error: ErrorCode | '';
  detail: string;
  reusable: boolean;
}

export const LIMITS: RequestLimits & { readonly body: number } = {
  head: 16_384,
  fields: 100,
  target: 8192,
  underscores: false,
  body: 1_048_576,
};

/** What is sent while the answers are read. */
export interface Asked {
  readonly method?: string;
  readonly upgrade?: string;
}

/**
 * Everything a listener would take for requests. Each read lies somewhere in a larger memory, between bytes that belong to
 * nobody, and is overwritten after the call, as read buffers are.
 */
export function readRequests(
  pieces: readonly Buffer[],
  limits = LIMITS,
  done?: (request: Request, read: ReadRequest) => void,
): ReadRequests {
  const parser = new RequestHeadParser(limits);
  const reader = new BodyReader();
  const out: ReadRequests = { requests: [], error: '', waiting: 0 };
  let current: ReadRequest | null = null;
  let request = new Request();
  let held = Buffer.alloc(0);
  const sink = {
    body: (buffer: Buffer, start: number, end: number): void => {
      if (current !== null) current.body += buffer.latin1Slice(start, end);
    },
    end(): void {},
    flush: () => true,
  };
  for (const piece of pieces) {
    const { memory, start, end } = surrounded(held, piece);
    let at = start;
    while (at < end) {
      if (current === null) {
        const after = parser.parse(memory, at, end, request);
        if (after === MORE) break;
        if (after === FAILED) {
          out.error = parser.error;
          return out;
        }
        at = after;
        current = { ...factsOf(request), body: '', trailers: '', complete: false };
        out.requests.push(current);
        reader.begin(request, limits.body, limits.head, limits.fields);
        if (request.framing === 'length' && request.length > limits.body) {
          out.error = 'body-too-large';
          return out;
        }
      } else {
        at = reader.read(memory, at, end, sink);
        if (at < 0) {
          out.error = reader.error;
          return out;
        }
      }
      if (!reader.done) continue;
      current.trailers = reader.trailers;
      current.complete = true;
      done?.(request, current);
      current = null;
      request = new Request();
    }
    held = Buffer.from(memory.subarray(at, end));
    memory.fill(0x58);
  }
  out.waiting = held.length;
  return out;
}

/** Everything a channel would take for answers to one request, and whether another could be sent on it. */
export function readAnswers(
  pieces: readonly Buffer[],
  eof: boolean,
  asked: Asked = {},
  also?: Pick<AnswerSink, 'head' | 'body' | 'end'>,
): ReadAnswers {
  const out: ReadAnswers = { answers: [], error: '', detail: '', reusable: false };
  let current: ReadAnswer | null = null;
  const note = (answer: Answer): ReadAnswer => {
    const { status, line, minor, framing, length, fields } = answer;
    const one = {
      status,
      line,
      minor,
      framing,
      length,
      fields: fields.entries(),
      lines: fields.lines(),
      received: receivedOf(fields),
      body: '',
      trailers: '',
      complete: false,
    };
    out.answers.push(one);
    return one;
  };
  const sink: AnswerSink = {
    interim(answer) {
      note(answer).complete = true;
    },
    head(answer) {
      current = note(answer);
      also?.head(answer);
    },
    body(buffer, start, end) {
      if (current !== null) current.body += buffer.latin1Slice(start, end);
      also?.body(buffer, start, end);
    },
    end(trailers) {
      if (current !== null) Object.assign(current, { trailers, complete: true });
      also?.end(trailers);
    },
    flush: () => true,
    fail(code, detail) {
      out.error = code;
      out.detail = detail ?? '';
    },
  };
  const session = new Http1Session({ text() {}, bytes() {} }, { head: 32_768, fields: 100 });
  session.open(asking(asked), { authority: 'origin', replaceHost: false }, sink);
  for (const piece of pieces) {
    const { memory, start, end } = surrounded(Buffer.alloc(0), piece);
    session.receive(memory, start, end);
    memory.fill(0x58);
  }
  if (eof) session.eof();
  out.reusable = session.reusable;
  return out;
}

/** What `Http1Session` writes for a request that was read: head, body and end. */
export function forward(request: Request, body: string, trailers: string): Buffer {
  const parts: Buffer[] = [];
  const sink = {
    text: (text: string): void => void parts.push(Buffer.from(text, 'latin1')),
    bytes: (buffer: Buffer, start: number, end: number): void =>
      void parts.push(Buffer.from(buffer.subarray(start, end))),
  };
  const session = new Http1Session(sink, { head: 32_768, fields: 100 });
  const nobody: AnswerSink = { interim() {}, head() {}, body() {}, end() {}, fail() {}, flush: () => true };
  session.open(request, { authority: 'origin', replaceHost: false }, nobody);
  const bytes = Buffer.from(body, 'latin1');
  if (request.framing !== 'none') {
    session.body(0, bytes, 0, bytes.length);
    session.end(0, trailers);
  }
  return Buffer.concat(parts);
}

/** One piece after each of these offsets. */
export function cut(bytes: Buffer, ...offsets: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let start = 0;
  for (const offset of [...offsets.toSorted((a, b) => a - b), bytes.length]) {
    if (offset > start) pieces.push(bytes.subarray(start, offset));
    start = Math.max(start, offset);
  }
  return pieces;
}

function factsOf(request: Request): Omit<ReadRequest, 'body' | 'trailers' | 'complete'> {
  const { method, target, form, minor, framing, length, keepAlive, expectsContinue, upgrade, fields } = request;
  const facts = { method, target, form, minor, framing, length, keepAlive, expectsContinue, upgrade };
  return { ...facts, fields: fields.entries(), lines: fields.lines(), received: receivedOf(fields) };
}

/** Also the fields that were dropped. */
function receivedOf(fields: Fields): [string, string][] {
  return Array.from({ length: fields.count }, (_, i): [string, string] => [fields.name(i), fields.value(i)]);
}

function asking({ method = 'GET', upgrade = '' }: Asked): Request {
  const lines = upgrade === '' ? '' : `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
  const text = Buffer.from(`${method} / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`, 'latin1');
  const request = new Request();
  const after = new RequestHeadParser(LIMITS).parse(text, 0, text.length, request);
  if (after !== text.length) throw new Error('the request to be answered is bad itself');
  return request;
}

function surrounded(held: Buffer, piece: Buffer): { memory: Buffer; start: number; end: number } {
  const start = 5;
  const end = start + held.length + piece.length;
  const memory = Buffer.alloc(end + 7, 0x3a);
  held.copy(memory, start);
  piece.copy(memory, start + held.length);
  return { memory, start, end };
}
