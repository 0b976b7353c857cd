import type { RouteCgiOptions } from '../codec/cgi/options.ts';
import { type Answer, continueAnswer, lets } from '../core/answer.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Carrier, Exchange } from '../core/exchange.ts';
import type { Origin } from '../core/origin.ts';
import { shownTarget } from '../core/target.ts';
import type { Vain, Waiter } from '../upstream/backlog.ts';
import type { Link } from '../upstream/link.ts';
import { isIdempotent } from '../core/methods.ts';
import type { Applicant, Upstream } from '../upstream/upstream.ts';
import { HeldAnswer } from './held.ts';
import type { Hooks } from './hooks.ts';
import { refuse } from './refuse.ts';
import type { Rooms } from './rooms.ts';
import { Tries } from './tries.ts';
import { Tunnel } from './tunnel.ts';
import { Spool } from './spool.ts';
import { type RequestBody, Upload } from './upload.ts';

/** Goes on with another target in the same exchange. */
export type Follow = (exchange: Exchange, target: string, rooms: Rooms) => void;

/**
 * One exchange's way through an upstream: asks for a slot, gets a channel, sends the request, passes the answer on; and
 * begins again elsewhere where an error's row in `core/errors.ts` allows it. It is what the balancer asks, what waits in
 * the backlog, what hears the channel, and what hears the client leave, so a request costs one object here.
 */
export class Forwarding implements Applicant, Carrier {
  // As an applicant and a waiter.
  readonly key: string;
  readonly authority: string;
  backups = false;
  waiting = false;
  nextWaiter: Waiter | null = null;
  previousWaiter: Waiter | null = null;
  ticket = 0;
  deadline = 0;

  readonly #exchange: Exchange;
  readonly #upstream: Upstream;
  readonly #rooms: Rooms;
  readonly #cgi: RouteCgiOptions | undefined;
  #channel: Link | null = null;
  readonly #follow: Follow;
  #origin: Origin | null = null;
  #upload: RequestBody | null = null;
  #spool: Spool | null = null;
  #tunnel: Tunnel | null = null;
  /** Once something has failed. */
  #tries: Tries | null = null;
  /** When this attempt began. */
  #sent = 0;
  #answered = false;
  /** Where the answer is to be had, when this origin has none itself. */
  #elsewhere = '';
  /** Its origin's health has heard how this attempt went. */
  #judged = false;
  /** What the origin has answered. */
  #status = 0;
  #ended = false;
  #over = false;
  #waited = false;
  /** The answer waits for a hook. */
  #held: HeldAnswer | null = null;
  #lastError: ErrorCode | '' = '';
  #lastDetail = '';

  /**
   * @param cgi of the route
   * @param follow goes on with what an application has named instead of an answer
   */
  constructor(exchange: Exchange, upstream: Upstream, rooms: Rooms, follow: Follow, cgi?: RouteCgiOptions) {
    this.#cgi = cgi;
    this.#follow = follow;
    this.#exchange = exchange;
    this.#upstream = upstream;
    this.#rooms = rooms;
    const { request } = exchange;
    this.key = upstream.keyOf(request, exchange.remote);
    this.authority = upstream.balancer.key === 'none' ? '' : request.authority;
  }

