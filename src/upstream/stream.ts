import type { Answer, AnswerSink } from '../core/answer.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Origin } from '../core/origin.ts';
import type { Request } from '../core/request.ts';
import { Timer } from '../core/wheel.ts';
import type { WireLike } from '../core/wire.ts';
import type { Asker, RequestTarget } from '../codec/codec.ts';
import type { Link, LinkState, LinkUser } from './link.ts';
import type { SharedChannel } from './shared-channel.ts';
import { StreamWire } from './stream-wire.ts';

/** What the codec has told, which is passed on after the read. */
interface Failure {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  /** Another connection to the same origin will do. */
  readonly onlyHere: boolean;
}

/**
 * One exchange on a connection that several share. It has timers of its own, by the same rules as a channel's; it can be
 * slowed, given up and fail without the others. It is the codec's sink, and passes on what it hears: so the connection
 * knows whom a read has brought something.
 */
export class Stream implements Link, AnswerSink {
  readonly mayDecline = true;
  readonly launches = false;
  state: LinkState = 'connecting';
  /** This read has brought something: the channel asks it to `settle`. */
  touched = false;
  /** The session keeps a part of the request until the peer allows it. */
  withheld = false;
  readonly #channel: SharedChannel;
  readonly #timer: Timer;
  #user: LinkUser | null;
  /** The link that its user waits with in truth, because there was no room on this connection. */
  #instead: Link | null = null;
  #wire: StreamWire | null = null;
  #id = 0;
  #requestEnded = false;
  /** The head of the final answer has come: from now on the origin may only pause for `timeouts.idle`. */
  #answering = false;
  /** The whole answer has come, whether or not the user has taken it. */
  #complete = false;
  /** The user takes no more of the answer for now. */
  #paused = false;
  #failure: Failure | null = null;
  #heard = false;
  #dismissed = false;
  /** Reads of the connection before the request went out, and before the timer was set. */
  #readsBefore = 0;
  #readsArmed = 0;

  constructor(channel: SharedChannel, user: LinkUser) {
    this.#channel = channel;
    this.#user = user;
    this.#timer = new Timer(() => this.#late());
  }

  get origin(): Origin {
    return this.#channel.origin;
  }

  /** A connection that has carried anything meanwhile was alive: its end is more than a kept one's that had gone stale. */
  get heard(): boolean {
    return this.#heard || (this.state !== 'connecting' && this.#channel.reads !== this.#readsBefore);
  }

  get dismissed(): boolean {
    return this.#dismissed;
  }

  get queued(): number {
    return this.#channel.wire.queued;
  }

  // ---- as a link

