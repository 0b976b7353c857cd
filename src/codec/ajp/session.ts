import { Answer, type AnswerSink, type ByteSink, continueAnswer } from '../../core/answer.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { Request } from '../../core/request.ts';
import type { Asker, CodecLimits, CodecSession, RequestTarget } from '../codec.ts';
import { AnswerHeadReader } from './answer-head.ts';
import * as codes from './codes.ts';
import { type AjpOptions, forwardRequest } from './forward-request.ts';
import { BODY_HEAD, bodyHead, EMPTY_PACKET, PACKET_HEAD } from './packet.ts';

/** Interim answers one request may get; a peer that sends more only keeps us busy. */
const MOST_INTERIM = 64;

/** `A`, `B`: who sends packets that begin so is a container. */
const MAGIC = 0x4142;

/** One thread reads one head at a time. */
const scratch = new Answer();

/**
 * AJP/1.3 towards a servlet container: one exchange at a time. Body bytes go when the container asks for them, except for
 * the first packet of a body whose length it knows; until then they are kept here, and `holding` says so.
 */
export class AjpSession implements CodecSession {
  readonly slots = 1;
  reusable = true;
  readonly idleLimit = -1;
  readonly #options: AjpOptions;
  readonly #out: ByteSink;
  readonly #limits: CodecLimits;
  readonly #heads: AnswerHeadReader;
  #into: AnswerSink | null = null;
  #headRequest = false;
  #headed = false;
  #interims = 0;
  /** Body bytes that the answer's length still promises; Infinity without a length, 0 where no body may come. */
  #left = 0;

  // ---- the request's body
  #held: Buffer[] = [];
  /** Bytes the container has asked for and not got; 0 when it waits for nothing. */
  #asked = 0;
  #bodyEnded = true;

  // ---- the packet that is being read: its head and the fixed part of its content, then what its type makes of it
  readonly #start = Buffer.alloc(BODY_HEAD + 1);
  #started = 0;
  #need = PACKET_HEAD + 1;
  #content: Buffer | null = null;
  #filled = 0;
  /** Bytes of SEND_BODY_CHUNK that are the body's, and bytes after them until the packet ends. */
  #chunk = 0;
  #skip = 0;

  constructor(options: AjpOptions, out: ByteSink, limits: CodecLimits) {
    this.#options = options;
    this.#out = out;
    this.#limits = limits;
    this.#heads = new AnswerHeadReader(limits);
  }

  get holding(): boolean {
    return this.#held.length > 0;
  }

