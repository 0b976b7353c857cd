/** Drives a codec's session as a channel would: a request out, its answer in, in any pieces; plain records come out. */
import type { Answer, AnswerSink, ByteSink } from '../../src/core/answer.ts';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { Request } from '../../src/core/request.ts';
import { cgiSchema } from '../../src/codec/cgi/options.ts';
import type { Asker, CodecSession, RequestTarget } from '../../src/codec/codec.ts';
import { exchangeOf } from './exchange.ts';

export const TARGET: RequestTarget = { authority: 'origin:8009', replaceHost: false, cgi: cgiSchema.parse({}) };

/** What a sink has heard. */
export class Heard implements AnswerSink {
  /** `interim 103`, `answer 200 OK (length=5)`, `body …` (pieces joined), `end`, `error 502 bad-answer`. */
  readonly events: string[] = [];
  readonly notes: string[] = [];
  readonly fields: (readonly [string, string])[] = [];
  error: ErrorCode | '' = '';
  detail = '';
  content = '';
  ended = false;

  interim(answer: Answer): void {
    this.events.push(`interim ${answer.line}`);
  }

  head(answer: Answer): void {
    const framing = answer.framing === 'length' ? `length=${answer.length}` : answer.framing;
    this.events.push(`answer ${answer.line} (${framing})`);
    this.fields.push(...answer.fields.entries());
  }

  body(buffer: Buffer, start: number, end: number): void {
    this.content += buffer.latin1Slice(start, end);
  }

  end(trailers: string): void {
    this.ended = true;
    this.events.push(trailers === '' ? 'end' : `end with ${trailers}`);
  }

  note(line: string): void {
    this.notes.push(line);
  }

  flush(): boolean {
    return true;
  }

  fail(code: ErrorCode, detail = ''): void {
    this.error = code;
    this.detail = detail;
    this.events.push(`error ${code}`);
  }

  /** Everything at once, for comparing. */
  get all(): object {
    const { events, fields, error, detail, content, ended } = this;
    return { events, fields, error, detail, content, ended };
  }
}

/** Takes what a session sends. */
export class Sent implements ByteSink {
  #parts: Buffer[] = [];

  text(text: string): void {
    this.#parts.push(Buffer.from(text, 'latin1'));
  }

  bytes(buffer: Buffer, start: number, end: number): void {
    this.#parts.push(Buffer.from(buffer.subarray(start, end)));
  }

  /** All since the last time. */
  take(): Buffer {
    const all = Buffer.concat(this.#parts);
    this.#parts = [];
    return all;
  }
}

/** A client of 192.0.2.1. */
export function asker(client: Partial<Asker['front']['client']> = {}): Asker {
  return exchangeOf(client, 'GET / HTTP/1.1');
}

/** Sends a request, body and end, and gives the session these pieces. Each read is overwritten after the call. */
export function converse(
  session: CodecSession,
  request: Request,
  pieces: readonly Buffer[],
  { eof = false, body = '', target = TARGET, from = asker() } = {},
): Heard {
  const heard = new Heard();
  const id = session.open(request, target, heard, from);
  if (typeof id === 'string') throw new Error(`refused: ${id}`);
  if (request.framing !== 'none') {
    const bytes = Buffer.from(body, 'latin1');
    session.body(id, bytes, 0, bytes.length);
    session.end(id, '');
  }
  for (const piece of pieces) feed(session, piece);
  if (eof) session.eof();
  return heard;
}

/** One read, lying between bytes that belong to nobody. */
export function feed(session: CodecSession, piece: Buffer): void {
  const memory = Buffer.alloc(piece.length + 12, 0x3a);
  piece.copy(memory, 5);
  session.receive(memory, 5, 5 + piece.length);
  memory.fill(0x58);
}
