import type { AnswerSink } from '../core/answer.ts';
import { type ErrorCode, errors } from '../core/errors.ts';
import { METER } from '../core/meter.ts';
import type { Origin } from '../core/origin.ts';
import type { Request } from '../core/request.ts';
import { Timer } from '../core/wheel.ts';
import type { Asker, CodecSession, RequestTarget } from '../codec/codec.ts';
import { BULK, type WireOwner } from '../core/wire.ts';
import { Wire } from '../wire/wire.ts';
import type { Pool } from './pool.ts';
import { ProgramLine } from './program.ts';

/** `connecting` · `open` carrying an exchange · `idle` in the pool · `closed`. */
export type ChannelState = 'connecting' | 'open' | 'idle' | 'closed';

/** Who uses a channel for one exchange: hears the answer, and what becomes of the channel. */
export interface ChannelUser extends AnswerSink {
  /** The connection is there; `carry` may be called. */
  connected(channel: Channel): void;
  /** The connection could not be made; the channel is gone. */
  notConnected(code: ErrorCode, detail: string): void;
  /** The request's bytes that a `flush` answered false about are out. */
  requestFlushed(): void;
}

/** One live connection to an origin: a socket and its protocol state. Belongs to one exchange or lies in the pool. */
export class Channel implements WireOwner {
  readonly origin: Origin;
  readonly pool: Pool;
  readonly wire: Wire;
  readonly session: CodecSession;
  readonly born: number;
  state: ChannelState = 'connecting';
  /** Exchanges carried so far. */
  carried = 0;
  /** Clock time when it was last put into the pool. */
  idleSince = 0;
  /** One timer for all its phases: connecting, first byte, answer idle, pool idle. */
  readonly timer: Timer;
  #user: ChannelUser | null = null;
  #answerEnded = false;
  #requestEnded = false;
  #id = 0;
  /** The head of the final answer has come: from now on the origin may only pause for `timeouts.idle`. */
  #answering = false;
  /** The user was told to wait because the session holds a part of the body. */
  #withheld = false;
  /** To the program that answers, where the origin is one. */
  #line: ProgramLine | null = null;
  /** Something has come, be it an interim answer or half a head. */
  heard = false;

