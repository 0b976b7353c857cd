/**
 * A small protocol that multiplexes, in lines, so that tests can write down both sides of a shared connection:
 *
 *     to the origin    ID open METHOD TARGET · ID body TEXT · ID end · ID abort · ID stop · ID go · pong
 *     from it          ID head STATUS · ID body TEXT · ID end · ID fail CODE · ID allow BYTES · slots N · goaway ID · ping · broken
 *
 * Requests for `/held` may send nothing of their body until `allow` says so.
 */
import { Answer, type AnswerSink, type ByteSink } from '../../src/core/answer.ts';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { Request } from '../../src/core/request.ts';
import type { CodecSession, RequestTarget } from '../../src/codec/codec.ts';
import type { Link, LinkUser } from '../../src/upstream/link.ts';
import { requestOf } from './request.ts';

interface Exchange {
  readonly into: AnswerSink;
  answering: boolean;
  ended: boolean;
  allowed: number;
  kept: string;
}

export class LineSession implements CodecSession {
  slots: number;
  reusable = true;
  idleLimit = -1;
  full = false;
  readonly #out: ByteSink;
  readonly #exchanges = new Map<number, Exchange>();
  #next = 1;
  #line = '';

  constructor(out: ByteSink, slots: number) {
    this.#out = out;
    this.slots = slots;
  }

  open(request: Request, _target: RequestTarget, into: AnswerSink): number | ErrorCode {
    if (request.target === '/refused') return 'no-script';
    const id = this.#next++;
    const allowed = request.target === '/held' ? 0 : Infinity;
    this.#exchanges.set(id, { into, answering: false, ended: request.framing === 'none', allowed, kept: '' });
    this.#out.text(`${id} open ${request.method} ${request.target}\n`);
    if (request.framing === 'none') this.#out.text(`${id} end\n`);
    return id;
  }

  body(id: number, buffer: Buffer, start: number, end: number): void {
    const one = this.#exchanges.get(id);
    if (one === undefined) throw new Error(`a body for ${id}, which is over`);
    one.kept += buffer.latin1Slice(start, end);
    this.#send(id, one);
  }

  end(id: number): void {
    const one = this.#exchanges.get(id);
    if (one === undefined) throw new Error(`an end for ${id}, which is over`);
    one.ended = true;
    this.#send(id, one);
  }

  abort(id: number): void {
    if (!this.#exchanges.delete(id)) throw new Error(`${id} is over already`);
    this.#out.text(`${id} abort\n`);
  }

  receive(buffer: Buffer, start: number, end: number): void {
    this.#line += buffer.latin1Slice(start, end);
    for (let at = this.#line.indexOf('\n'); at >= 0; at = this.#line.indexOf('\n')) {
      const line = this.#line.slice(0, at);
      this.#line = this.#line.slice(at + 1);
      this.#take(line);
    }
  }

  eof(): void {
    this.reusable = false;
    for (const [id, { answering }] of this.#exchanges)
      this.#fail(id, answering ? 'answer-incomplete' : 'origin-closed');
  }

  pause(id: number): void {
    this.#out.text(`${id} stop\n`);
  }

  resume(id: number): void {
    this.#out.text(`${id} go\n`);
  }

  holds(id: number): boolean {
    return (this.#exchanges.get(id)?.kept ?? '') !== '';
  }

  #take(line: string): void {
    const [first = '', word = '', ...rest] = line.split(' ');
    const id = Number(first);
    const text = rest.join(' ');
    const one = this.#exchanges.get(id);
    if (first === 'slots') this.slots = Number(word);
    else if (first === 'ping') this.#out.text('pong\n');
    else if (first === 'broken') throw new Error('a defect of the codec');
    else if (first === 'goaway') {
      this.reusable = false;
      for (const late of this.#exchanges.keys()) if (late > Number(word)) this.#fail(late, 'origin-overloaded');
    } else if (one === undefined) return;
    else if (word === 'head') {
      const answer = new Answer();
      answer.status = Number(text);
      answer.line = `${text} Fine`;
      one.answering = true;
      one.into.head(answer);
    } else if (word === 'body') {
      const bytes = Buffer.from(text, 'latin1');
      one.into.body(bytes, 0, bytes.length);
    } else if (word === 'end') {
      if (one.ended) this.#exchanges.delete(id);
      one.into.end('');
    } else if (word === 'fail') this.#fail(id, text as ErrorCode);
    else if (word === 'allow') {
      one.allowed += Number(text);
      this.#send(id, one);
    }
  }

  #send(id: number, one: Exchange): void {
    const now = one.kept.slice(0, one.allowed);
    one.kept = one.kept.slice(now.length);
    one.allowed -= now.length;
    if (now !== '') this.#out.text(`${id} body ${now}\n`);
    if (one.ended && one.kept === '') this.#out.text(`${id} end\n`);
  }

  #fail(id: number, code: ErrorCode): void {
    const one = this.#exchanges.get(id);
    this.#exchanges.delete(id);
    one?.into.fail(code);
  }
}

/** Who has one exchange carried, and writes down what it hears. Answers `flush` as it is told. */
export class LinkListener implements LinkUser {
  link: Link | null = null;
  readonly events: string[] = [];
  content = '';
  /** What `flush` answers. */
  takes = true;
  /** The link is released once the answer is complete. */
  releases = true;
  readonly request: Request;
  #ended = false;

  /** @param upload the request has a body, sent by the test */
  constructor(line = 'GET /', upload = false) {
    this.request = requestOf(`${line} HTTP/1.1`);
    if (upload) this.request.framing = 'chunked';
  }

  /** Takes a link as `Forwarding` does: an open one carries at once, another one when it is connected. */
  use(link: Link): this {
    this.link = link;
    if (link.state !== 'connecting') this.#carry(link);
    return this;
  }

  connected(link: Link): void {
    this.events.push('connected');
    this.#carry(link);
  }

  notConnected(code: ErrorCode, detail: string): void {
    this.events.push(`not connected: ${code} ${detail}`);
  }

  requestFlushed(): void {
    this.events.push('flushed');
  }

  interim(): void {
    this.events.push('interim');
  }

  head({ status }: Answer): void {
    this.link?.answerBegun();
    this.events.push(`head ${status}`);
  }

  body(buffer: Buffer, start: number, end: number): void {
    this.content += buffer.latin1Slice(start, end);
  }

  end(): void {
    this.#ended = true;
    this.events.push('end');
    this.link?.answerEnded();
  }

  flush(): boolean {
    if (this.#ended && this.releases) this.link?.release(0);
    return this.takes;
  }

  fail(code: ErrorCode): void {
    this.events.push(`fail ${code}`);
    this.link?.abandon();
  }

  send(text: string): boolean {
    const bytes = Buffer.from(text, 'latin1');
    this.link?.requestBody(bytes, 0, bytes.length);
    return this.link?.requestFlush() ?? false;
  }

  #carry(link: Link): void {
    this.link = link;
    const refused = link.carry(this.request, {} as never, this, {} as never);
    if (refused === undefined) return;
    this.events.push(`refused ${refused}`);
    link.release(0);
  }
}
