import { Answer, type AnswerSink, type ByteSink, continueAnswer } from '../../core/answer.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { Request } from '../../core/request.ts';
import type { Asker, CodecLimits, CodecSession, RequestTarget } from '../codec.ts';
import { ChunkDecoder } from '../http1/chunks.ts';
import { FAILED, MORE } from '../http1/lines.ts';
import { CgiHeadReader } from './answer-head.ts';

/** The bytes of a request's head in one protocol, one character each; or why it cannot be told. */
export type Head = (request: Request, target: RequestTarget, from: Asker) => { readonly head: string } | ErrorCode;

type State = 'idle' | 'head' | 'body' | 'chunked' | 'done';

/** One thread reads one head at a time. */
const scratch = new Answer();

/**
 * A connection for one request, as SCGI and uwsgi have it: variables, the body of a known length, and an answer as CGI
 * programs write it, which may begin with a status line. The connection's end is the answer's where no length is stated.
 */
export class SingleSession implements CodecSession {
  readonly slots = 1;
  readonly idleLimit = -1;
  readonly #out: ByteSink;
  readonly #limits: CodecLimits;
  readonly #told: Head;
  readonly #head: CgiHeadReader;
  #into: AnswerSink | null = null;
  #state: State = 'idle';
  #headRequest = false;
  #left = 0;
  #decoder: ChunkDecoder | null = null;

  constructor(out: ByteSink, limits: CodecLimits, told: Head) {
    this.#out = out;
    this.#limits = limits;
    this.#told = told;
    this.#head = new CgiHeadReader(limits.head, limits.fields);
  }

  /** A request that was refused leaves the connection to another one. */
  get reusable(): boolean {
    return this.#state === 'idle';
  }

  open(request: Request, target: RequestTarget, into: AnswerSink, from: Asker): number | ErrorCode {
    // Nothing is to be gathered, or the origin has come with a reload, after its upstream was asked what it needs.
    if (request.framing === 'chunked') return 'length-required';
    const told = this.#told(request, target, from);
    if (typeof told === 'string') return told;
    this.#into = into;
    this.#state = 'head';
    this.#headRequest = request.method === 'HEAD';
    this.#out.text(told.head);
    if (request.expectsContinue && request.framing !== 'none') into.interim(continueAnswer());
    return 0;
  }

  body(_id: number, buffer: Buffer, start: number, end: number): void {
    if (start < end) this.#out.bytes(buffer, start, end);
  }

  end(): void {
    // The length said where the body ends.
  }

  abort(): void {
    this.#leave();
  }

  receive(buffer: Buffer, start: number, end: number): void {
    let i = start;
    while (i < end) {
      const into = this.#into;
      if (into === null) {
        // Nobody has asked, or the answer has ended.
        this.#state = 'done';
        return;
      }
      switch (this.#state) {
        case 'head':
          i = this.#head.read(buffer, i, end, scratch, this.#headRequest);
          if (i === MORE) return;
          if (i === FAILED) {
            return this.fail(this.#head.tooLarge ? 'answer-head-too-large' : 'bad-answer', this.#head.detail);
          }
          this.#begin(into);
          break;
        case 'body': {
          const take = Math.min(this.#left, end - i);
          this.#left -= take;
          into.body(buffer, i, i + take);
          if (this.#left === 0) return this.#complete('');
          i += take;
          break;
        }
        case 'chunked': {
          const decoder = this.#decoder as ChunkDecoder;
          i = decoder.decode(buffer, i, end, into);
          if (i === FAILED) return this.fail('answer-incomplete', `chunked coding: ${decoder.error}`);
          if (decoder.done) return this.#complete(decoder.trailers);
          break;
        }
        default:
          return;
      }
    }
  }

  eof(): void {
    if (this.#into === null) this.#state = 'done';
    else if (this.#state === 'head') this.fail('origin-closed', this.#head.begun ? 'within the head' : undefined);
    else if (this.#left === Infinity) this.#complete('');
    else this.fail('answer-incomplete');
  }

  /** The head of the answer is not complete. */
  protected get headless(): boolean {
    return this.#state === 'head';
  }

  /** An answer has begun and not ended, in which only the connection's end can say that it is complete. */
  protected get endless(): boolean {
    return this.#state === 'body' && this.#left === Infinity;
  }

  /** What there is of a head, for the log. */
  protected get begun(): boolean {
    return this.#head.begun;
  }

  #begin(into: AnswerSink): void {
    const { framing, length } = scratch;
    this.#state = 'body';
    this.#left = framing === 'length' ? length : framing === 'close' ? Infinity : 0;
    if (framing === 'chunked') {
      // CGI knows no transfer codings, but programs that write a whole HTTP answer use this one.
      this.#decoder = new ChunkDecoder(this.#limits.head, this.#limits.fields, 'answer-head-too-large');
      this.#state = 'chunked';
    }
    into.head(scratch);
    if (framing === 'none' && this.#into === into) this.#complete('');
  }

  #complete(trailers: string): void {
    this.#leave()?.end(trailers);
  }

  protected fail(code: ErrorCode, detail?: string): void {
    this.#leave()?.fail(code, detail);
  }

  #leave(): AnswerSink | null {
    const into = this.#into;
    this.#into = null;
    this.#state = 'done';
    this.#decoder = null;
    return into;
  }
}