  constructor(origin: Origin, pool: Pool, user: ChannelUser) {
    this.origin = origin;
    this.pool = pool;
    this.#user = user;
    this.born = pool.clock.now();
    this.wire = new Wire(this, pool.window);
    this.session = pool.makeSession(this.wire, origin);
    this.timer = new Timer(() => this.#late());
    origin.connections++;
    pool.entered(this);
  }

  /** The origin is a program: there is nobody at the other end before `carry` has started it. */
  get launches(): boolean {
    return this.origin.address.program !== undefined;
  }

  /** The program could not be started, or this request cannot have it. */
  notStarted(code: ErrorCode, detail: string): void {
    const user = this.#user;
    this.#user = null;
    this.close();
    if (errors[code].retry === 'always') user?.notConnected(code, detail);
    else user?.fail(code, detail);
  }

  /** Called by dial once the socket is connected. */
  opened(): void {
    if (this.state !== 'connecting') return;
    this.state = 'open';
    this.origin.meter[METER.opened]++;
    this.pool.wheel.disarm(this.timer);
    try {
      this.#user?.connected(this);
    } catch (error) {
      this.defect(error);
      this.wire.destroy(true);
    }
  }

  /**
   * Sends a request. Its body, if any, follows through `requestBody` and `requestEnd`.
   * Where the origin is a program, it is started first. When that fails, the channel is `connecting` again, and
   * `notConnected` or `fail` follows.
   * @returns why the protocol cannot carry it, if so: then nothing was sent, and the channel may be released
   */
  carry(request: Request, target: RequestTarget, user: ChannelUser, from: Asker): ErrorCode | undefined {
    this.state = 'open';
    this.#user = user;
    this.heard = false;
    this.#answering = false;
    const opened = this.session.open(request, target, user, from);
    if (typeof opened === 'string') {
      this.#answerEnded = true;
      this.#requestEnded = true;
      return opened;
    }
    if (this.session.running !== undefined) {
      this.#line = new ProgramLine(this, this.session.running);
      if (!this.#line.start()) {
        this.state = 'connecting';
        return undefined;
      }
    }
    this.#id = opened;
    this.carried++;
    this.#answerEnded = false;
    this.#requestEnded = request.framing === 'none';
    this.#withheld = false;
    if (this.#requestEnded) this.#requestSent();
    else {
      this.pool.wheel.disarm(this.timer);
      this.wire.readOnAfterWrites();
    }
    // A head that is the whole request goes out now; with a body it waits for the first piece, to leave in one write.
    if (this.#requestEnded) this.wire.flush();
    return undefined;
  }

  requestBody(buffer: Buffer, start: number, end: number): void {
    this.session.body(this.#id, buffer, start, end);
  }

  requestEnd(trailers: string): void {
    this.session.end(this.#id, trailers);
    this.#requestEnded = true;
    this.#requestSent();
  }

  requestFlush(): boolean {
    this.#withheld = this.session.holding === true;
    const flushed = this.wire.flush() && !this.#withheld;
    if (this.#answering) {
      // It answers and reads on at once: taking the request is a sign of life, too.
      if (!this.#requestEnded) this.pool.wheel.arm(this.timer, this.pool.options.timeouts.idle);
      return flushed;
    }
    // Only the origin's slowness counts: while nothing waits to be written, the client is the one to be waited for.
    if (!flushed) this.pool.wheel.arm(this.timer, this.pool.options.timeouts.idle);
    else if (!this.#requestEnded) this.pool.wheel.disarm(this.timer);
    return flushed;
  }

  /** The origin's bytes may come again. */
  resume(): void {
    if (this.#answering) this.pool.wheel.arm(this.timer, this.pool.options.timeouts.idle);
    this.wire.resume();
  }

  /** The user is through with it, answer and all: back to the pool if both sides allow that, else closed. */
  release(now: number): void {
    this.#user = null;
    this.wire.bulk = false;
    if (this.#answerEnded && this.#requestEnded && this.session.reusable && !this.wire.dead) this.pool.give(this, now);
    else this.close();
  }

  /** The user gives up in the middle. */
  abandon(): void {
    this.#user = null;
    if (this.state === 'open') {
      this.session.abort(this.#id);
      // Where the protocol has a word for it, that goes out as far as the kernel takes it.
      this.wire.flush();
    }
    this.close();
  }

  /** Ends it from outside, in the middle of whatever it carries. */
  cut(): void {
    const user = this.#user;
    const connecting = this.state === 'connecting';
    this.#user = null;
    this.close();
    if (connecting) user?.notConnected('connect-failed', 'the origin was removed');
    else user?.fail('origin-removed');
  }

  close(): void {
    if (this.state === 'closed') return;
    this.#end();
    this.wire.destroy();
  }

  /** Gives the socket to a tunnel: from now on this channel is only counted. */
  detach(): void {
    this.pool.wheel.disarm(this.timer);
    this.#user = null;
  }

  ended(): void {
    if (this.state === 'idle' || this.state === 'connecting') return this.close();
    const user = this.#user;
    if (user !== null && this.wire.deaf && !this.#answerEnded) {
      // The failed write may have used up the news of a reset: this end may not be the end of an answer.
      this.#user = null;
      this.session.abort(this.#id);
      this.close();
      return user.fail(this.#answering ? 'answer-incomplete' : 'origin-closed');
    }
    this.session.eof();
    if (this.state === 'open' && this.#user !== null) this.#fromSession();
    if (this.state === 'open' && !this.session.reusable && this.#user === null) this.close();
  }

  received(buffer: Buffer, length: number): boolean {
    if (this.state !== 'open') {
      // Any byte on an idle channel is unasked for, and would be taken for the next request's answer.
      this.close();
      return false;
    }
    if (length > BULK) this.wire.bulk = true;
    this.heard = true;
    const user = this.#user;
    this.session.receive(buffer, 0, length);
    if (user === null || this.#user !== user) return this.#mayRead();
    if (this.wire.unsent) this.#answerPeer();
    return this.#fromSession();
  }

  flushed(): void {
    if (this.#withheld) return this.#released();
    if (this.#requestEnded) this.#requestSent();
    else if (!this.#answering) this.pool.wheel.disarm(this.timer);
    this.#user?.requestFlushed();
  }

  closed(error: NodeJS.ErrnoException | null): void {
    const user = this.#user;
    const state = this.state;
    this.#user = null;
    if (state !== 'closed') this.#end();
    if (user === null) return;
    if (state === 'connecting') {
      const detail = error === null ? 'closed' : (error.code ?? error.message);
      user.notConnected(connectError(error), detail);
    } else {
      // Not an orderly end: even an answer that ends with the connection is not complete.
      this.session.abort(this.#id);
      user.fail(this.#answering ? 'answer-incomplete' : 'origin-closed', error?.code);
    }
  }

  defect(error: unknown): void {
    this.pool.onDefect(error);
  }

  /** The final answer's head has been seen by the user; called from within `receive`. */
  answerBegun(): void {
    this.#answering = true;
  }

  /** The answer's end has been seen by the user; called from within `receive` or `eof`. */
  answerEnded(): void {
    this.#answerEnded = true;
    this.pool.wheel.disarm(this.timer);
  }

  #fromSession(): boolean {
    const user = this.#user;
    if (user === null) return this.#mayRead();
    const more = user.flush();
    if (this.#answering && this.state === 'open' && this.#user === user) {
      if (more) this.pool.wheel.arm(this.timer, this.pool.options.timeouts.idle);
      else this.pool.wheel.disarm(this.timer);
    }
    return more && !this.wire.dead;
  }

  #mayRead(): boolean {
    return !this.wire.dead;
  }

  /** Sends what the session wrote while it read: a part of the body that the peer has asked for. */
  #answerPeer(): void {
    if (this.wire.flush()) this.#released();
    if (!this.#withheld) return;
    // It took a part: that is a sign of life.
    if (this.#requestEnded) this.#requestSent();
    else if (!this.#answering) this.pool.wheel.arm(this.timer, this.pool.options.timeouts.idle);
  }

  /** Everything that may go is out: on with the body, if the session keeps none of it. */
  #released(): void {
    if (!this.#withheld || this.session.holding === true) return;
    this.#withheld = false;
    this.flushed();
  }

  /** From now on the origin has `firstByte` to answer. */
  #requestSent(): void {
    if (!this.#answering) this.pool.wheel.arm(this.timer, this.pool.options.timeouts.firstByte);
  }

  #end(): void {
    this.pool.wheel.drop(this.timer);
    if (this.state === 'idle') this.pool.forget(this);
    this.state = 'closed';
    this.origin.connections--;
    this.#line?.left(this.#answerEnded);
    this.pool.left(this);
  }

  #late(): void {
    const user = this.#user;
    switch (this.state) {
      case 'idle':
        return this.close();
      case 'connecting':
        this.#user = null;
        this.close();
        return user?.notConnected('connect-timeout', 'no connection in time');
      case 'open': {
        if (user === null) return;
        this.#user = null;
        this.close();
        if (this.#answering) return user.fail('answer-stalled');
        return user.fail(this.#requestEnded ? 'answer-timeout' : 'origin-stalled');
      }
      default:
    }
  }
}

function connectError(error: NodeJS.ErrnoException | null): ErrorCode {
  switch (error?.code) {
    case 'ECONNREFUSED':
    case 'ECONNRESET':
      return 'connect-refused';
    case 'ETIMEDOUT':
      return 'connect-timeout';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
      return 'name-not-found';
    default:
      return 'connect-failed';
  }
}