  carry(request: Request, target: RequestTarget, user: LinkUser, from: Asker): ErrorCode | undefined {
    const { session, reads } = this.#channel;
    this.state = 'open';
    this.#user = user;
    this.#readsBefore = reads;
    const opened = session.open(request, target, this, from);
    if (typeof opened === 'string') {
      this.#complete = true;
      this.#requestEnded = true;
      return opened;
    }
    this.#id = opened;
    this.#channel.carried++;
    this.#requestEnded = request.framing === 'none';
    if (!this.#requestEnded) return undefined;
    this.#requestSent();
    // With a body the head waits for the first piece, to leave in one write.
    this.#channel.writeSoon(this);
    return undefined;
  }

  requestBody(buffer: Buffer, start: number, end: number): void {
    if (!this.#over) this.#channel.session.body(this.#id, buffer, start, end);
  }

  requestEnd(trailers: string): void {
    if (this.#requestEnded) return;
    this.#requestEnded = true;
    if (this.#failure === null) this.#channel.session.end(this.#id, trailers);
    this.#requestSent();
  }

  requestFlush(): boolean {
    const { timeouts } = this.#channel.pool.options;
    const flushed = this.#channel.write(this);
    if (this.#answering) {
      // It answers and reads on at once: taking the request is a sign of life, too.
      if (!this.#requestEnded && !this.#complete) this.#arm(timeouts.idle);
    } else if (!flushed) this.#arm(timeouts.idle);
    // Only the origin's slowness counts: while nothing waits to be written, the client is the one to be waited for.
    else if (!this.#requestEnded) this.#disarm();
    return flushed;
  }

  resume(): void {
    if (this.state !== 'open') return;
    if (this.#answering && !this.#complete) this.#arm(this.#channel.pool.options.timeouts.idle);
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.#complete && this.#failure === null) this.#channel.session.resume?.(this.#id);
    this.#channel.resumed();
  }

  answerBegun(): void {
    this.#answering = true;
  }

  answerEnded(): void {
    this.#disarm();
  }

  release(now: number): void {
    this.#user = null;
    this.#giveUp();
    this.#leave(now);
  }

  abandon(): void {
    this.#user = null;
    if (this.#instead !== null) return this.#instead.abandon();
    this.#giveUp();
    this.#leave(this.#channel.pool.clock.now());
  }

  detach(): WireLike {
    this.#disarm();
    this.#user = null;
    // The request was over with its head; what a tunnel sends is another matter, and has an end of its own.
    this.#requestEnded = false;
    this.#wire = new StreamWire(this);
    return this.#wire;
  }

  close(): void {
    this.abandon();
  }

  pause(): void {
    if (this.#paused || this.#over) return;
    this.#paused = true;
    this.#channel.session.pause?.(this.#id);
  }

  defect(error: unknown): void {
    this.#channel.defect(error);
  }

  // ---- as the codec's sink

  interim(answer: Answer): void {
    this.#touch();
    this.#heard = true;
    this.#user?.interim(answer);
  }

  head(answer: Answer): void {
    this.#touch();
    this.#heard = true;
    this.#user?.head(answer);
  }

  body(buffer: Buffer, start: number, end: number): void {
    this.#touch();
    if (this.#wire === null) this.#user?.body(buffer, start, end);
    else if (!this.#wire.received(buffer, start, end)) this.pause();
  }

  end(trailers: string): void {
    this.#touch();
    this.#complete = true;
    this.#disarm();
    if (this.#wire === null) this.#user?.end(trailers);
    else this.#wire.over();
  }

  note(line: string): void {
    this.#user?.note?.(line);
  }

  /** Told to the user after the read: what it does then may open another exchange, and the codec is in the middle of one. */
  fail(code: ErrorCode, detail?: string, onlyHere = false): void {
    this.#touch();
    // The whole answer is here, and now the peer wants no more of the request either.
    if (this.#complete) this.#requestEnded = true;
    else this.#failure = { code, detail, onlyHere };
  }

  /** The connection asks its streams; the codec need not. */
  flush(): boolean {
    return true;
  }

  // ---- called by the channel

  /** The connection is there, with room for this one. */
  opened(): void {
    const user = this.#user;
    this.state = 'open';
    this.#readsBefore = this.#channel.reads;
    user?.connected(this);
  }

  get user(): LinkUser | null {
    return this.#user;
  }

  /** Its user goes on with another link, because there is no room on this connection. */
  replaced(connect: (user: LinkUser) => Link): void {
    const user = this.#user;
    if (user === null) return;
    const link = connect(user);
    if (link.state === 'connecting') this.#instead = link;
    else user.connected(link);
  }

  notConnected(code: ErrorCode, detail: string): void {
    const user = this.#user;
    this.#user = null;
    this.state = 'closed';
    this.#channel.pool.wheel.drop(this.#timer);
    if (this.#wire !== null) this.#wire.lost(null);
    user?.notConnected(code, detail);
  }

  /** Its part of a read is complete. */
  settle(): void {
    this.touched = false;
    const user = this.#user;
    const failure = this.#failure;
    if (failure !== null) return this.#failed(failure.code, failure.detail, this.#channel.lostTo);
    if (user === null || this.state !== 'open') return;
    const more = user.flush();
    if (this.#user !== user) return;
    if (!more) this.pause();
    if (!this.#answering || this.#complete) return;
    if (more && !this.#paused) this.#arm(this.#channel.pool.options.timeouts.idle);
    else if (!more) this.#disarm();
  }

  /** What the kernel had not taken is out. */
  flushed(): void {
    if (this.withheld) return this.released();
    if (this.#wire !== null) return this.#wire.flushed();
    if (this.#requestEnded) this.#requestSent();
    else if (!this.#answering) this.#disarm();
    this.#user?.requestFlushed();
  }

  /** The peer may have allowed more: on with the body, if the session keeps none of it. */
  released(): void {
    if (!this.withheld || this.#channel.session.holds?.(this.#id) === true) return;
    this.withheld = false;
    this.#channel.taken(this);
    this.flushed();
  }

  get held(): boolean {
    return this.#channel.session.holds?.(this.#id) === true;
  }

  /** The peer has taken a part of what is withheld: that is a sign of life. */
  stirred(): void {
    if (!this.#answering) this.#arm(this.#channel.pool.options.timeouts.idle);
  }

  /** The connection is gone. A whole answer is whole. */
  lost(error: NodeJS.ErrnoException | null): void {
    if (this.state !== 'open' || (this.#complete && this.#wire === null)) return;
    if (this.#failure !== null) return this.#failed(this.#failure.code, this.#failure.detail, error);
    this.#failed(this.#answering ? 'answer-incomplete' : 'origin-closed', error?.code, error);
  }

  get paused(): boolean {
    return this.#paused && !this.#over;
  }

  /** The connection is read again: the time that the origin has begins anew. */
  afresh(): void {
    if (this.#user === null || this.#complete || this.#paused) return;
    if (this.#answering) this.#arm(this.#channel.pool.options.timeouts.idle);
    else if (this.#requestEnded) this.#requestSent();
  }

  /** Its user takes its answer so slowly that nobody else on the connection gets one. */
  tooSlow(): void {
    this.#giveUp();
    this.#failed('client-slow', 'it held up the others on its connection', null);
  }

  /** The origin was taken away. */
  cut(): void {
    if (this.state === 'connecting') return this.notConnected('connect-failed', 'the origin was removed');
    if (this.state === 'open') this.#failed('origin-removed', undefined, null);
  }

  // ---- inside

  /** The session has nothing to do with it any more. */
  get #over(): boolean {
    return this.state !== 'open' || this.#failure !== null || (this.#complete && this.#requestEnded);
  }

  #failed(code: ErrorCode, detail: string | undefined, error: NodeJS.ErrnoException | null): void {
    const user = this.#user;
    this.#user = null;
    const { session, busy } = this.#channel;
    // The connection comes to its end in peace, or more have come than the peer takes, before it said how many.
    const noRoom = !session.reusable || busy > session.slots || this.#failure?.onlyHere === true;
    this.#dismissed = this.#failure !== null && noRoom && this.#channel.state === 'open';
    // First the place, so that the user can have it when it tries again.
    this.#leave(this.#channel.pool.clock.now());
    if (this.#wire !== null) this.#wire.lost(error);
    else user?.fail(code, detail);
  }

  /** Tells the peer, where the exchange is in the middle. */
  #giveUp(): void {
    if (this.#over) return;
    this.#channel.session.abort(this.#id);
  }

  #leave(now: number): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.#channel.pool.wheel.drop(this.#timer);
    this.#channel.left(this, now);
  }

  #touch(): void {
    if (!this.touched) this.#channel.touch(this);
    this.touched = true;
  }

  #arm(ms: number): void {
    if (this.#wire !== null || this.state !== 'open') return;
    this.#readsArmed = this.#channel.reads;
    this.#channel.pool.wheel.arm(this.#timer, ms);
  }

  #disarm(): void {
    this.#channel.pool.wheel.disarm(this.#timer);
  }

  /** From now on the origin has `firstByte` to answer. */
  #requestSent(): void {
    if (!this.#answering) this.#arm(this.#channel.pool.options.timeouts.firstByte);
  }

  #late(): void {
    const user = this.#user;
    if (user === null || this.state !== 'open') return;
    if (this.#channel.heldUp()) return this.#arm(this.#channel.pool.options.timeouts.idle);
    this.#user = null;
    // Nobody has heard anything on this connection since: it may be dead, so it gets no more to do.
    if (this.#channel.reads === this.#readsArmed) this.#channel.retire();
    this.#giveUp();
    this.#leave(this.#channel.pool.clock.now());
    if (this.#answering) return user.fail('answer-stalled');
    user.fail(this.#requestEnded ? 'answer-timeout' : 'origin-stalled');
  }
}
