import { Answer, type AnswerSink, type ByteSink } from '../../core/answer.ts';
import type { ErrorCode } from '../../core/errors.ts';
import * as names from '../../core/names.ts';
import type { Request } from '../../core/request.ts';
import type { CodecLimits, CodecSession, RequestTarget } from '../codec.ts';
import { AnswerHeadParser } from './answer-head.ts';
import { ChunkDecoder } from './chunks.ts';
import { FAILED, MORE } from './lines.ts';
import { isOffered } from './upgrade.ts';

/** Interim answers one request may get; a peer that sends more only keeps us busy. */
const MOST_INTERIM = 64;

/** What this protocol wants to know of its target. */
type Authority = Pick<RequestTarget, 'authority' | 'replaceHost'>;

type State = 'idle' | 'head' | 'length' | 'chunked' | 'close' | 'tunnel' | 'broken';

/** One thread parses one answer head at a time, so its memory is shared by all sessions until the head is complete. */
const scratch = new Answer();

/** HTTP/1.1 towards an origin (RFC 9112): one exchange at a time, requests written as they are, answers decoded. */
export class Http1Session implements CodecSession {
  readonly slots = 1;
  reusable = true;
  idleLimit = -1;
  readonly #out: ByteSink;
  readonly #limits: CodecLimits;
  readonly #parser: AnswerHeadParser;
  #state: State = 'idle';
  #into: AnswerSink | null = null;
  #left = 0;
  #interims = 0;
  #chunked = false;
  /** Bytes of the request's body that its length promises and that have not been sent. */
  #owed = 0;
  #headRequest = false;
  #offered = '';
  #partial: Buffer | null = null;
  #own: Answer | null = null;
  #decoder: ChunkDecoder | null = null;

  constructor(out: ByteSink, limits: CodecLimits) {
    this.#out = out;
    this.#limits = limits;
    this.#parser = new AnswerHeadParser(limits.head, limits.fields, false);
  }

  open(request: Request, target: Authority, into: AnswerSink): number {
    this.#into = into;
    this.#state = 'head';
    this.#interims = 0;
    this.#headRequest = request.method === 'HEAD';
    this.#offered = request.upgrade;
    this.#chunked = request.framing === 'chunked';
    this.#owed = request.framing === 'length' ? request.length : 0;
    this.#parser.reset();
    this.#out.text(`${request.method} ${request.pathAndQuery} HTTP/1.1\r\n${requestLines(request, target)}\r\n`);
    return 0;
  }

  body(_id: number, buffer: Buffer, start: number, end: number): void {
    if (!this.#chunked) {
      this.#owed -= end - start;
      return this.#out.bytes(buffer, start, end);
    }
    if (start === end) return;
    this.#out.text(`${(end - start).toString(16)}\r\n`);
    this.#out.bytes(buffer, start, end);
    this.#out.text('\r\n');
  }