  open(request: Request, target: RequestTarget, into: AnswerSink, from: Asker): number | ErrorCode {
    const { packetSize } = this.#options;
    const packet = forwardRequest(request, target, from, this.#options);
    if (packet === undefined) return 'head-too-large-for-origin';
    this.#into = into;
    this.#headRequest = request.method === 'HEAD';
    this.#headed = false;
    this.#interims = 0;
    this.#left = 0;
    this.#bodyEnded = request.framing === 'none';
    // A container that knows the length waits for the first packet without asking.
    this.#asked = request.framing === 'length' && request.length > 0 ? packetSize : 0;
    this.#out.bytes(packet, 0, packet.length);
    // No container sends 100 Continue over AJP, and this one will want the body.
    if (request.expectsContinue && !this.#bodyEnded) into.interim(continueAnswer());
    return 0;
  }

  body(_id: number, buffer: Buffer, start: number, end: number): void {
    if (start === end || this.#into === null) return;
    let at = start;
    if (this.#asked > 0 && this.#held.length === 0) at += this.#sendChunk(buffer, start, end);
    if (at < end) this.#held.push(Buffer.from(buffer.subarray(at, end)));
  }

  end(): void {
    this.#bodyEnded = true;
    this.#supply();
  }

  abort(): void {
    this.#close();
    this.reusable = false;
  }

  receive(buffer: Buffer, start: number, end: number): void {
    let i = start;
    while (i < end) {
      if (this.#into === null) {
        // Bytes nobody asked for: what comes next on this channel could be taken for another request's answer.
        this.reusable = false;
        return;
      }
      if (this.#chunk > 0) i = this.#body(buffer, i, end, this.#into);
      else if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, end - i);
        this.#skip -= skipped;
        i += skipped;
      } else if (this.#content !== null) i = this.#fill(this.#content, buffer, i, end);
      else {
        while (i < end && this.#started < this.#need) this.#start[this.#started++] = buffer[i++];
        if (this.#started === this.#need) this.#begun();
      }
    }
  }

  eof(): void {
    this.reusable = false;
    const into = this.#into;
    if (into === null) return;
    if (this.#headed && this.#left === 0) {
      // All of it was here already; only the packet that says so was not.
      this.#close();
      return into.end('');
    }
    if (this.#headed) this.#fail('answer-incomplete');
    else this.#fail('origin-closed', this.#started === 0 && this.#content === null ? undefined : 'within the head');
  }

  /** The start of a packet is here, as far as it was waited for. */
  #begun(): void {
    const start = this.#start;
    const length = start.readUInt16BE(2);
    const type = start[PACKET_HEAD];
    if (start.readUInt16BE(0) !== MAGIC) return this.#fail(this.#afterHead('bad-answer'), 'no AJP packet');
    if (length === 0) return this.#fail(this.#afterHead('bad-answer'), 'an empty packet');
    switch (type) {
      case codes.SEND_HEADERS:
        if (length - 1 > this.#limits.head) return this.#fail('answer-head-too-large', `${length} bytes`);
        this.#content = Buffer.allocUnsafe(length - 1);
        this.#filled = 0;
        if (length === 1) this.#fail('bad-answer', 'cut short');
        return;
      case codes.SEND_BODY_CHUNK:
      case codes.GET_BODY_CHUNK: {
        if (length < 3) return this.#fail(this.#afterHead('bad-answer'), 'a packet cut short');
        if (this.#started < BODY_HEAD + 1) return void (this.#need = BODY_HEAD + 1);
        const size = start.readUInt16BE(PACKET_HEAD + 1);
        this.#next(length - 3);
        if (type === codes.GET_BODY_CHUNK) return this.#wanted(size);
        if (size > this.#skip) return this.#fail(this.#afterHead('bad-answer'), 'more body than its packet');
        if (!this.#headed) return this.#fail('bad-answer', 'a body before its head');
        this.#chunk = size;
        this.#skip -= size;
        return;
      }
      case codes.END_RESPONSE:
        if (length < 2) return this.#fail(this.#afterHead('bad-answer'), 'a packet cut short');
        if (this.#started < PACKET_HEAD + 2) return void (this.#need = PACKET_HEAD + 2);
        this.#next(length - 2);
        return this.#ended(start[PACKET_HEAD + 1]);
      default:
        this.#fail(this.#afterHead('bad-answer'), `a packet of type ${type}`);
    }
  }

  #next(skip: number): void {
    this.#started = 0;
    this.#need = PACKET_HEAD + 1;
    this.#skip = skip;
  }

  #fill(content: Buffer, buffer: Buffer, start: number, end: number): number {
    const take = Math.min(content.length - this.#filled, end - start);
    buffer.copy(content, this.#filled, start, start + take);
    this.#filled += take;
    if (this.#filled === content.length) {
      this.#content = null;
      this.#next(0);
      this.#head(content);
    }
    return start + take;
  }

  #head(content: Buffer): void {
    const into = this.#into as AnswerSink;
    if (this.#headed) return this.#fail('answer-incomplete', 'a second head');
    const answer = scratch;
    if (!this.#heads.read(content, answer, this.#headRequest)) return this.#fail('bad-answer', this.#heads.detail);
    if (answer.status === 101) return this.#fail('bad-upgrade', '101 over AJP');
    if (answer.status < 200) {
      if (++this.#interims > MOST_INTERIM) return this.#fail('bad-answer', `more than ${MOST_INTERIM} interim answers`);
      return into.interim(answer);
    }
    this.#headed = true;
    this.#left = answer.framing === 'length' ? answer.length : answer.framing === 'none' ? 0 : Infinity;
    into.head(answer);
  }

  /** What is more than the length, and what comes where no body may, is left out. */
  #body(buffer: Buffer, start: number, end: number, into: AnswerSink): number {
    const take = Math.min(this.#chunk, end - start);
    const good = Math.min(take, this.#left);
    if (good < take && !this.#headRequest) this.reusable = false;
    this.#chunk -= take;
    this.#left -= good;
    if (good > 0) into.body(buffer, start, start + good);
    return start + take;
  }

  #wanted(size: number): void {
    // Two bytes for the length of what it gets: no packet holds more than this.
    this.#asked = Math.min(size === 0 ? 0xffff : size, 0xffff - BODY_HEAD);
    this.#supply();
  }

  #ended(reuse: number): void {
    const into = this.#into as AnswerSink;
    if (!this.#headed) return this.#fail('bad-answer', 'an end before the head');
    if (this.#left > 0 && this.#left !== Infinity) return this.#fail('answer-incomplete', 'less body than its length');
    // A packet of the body that it still waits for would be the first of the next request's.
    if (reuse !== 1 || this.#asked > 0 || this.#skip > 0) this.reusable = false;
    this.#close();
    into.end('');
  }

  /** Sends one packet of the body when one is wanted and something is here, or the body's end. */
  #supply(): void {
    if (this.#asked === 0) return;
    const held = this.#held;
    if (held.length > 0) {
      const piece = held[0];
      const sent = this.#sendChunk(piece, 0, piece.length);
      if (sent === piece.length) held.shift();
      else held[0] = piece.subarray(sent);
    } else if (this.#bodyEnded) {
      this.#asked = 0;
      this.#out.bytes(EMPTY_PACKET, 0, EMPTY_PACKET.length);
    }
  }

  #sendChunk(buffer: Buffer, start: number, end: number): number {
    const length = Math.min(end - start, this.#asked, this.#options.packetSize - BODY_HEAD);
    this.#asked = 0;
    const head = bodyHead(length);
    this.#out.bytes(head, 0, head.length);
    this.#out.bytes(buffer, start, start + length);
    return length;
  }

  #afterHead(code: ErrorCode): ErrorCode {
    return this.#headed ? 'answer-incomplete' : code;
  }

  #close(): void {
    this.#into = null;
    this.#held = [];
    this.#content = null;
    this.#chunk = 0;
  }

  #fail(code: ErrorCode, detail?: string): void {
    const into = this.#into;
    this.#close();
    this.reusable = false;
    into?.fail(code, detail);
  }
}
