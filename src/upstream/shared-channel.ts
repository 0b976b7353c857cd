import { METER } from '../core/meter.ts';
import type { Origin, OriginAddress } from '../core/origin.ts';
import { Timer } from '../core/wheel.ts';
import { BULK, type WireOwner } from '../core/wire.ts';
import type { CodecSession } from '../codec/codec.ts';
import { Wire } from '../wire/wire.ts';
import { Channel, connectError } from './channel.ts';
import type { Link, LinkState, LinkUser } from './link.ts';
import type { Pool } from './pool.ts';
import { Stream } from './stream.ts';
import type { Fault } from './tls/fault.ts';
import type { Security } from './tls/security.ts';

/**
 * Bytes that may wait to be written before nothing more is read: a peer that asks and asks, and does not read what it is
 * answered, must not fill the memory. So much is 256 uploads with a whole read each, which slow themselves down.
 */
const MOST_QUEUED = 16 * 1024 * 1024;

/**
 * A connection on which several exchanges travel at a time, as many as its session has `slots`. It owns the wire and tells
 * each `Stream` what concerns it: what a read has brought, that the peer takes more, that the connection is gone.
 *
 * Those who come while it connects wait for it together.
 */
export class SharedChannel implements WireOwner {
  readonly origin: Origin;
  readonly pool: Pool;
  readonly wire: Wire;
  /** From the moment it is open. */
  session!: CodecSession;
  readonly born: number;
  readonly address: OriginAddress;
  security: Security | null = null;
  /** What ended the connection, where that takes more than the system's error to tell. */
  explain: ((error: NodeJS.ErrnoException | null) => Fault | undefined) | null = null;
  /** How far connecting has come, for those who wait too long. */
  progress = 'no connection in time';
  state: LinkState = 'connecting';
  /** Exchanges carried so far. */
  carried = 0;
  /** Reads so far. */
  reads = 0;
  /** Clock time when the last of its exchanges ended. */
  idleSince = 0;
  /** For connecting, and for lying idle; each stream has its own. */
  readonly timer: Timer;
  /** Those that wait for the connection; then those that travel on it. */
  readonly #streams = new Set<Stream>();
  readonly #blocked = new Set<Stream>();
  readonly #withheld = new Set<Stream>();
  #touched: Stream[] = [];
  /** Whose requests leave at the end of this turn of the event loop. */
  #leaving: Stream[] = [];
  /** The codec is in the middle of a read: it is not to be asked for anything new. */
  #receiving = false;
  #retired = false;
  /** What has ended the connection, once something has. */
  lostTo: NodeJS.ErrnoException | null = null;
  /** Nothing is read, because of what somebody else does not take. */
  #stopped = false;
  /** Clock time since when. */
  #stoppedAt = 0;
  /** Finds another link for who waited here in vain. */
  readonly #elsewhere: (user: LinkUser) => Link;