  /** @param later something has come before: the time of waiting begins now */
  start(later = false): void {
    this.#exchange.carrier = this;
    if (later) this.#begunLater();
    this.#upstream.budget.request();
    if (this.#exchange.request.framing === 'chunked' && this.#rooms.gathers(this.#upstream)) this.#gather();
    else this.#apply();
  }

  // ---- as an applicant

  get picky(): boolean {
    return this.#tries?.picky === true;
  }

  usable(origin: Origin): boolean {
    if (origin.state !== 'up' || (origin.backup && !this.backups)) return false;
    return this.#tries === null || this.#tries.allows(origin);
  }

  excludes(origin: Origin): boolean {
    return this.#tries?.excludes(origin) === true;
  }

  assigned(origin: Origin): void {
    const exchange = this.#exchange;
    this.#origin = origin;
    exchange.origin = origin;
    exchange.attempts++;
    // Assigned at once, in the turn the request came in: the same moment, without asking the clock again.
    const now = exchange.attempts === 1 && !this.#waited ? exchange.started : this.#rooms.clock.now();
    if (exchange.assigned === 0) exchange.assigned = now;
    this.#sent = now;
    this.#elsewhere = '';
    this.#judged = false;
    const careful = !isIdempotent(exchange.request.method);
    const fresh = this.#tries?.next() === true;
    const channel = this.#upstream.channel(origin, this, fresh, careful, now);
    // Kept already, so that a client that leaves stops the connecting, too.
    this.#channel = channel;
    if (channel.state === 'connecting') return;
    exchange.reused = true;
    exchange.connected = now;
    this.#carry(channel);
  }

  get since(): number {
    return this.#exchange.started;
  }

  show(): ReturnType<Waiter['show']> {
    const { id, request, remote } = this.#exchange;
    return { id, method: request.method, host: request.authority, target: shownTarget(request.target), client: remote };
  }

  expired(vain?: Vain): void {
    const { code, detail } = vain ?? {
      code: 'backlog-timeout',
      detail: this.#lastError === '' ? '' : `${this.#lastError} ${this.#lastDetail}`,
    };
    this.#giveUp(code, detail);
  }

  // ---- as a channel's user

  connected(channel: Link): void {
    // A program has yet to be started.
    if (!channel.launches) this.#upstream.health.connected(channel.origin);
    this.#exchange.reused = false;
    this.#exchange.connected = this.#rooms.clock.now();
    this.#carry(channel);
  }

  notConnected(code: ErrorCode, detail: string): void {
    const origin = this.#leave() as Origin;
    this.#exchange.failed(origin, code, detail);
    if (!this.#upstream.health.connectFailed(origin, code, detail)) this.#failures.exclude(origin);
    this.#upstream.release(origin, this.#sent);
    this.#lastError = code;
    this.#lastDetail = detail;
    // Nothing was sent: any request may go on to another origin, or wait for one to come back.
    if (this.#over) return;
    this.#upstream.retried(code);
    this.#apply();
  }

  requestFlushed(): void {
    this.#upload?.resume();
  }

  interim(answer: Answer): void {
    for (const pass of this.#rooms.passes) pass.answer?.(this.#exchange, answer);
    this.#exchange.front.interim(answer);
  }

  head(answer: Answer): void {
    const exchange = this.#exchange;
    const origin = this.#origin as Origin;
    this.#channel?.answerBegun();
    // RFC 9110 §7.8: protocols change only once the whole request has been received.
    if (answer.status === 101 && this.#upload !== null && !this.#upload.ended) {
      return this.fail('bad-upgrade', '101 before the end of the request');
    }
    // An answer on a kept channel shows that the origin is back as well as a new connection does.
    if (origin.failures > 0) this.#upstream.health.connected(origin);
    this.#status = answer.status;
    // A tunnel, a download or a stream of events may last for hours, and nobody else is let in while it tests the origin.
    if (answer.status === 101 || origin.testing) {
      this.#judged = true;
      this.#upstream.health.answered(origin, answer.status, this.#sent);
    }
    exchange.answered = this.#rooms.clock.now();
    // Of an authorizer it is an answer like others: what it leads to must not be taken for its yes.
    if (answer.elsewhere !== '' && !exchange.authorizes) {
      this.#elsewhere = answer.elsewhere;
      return;
    }
    for (const pass of this.#rooms.passes) pass.answer?.(exchange, answer);
    const { balancer } = this.#upstream;
    if (balancer.stamp !== undefined) {
      const cookie = balancer.stamp(this.key, origin);
      if (cookie !== undefined) answer.fields.append('Set-Cookie', cookie);
    }
    const { hooks } = this.#rooms;
    const unseen = exchange.authorizes && lets(answer.status);
    if (hooks?.onResponse === true && !unseen && !this.#askHook(answer, hooks)) return;
    this.#answer(answer);
  }

  body(buffer: Buffer, start: number, end: number): void {
    if (this.#held !== null) this.#held.body(buffer, start, end);
    else if (this.#tunnel !== null) this.#tunnel.fromOrigin(buffer, start, end);
    else if (this.#elsewhere === '') this.#exchange.front.body(buffer, start, end);
  }

  end(trailers: string): void {
    if (this.#held !== null) {
      this.#held.trailers = trailers;
      return;
    }
    if (this.#tunnel !== null) return this.#tunnel.originEnded();
    this.#ended = true;
    this.#channel?.answerEnded();
    // Answered before the request was complete: the rest of it goes nowhere.
    if (this.#upload !== null && !this.#upload.ended) this.#exchange.front.discardBody();
    if (this.#elsewhere === '') this.#exchange.front.end(trailers);
  }

  flush(): boolean {
    if (this.#held !== null) return false;
    if (this.#tunnel !== null) return this.#tunnel.flushClient();
    if (!this.#ended) return this.#exchange.front.flush();
    if (!this.#over) {
      this.#finish();
      this.#exchange.carrier = null;
      const channel = this.#channel as Link;
      const origin = this.#leave() as Origin;
      if (!this.#judged) this.#upstream.health.answered(origin, this.#status, this.#sent);
      // First the channel, so that the client's next request, which may be here already, can have it.
      channel.release(this.#exchange.answered);
      this.#upstream.release(origin, this.#sent);
      if (this.#elsewhere === '') this.#exchange.front.flush();
      else this.#follow(this.#exchange, this.#elsewhere, this.#rooms);
    }
    return true;
  }

  note(line: string): void {
    this.#rooms.note(this.#exchange, line);
  }

  fail(code: ErrorCode, detail = ''): void {
    const exchange = this.#exchange;
    if (this.#tunnel !== null) return this.#tunnel.cut();
    const channel = this.#channel;
    const origin = this.#leave();
    this.#held = null;
    channel?.abandon();
    const stale = channel !== null && this.#failures.isStale(code, channel, exchange.reused);
    if (origin !== null && !stale) this.#upstream.health.failed(origin, code, this.#sent);
    if (!this.#over) {
      exchange.failed(origin, code, detail);
      this.#lastError = code;
      this.#lastDetail = detail;
      if (this.#answered) {
        this.#finish();
        exchange.error = code;
        exchange.errorDetail = detail;
        exchange.carrier = null;
        exchange.front.truncate();
      } else if (origin !== null && this.#mayRetry(code, origin, stale)) {
        this.#upstream.retried(stale ? 'stale-connection' : code);
        this.#upstream.release(origin, this.#sent);
        return this.#apply();
      } else this.#giveUp(code, detail);
    }
    if (origin !== null) this.#upstream.release(origin, this.#sent);
  }

  // ---- as the exchange's carrier

  clientGone(): void {
    this.#finish();
    this.#upstream.backlog.remove(this);
    const channel = this.#channel;
    const origin = this.#leave();
    channel?.abandon();
    if (origin !== null) this.#upstream.release(origin, this.#sent);
  }

  clientFlushed(): void {
    this.#channel?.resume();
  }

  // ---- inside

  #answer(answer: Answer): void {
    this.#answered = true;
    this.#exchange.front.answer(answer);
    if (answer.status === 101) this.#startTunnel();
  }

  /** True when the hook is over and the answer may go on now. */
  #askHook(answer: Answer, hooks: Hooks): boolean {
    let held: HeldAnswer | null = null;
    const go = (error?: unknown): void => {
      this.#held = null;
      if (held === null || this.#over) return;
      if (error !== undefined) return this.#hookFailed(error);
      this.#answer(held.answer);
      for (const piece of held.pieces) this.body(piece, 0, piece.length);
      const channel = this.#channel;
      if (held.trailers === null) {
        if (this.flush()) channel?.resume();
        return;
      }
      this.end(held.trailers);
      // First, for the flush gives the channel back, and on to a request that waits for it.
      channel?.resume();
      this.flush();
    };
    try {
      const copy = answer.copy();
      if (hooks.answer(this.#exchange, copy, go)) {
        answer.fields.copy(copy.fields);
        return true;
      }
      this.#held = held = new HeldAnswer(copy);
    } catch (error) {
      this.#hookFailed(error);
    }
    return false;
  }

  #hookFailed(error: unknown): void {
    this.#rooms.defect(error);
    const channel = this.#channel;
    const origin = this.#leave();
    channel?.abandon();
    this.#giveUp('hook-failed', '');
    if (origin !== null) this.#upstream.release(origin, this.#sent);
  }

  /**
   * The origins want to know the body's length first. No slot is asked for until the body is here, so that a slow client
   * keeps no process of an application busy.
   */
  #gather(): void {
    const { front, request } = this.#exchange;
    const spool = new Spool(
      this.#upstream.options.spool,
      this.#upstream.gathered,
      front,
      () => this.#rooms.temporaryFile(this.#upstream.options.spool.folder),
      (code, detail) => {
        if (this.#over) return;
        if (code !== '') return this.#giveUp(code, detail);
        request.framing = 'length';
        request.length = spool.length;
        request.fields.append('Content-Length', String(spool.length));
        this.#upload = spool;
        this.#begunLater();
        this.#apply();
      },
      (detail) => this.fail('spool-failed', detail),
    );
    this.#spool = spool;
    if (request.expectsContinue) front.interim(continueAnswer());
    front.readBody(spool);
  }

  #begunLater(): void {
    this.#waited = true;
    this.deadline = this.#rooms.clock.now() + this.#upstream.options.queue.timeout;
  }

  /** Asks for a slot: now, in the backlog, or not at all. */
  #apply(): void {
    const exchange = this.#exchange;
    exchange.state = 'waiting';
    const { queue } = this.#upstream.options;
    if (this.deadline === 0) this.deadline = exchange.started + queue.timeout;
    if (this.#upload !== null) {
      // A body that has begun waits with its request: what passed now would reach no origin.
      if (!this.#upload.replayable) return this.#giveUp(this.#lastError || 'origin-closed', this.#lastDetail);
      exchange.front.holdBody();
    }
    switch (this.#upstream.admit(this)) {
      case 'backlog-full':
        return this.#giveUp('backlog-full', '', Math.max(1, Math.ceil(queue.timeout / 1000)));
      case 'no-origin':
        return this.#giveUp(this.#lastError === '' ? 'no-origin' : this.#lastError, this.#lastDetail, 1);
      case 'waiting':
        this.#waited = true;
        break;
      default:
    }
  }

  #carry(channel: Link): void {
    const exchange = this.#exchange;
    const { request } = exchange;
    this.#channel = channel;
    exchange.state = 'sending';
    const refused = channel.carry(request, this.#upstream.target(channel.origin, this.#cgi), this, exchange);
    if (refused !== undefined) {
      const origin = this.#leave() as Origin;
      channel.release(exchange.connected);
      // This origin cannot be told; another one may.
      const elsewhere = this.#mayRetry(refused, origin, false);
      if (elsewhere) {
        exchange.failed(origin, refused, '');
        this.#lastError = refused;
        this.#lastDetail = '';
        this.#upstream.retried(refused);
      } else this.#giveUp(refused, '');
      this.#upstream.release(origin, this.#sent);
      return elsewhere ? this.#apply() : undefined;
    }
    // Its program could not be started: we shall hear.
    if (channel.state === 'connecting') return;
    if (channel.launches) this.#upstream.health.connected(channel.origin);
    if (request.framing === 'none') return;
    if (this.#upload === null) {
      const keep = channel.mayDecline || isIdempotent(request.method) ? this.#upstream.options.retries.buffer : 0;
      const upload = new Upload(keep, exchange.front, exchange.reserves);
      this.#upload = upload;
      upload.use(channel);
      // Head and first piece leave together when the piece is there; else the head goes ahead.
      if (exchange.front.readBody(upload)) return;
    } else {
      this.#upload.use(channel);
      this.#upload.resume();
    }
    if (this.#channel === channel) channel.requestFlush();
  }

  /** Lets go of channel and origin, and answers the origin whose slot is still held. */
  #leave(): Origin | null {
    const origin = this.#origin;
    this.#origin = null;
    this.#channel = null;
    this.#upload?.use(null);
    return origin;
  }

  get #failures(): Tries {
    return (this.#tries ??= new Tries(this.#upstream));
  }

  #mayRetry(code: ErrorCode, origin: Origin, stale: boolean): boolean {
    if (this.#upload !== null && !this.#upload.replayable) return false;
    return this.#failures.again(code, origin, this.#exchange.request.method, stale);
  }

  #giveUp(code: ErrorCode, detail: string, retryAfter = 0): void {
    if (this.#over) return;
    this.#finish();
    const exchange = this.#exchange;
    exchange.carrier = null;
    exchange.errorDetail = detail;
    refuse(exchange, code, retryAfter, this.#lastError);
  }

  #finish(): void {
    this.#over = true;
    this.#spool?.close();
  }

  #startTunnel(): void {
    const channel = this.#channel as Link;
    this.#tunnel = new Tunnel(this.#exchange, channel.detach(), this.#rooms, () => {
      const origin = this.#leave();
      this.#finish();
      channel.close();
      if (origin !== null) this.#upstream.release(origin, this.#sent);
      this.#exchange.front.tunnelled();
    });
  }
}