  end(_id: number, trailers: string): void {
    if (this.#chunked) this.#out.text(`0\r\n${trailers}\r\n`);
    // A second wall: the peer would take the next request for the rest of this body.
    else if (this.#owed !== 0) this.reusable = false;
  }

  abort(): void {
    this.#into = null;
    this.#state = 'broken';
    this.reusable = false;
  }

  receive(buffer: Buffer, start: number, end: number): void {
    let i = start;
    while (i < end) {
      const into = this.#into;
      if (into === null) {
        // Bytes nobody asked for: what comes next on this channel could be taken for another request's answer.
        this.reusable = false;
        return;
      }
      switch (this.#state) {
        case 'head':
          i = this.#head(buffer, i, end, into);
          if (i < 0) return;
          break;
        case 'length': {
          const take = Math.min(this.#left, end - i);
          into.body(buffer, i, i + take);
          i += take;
          this.#left -= take;
          if (this.#left === 0) this.#complete('');
          break;
        }
        case 'chunked': {
          const decoder = this.#decoder as ChunkDecoder;
          i = decoder.decode(buffer, i, end, into);
          if (i === FAILED) return this.#fail('answer-incomplete', `chunked coding: ${decoder.error}`);
          if (decoder.done) this.#complete(decoder.trailers);
          break;
        }
        case 'close':
        case 'tunnel':
          into.body(buffer, i, end);
          return;
        default:
          return;
      }
    }
  }

  eof(): void {
    this.reusable = false;
    if (this.#into === null) return;
    if (this.#state === 'head') {
      this.#fail('origin-closed', this.#partial === null ? undefined : 'within the head');
    } else if (this.#state === 'close' || this.#state === 'tunnel') this.#complete('');
    else this.#fail('answer-incomplete');
  }

  /** Returns the offset after the head, or -1 when there is nothing more to do with these bytes. */
  #head(buffer: Buffer, start: number, end: number, into: AnswerSink): number {
    let bytes = buffer;
    let base = start;
    let stop = end;
    const held = this.#partial;
    if (held !== null) {
      bytes = Buffer.concat([held, buffer.subarray(start, end)]);
      base = 0;
      stop = bytes.length;
    }
    const answer = this.#own ?? scratch;
    if (answer === scratch) {
      scratch.clear();
      this.#parser.reset();
    }
    const after = this.#parser.parse(bytes, base, stop, answer, this.#headRequest);
    if (after === MORE) {
      this.#partial = held === null ? Buffer.from(buffer.subarray(start, end)) : bytes;
      if (answer === scratch) {
        // In pieces: from now on the fields found so far need memory of their own. The first piece is read again.
        this.#own = new Answer();
        this.#parser.reset();
      }
      return -1;
    }
    this.#partial = null;
    this.#own = null;
    if (after === FAILED) {
      this.#fail(this.#parser.tooLarge ? 'answer-head-too-large' : 'bad-answer', this.#parser.detail);
      return -1;
    }
    const used = held === null ? after : start + after - held.length;
    if (answer.status < 200) return this.#interim(answer, into) ? used : -1;
    this.#final(answer, into);
    return used;
  }

  #interim(answer: Answer, into: AnswerSink): boolean {
    if (answer.status === 101) {
      if (!isOffered(answer.upgrade, this.#offered)) {
        this.#fail('bad-upgrade', answer.upgrade === '' ? '101 without Upgrade' : `101 to ${answer.upgrade}`);
        return false;
      }
      this.reusable = false;
      this.#state = 'tunnel';
      into.head(answer);
      return true;
    }
    if (++this.#interims > MOST_INTERIM) {
      this.#fail('bad-answer', `more than ${MOST_INTERIM} interim answers`);
      return false;
    }
    into.interim(answer);
    return true;
  }

  #final(answer: Answer, into: AnswerSink): void {
    if (!answer.keepAlive) this.reusable = false;
    this.idleLimit = answer.keepAliveTimeout < 0 ? -1 : answer.keepAliveTimeout * 1000;
    const { framing } = answer;
    this.#left = answer.length;
    if (framing === 'chunked') {
      this.#decoder = new ChunkDecoder(this.#limits.head, this.#limits.fields, 'answer-head-too-large');
    }
    this.#state = framing === 'none' ? 'idle' : framing;
    into.head(answer);
    if (framing === 'none' && this.#into === into) this.#complete('');
  }

  #complete(trailers: string): void {
    const into = this.#into;
    this.#into = null;
    this.#decoder = null;
    this.#state = 'idle';
    into?.end(trailers);
  }

  #fail(code: ErrorCode, detail?: string): void {
    const into = this.#into;
    this.#into = null;
    this.#decoder = null;
    this.#partial = null;
    this.#own = null;
    this.#state = 'broken';
    this.reusable = false;
    into?.fail(code, detail);
  }
}

/** The field lines of a request: the client's, with Host, framing and connection as this hop needs them. */
function requestLines(request: Request, target: Authority): string {
  const { fields } = request;
  let lines: string;
  if (target.replaceHost || request.form === 'absolute' || fields.find(names.HOST) < 0) {
    // A Host among the added lines is a hook's, which knew the others.
    const own = fields.added === '' || fields.find(names.HOST) >= 0 ? undefined : fields.get('host');
    // RFC 9112 §3.2.2: the authority of an absolute target replaces what the Host field says.
    fields.dropAll(names.HOST);
    const host = !target.replaceHost && request.form === 'absolute' ? request.authority : target.authority;
    lines = own === undefined ? `Host: ${host}\r\n${fields.lines()}` : fields.lines();
  } else lines = fields.lines();
  if (request.framing === 'chunked') lines += 'Transfer-Encoding: chunked\r\n';
  if (request.upgrade !== '') {
    lines += `Connection: ${request.takesTrailers ? 'TE, ' : ''}Upgrade\r\nUpgrade: ${request.upgrade}\r\n`;
  } else if (request.takesTrailers) lines += 'Connection: TE\r\n';
  return request.takesTrailers ? `${lines}TE: trailers\r\n` : lines;
}