  constructor(origin: Origin, pool: Pool, elsewhere: (user: LinkUser) => Link) {
    this.origin = origin;
    this.pool = pool;
    this.born = pool.clock.now();
    this.address = origin.address;
    this.wire = new Wire(this, pool.window);
    this.timer = new Timer(() => this.#late());
    this.#elsewhere = elsewhere;
    origin.connections++;
    pool.entered(this);
    pool.shared.entered(this);
  }

  /** Exchanges that travel on it, or wait for it. */
  get busy(): number {
    return this.#streams.size;
  }

  /** Whether one more exchange may come. */
  get hasRoom(): boolean {
    const { busy } = this;
    const { options, shared } = this.pool;
    if (this.state === 'connecting')
      return busy < Math.min(shared.expected(this.origin), options.keepAlive.maxRequests);
    if (this.#receiving || this.#spent || this.carried >= options.keepAlive.maxRequests) return false;
    return busy < this.session.slots && this.session.full !== true;
  }

  /** A place for this user; the caller has seen that there is room. */
  join(user: LinkUser): Stream {
    const stream = new Stream(this, user);
    this.#streams.add(stream);
    if (this.state === 'idle') this.#wake();
    if (this.state === 'open') stream.state = 'open';
    return stream;
  }

  /**
   * Called by dial once a connection is there, and both sides have agreed what they speak.
   * @param alpn the protocol they have agreed on, where they have asked each other (RFC 7301)
   */
  opened(alpn?: string): void {
    if (this.state !== 'connecting') return;
    this.pool.wheel.disarm(this.timer);
    if (this.pool.outdated(this)) return this.#dialAnew();
    if (!this.pool.shares(this.origin, alpn)) return this.#becomeChannel(alpn);
    this.state = 'open';
    this.origin.meter[METER.opened]++;
    this.session = this.pool.makeSession(this.wire, this.origin, alpn);
    // A peer that refuses something answers, closes, and so resets who still sends: what it says is to be read first.
    this.wire.readOnAfterWrites();
    this.#learn();
    // One at least: who has room for nobody says so when it is asked.
    const room = Math.max(1, Math.min(this.session.slots, this.pool.options.keepAlive.maxRequests));
    const waiting = [...this.#streams];
    for (const stream of waiting.slice(room)) this.#streams.delete(stream);
    for (const stream of waiting.slice(0, room)) if (stream.state === 'connecting') this.#guard(() => stream.opened());
    for (const stream of waiting.slice(room)) if (stream.state === 'connecting') this.#replace(stream);
  }

  /** Called by dial once there is a connection, but to somebody who is not asked anything. */
  refused({ code, detail }: Fault): void {
    if (this.state !== 'connecting') return;
    const streams = [...this.#streams];
    this.close();
    for (const stream of streams) this.#guard(() => stream.notConnected(code, detail));
  }

  ended(): void {
    // In the middle of a handshake; that it failed is told by `closed`.
    if (this.state === 'connecting') return;
    if (this.state === 'idle') return this.wire.destroy();
    this.#hearEnd();
    // Half an answer is none: whoever is left has lost its connection, which happens in `closed`.
    this.wire.destroy();
  }

  received(buffer: Buffer, length: number): boolean {
    // Before it is open nobody has been asked for anything.
    if (this.state === 'connecting' || this.state === 'closed') {
      this.wire.destroy();
      return false;
    }
    this.wire.bulk = length > BULK;
    this.reads++;
    this.#receiving = true;
    try {
      this.session.receive(buffer, 0, length);
    } finally {
      this.#receiving = false;
    }
    // First, for those whom this read sends elsewhere.
    this.#learn();
    this.#settle();
    this.#rest(this.pool.clock.now());
    return this.#mayRead();
  }

  flushed(): void {
    const blocked = [...this.#blocked];
    this.#blocked.clear();
    for (const stream of blocked) stream.flushed();
    this.#readOn();
  }

  closed(error: NodeJS.ErrnoException | null): void {
    const { state } = this;
    const refusal = state === 'connecting' ? this.#whyNot(error) : this.reads === 0 ? this.explain?.(error) : undefined;
    // The session knows which requests were not sent at all, and those may go anywhere.
    this.lostTo = error;
    if (state === 'open' && refusal === undefined) this.#hearEnd();
    const streams = [...this.#streams];
    this.#end();
    for (const stream of streams) {
      // Also when the origin turned us away after all, and has not looked at what it was sent meanwhile.
      if (refusal !== undefined) this.#guard(() => stream.notConnected(refusal.code, refusal.detail));
      else this.#guard(() => stream.lost(error));
    }
  }

  defect(error: unknown): void {
    this.pool.onDefect(error);
  }

  /** Ends it from outside, in the middle of whatever it carries. */
  cut(): void {
    const streams = [...this.#streams];
    this.close();
    for (const stream of streams) this.#guard(() => stream.cut());
  }

  /** Closes it; `cut` is for one that has streams. */
  close(): void {
    if (this.state === 'closed') return;
    this.#end();
    this.wire.destroy();
  }

  /** Nothing new goes on it; it closes when the last exchange has ended. */
  retire(): void {
    this.#retired = true;
  }

  // ---- called by its streams

  /** Writes what was added. True when the stream may send more; else it hears `flushed`. */
  write(stream: Stream): boolean {
    const taken = this.wire.flush();
    stream.withheld = stream.held;
    if (!taken) this.#blocked.add(stream);
    if (stream.withheld) this.#withheld.add(stream);
    return taken && !stream.withheld;
  }

  /**
   * Writes a request that is a head and nothing else. When others travel here as well it may wait for the end of this turn
   * of the event loop: under load some twenty come in one turn, and then share a system call, a packet and the peer's waking up.
   */
  writeSoon(stream: Stream): void {
    if (this.#streams.size === 1) this.write(stream);
    else if (this.#leaving.push(stream) === 1) this.pool.clock.soon(() => this.#writeLeaving());
  }

  /** What was withheld of the stream's request may go. */
  taken(stream: Stream): void {
    this.#withheld.delete(stream);
  }

  /** The read that is under way has something for this stream. */
  touch(stream: Stream): void {
    this.#touched.push(stream);
  }

  /**
   * Whether nothing is read because of what clients do not take: then nobody else on this connection is late. Who has
   * held all others up for `timeouts.idle` is ended.
   */
  heldUp(): boolean {
    if (!this.#stopped || this.session.full !== true) return false;
    if (this.pool.clock.now() - this.#stoppedAt >= this.pool.options.timeouts.idle) {
      for (const stream of [...this.#streams]) if (stream.paused) this.#guard(() => stream.tooSlow());
    }
    return true;
  }

  /** Nothing more comes: those whom the session can tell why hear it now. */
  #hearEnd(): void {
    this.#receiving = true;
    try {
      this.session.eof();
    } finally {
      this.#receiving = false;
    }
    this.#retired = true;
    this.#settle();
  }

  /** A stream's user takes more again. */
  resumed(): void {
    this.#writeOwn();
    this.#readOn();
  }

  /** A stream is over. */
  left(stream: Stream, now: number): void {
    if (!this.#streams.delete(stream)) return;
    this.#blocked.delete(stream);
    this.#withheld.delete(stream);
    if (this.state === 'closed') return;
    if (this.state === 'connecting') {
      // Nobody waits for it any more.
      if (this.#streams.size === 0) this.close();
      return;
    }
    // What a read has brought for others comes first.
    if (this.#receiving) return;
    this.#writeOwn();
    this.#readOn();
    this.#rest(now);
  }

  // ---- inside

  /** It takes no more exchanges, whatever there is room for. */
  get #spent(): boolean {
    return (
      this.#retired ||
      this.state === 'closed' ||
      this.wire.dead ||
      this.wire.deaf ||
      !this.session.reusable ||
      this.pool.clock.now() - this.born >= this.pool.options.keepAlive.maxAge
    );
  }

  /** The handshake has told that this connection is for one exchange at a time. */
  #becomeChannel(alpn: string | undefined): void {
    const [first, ...others] = this.#streams;
    this.#streams.clear();
    this.pool.shared.expect(this.origin, 1);
    this.#end();
    this.#guard(() => {
      const { user } = first;
      if (user === null) return this.wire.destroy();
      const channel = new Channel(this.origin, this.pool, user, this.wire, alpn);
      channel.address = this.address;
      channel.security = this.security;
      channel.explain = this.explain;
      first.replaced(() => channel);
      channel.opened();
    });
    for (const stream of others) this.#replace(stream);
  }

  /** A reload has come meanwhile: what was dialled is not what the origin is now. */
  #dialAnew(): void {
    const waiting = [...this.#streams];
    this.#streams.clear();
    this.close();
    for (const stream of waiting) this.#replace(stream);
  }

  #replace(stream: Stream): void {
    this.#guard(() => stream.replaced(this.#elsewhere));
  }

  #whyNot(error: NodeJS.ErrnoException | null): Fault {
    const detail = error === null ? 'closed' : (error.code ?? error.message);
    return this.explain?.(error) ?? { code: connectError(error), detail };
  }

  /** One exchange's defect is not the others'. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.defect(error);
      this.wire.destroy(true);
    }
  }

  /** After a read: each stream that it has brought something for, what was waited for, and what the session says itself. */
  #settle(): void {
    // What one of them does may touch others, or bring new ones.
    for (let touched = this.#touched; touched.length > 0; touched = this.#touched) {
      this.#touched = [];
      for (const stream of touched) stream.settle();
    }
    for (const stream of this.#withheld) {
      if (stream.held && this.wire.unsent) stream.stirred();
      else if (!this.#blocked.has(stream)) stream.released();
    }
    this.#writeOwn();
  }

  #writeLeaving(): void {
    const leaving = this.#leaving;
    this.#leaving = [];
    this.#guard(() => {
      for (const stream of leaving) if (this.#streams.has(stream)) this.write(stream);
    });
  }

  /** Answers to pings, allowances, aborts: nobody waits for them to be out. */
  #writeOwn(): void {
    if (this.wire.unsent) this.wire.flush();
  }

  /** Remembers how many the peer takes, for those who will wait for the next connection. */
  #learn(): void {
    this.pool.shared.expect(this.origin, this.session.slots);
  }

  #mayRead(): boolean {
    const stopped = this.session.full === true || this.wire.queued > MOST_QUEUED;
    if (stopped && !this.#stopped) this.#stoppedAt = this.pool.clock.now();
    this.#stopped = stopped;
    return !this.#stopped && !this.wire.dead;
  }

  #readOn(): void {
    if (!this.#stopped || !this.#mayRead()) return;
    // What they have waited for may have lain there unread.
    for (const stream of this.#streams) stream.afresh();
    this.wire.resume();
  }

  /** Without exchanges it lies idle, if it may be used again; else it closes. */
  #rest(now: number): void {
    if (this.#streams.size > 0 || this.state === 'closed') return;
    if (this.#spent || this.carried >= this.pool.options.keepAlive.maxRequests) return this.close();
    if (this.state === 'idle') return;
    const limit = this.pool.shared.restFor(this);
    if (limit <= 0) return this.close();
    this.state = 'idle';
    this.idleSince = now;
    this.origin.meter[METER.idle]++;
    this.pool.wheel.arm(this.timer, limit);
  }

  #wake(): void {
    this.state = 'open';
    this.origin.meter[METER.idle]--;
    this.pool.wheel.disarm(this.timer);
  }

  #end(): void {
    if (this.state === 'closed') return;
    this.pool.wheel.drop(this.timer);
    if (this.state === 'idle') this.origin.meter[METER.idle]--;
    this.state = 'closed';
    this.origin.connections--;
    this.pool.left(this);
    this.pool.shared.left(this);
  }

  #late(): void {
    if (this.state !== 'connecting') return this.close();
    this.refused({ code: 'connect-timeout', detail: this.progress });
  }
}
