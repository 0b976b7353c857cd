import type { Socket } from 'node:net';
import type { ErrorCode } from '../core/errors.ts';
import type { Exit, Program, ProgramOwner } from '../core/program.ts';
import { Timer } from '../core/wheel.ts';
import type { WireOwner } from '../core/wire.ts';
import type { Running } from '../codec/codec.ts';
import type { Channel } from './channel.ts';

/**
 * Milliseconds to wait for the other one of two things that belong together: a program's end, and that of its output. A
 * program may close its output and go on, or leave somebody behind who keeps it open; neither is to hold up the answer.
 */
const PATIENCE = 1000;

/** The same for the end of its standard error, so that the reason for a failure is in the log before the failure. */
const LAST_WORDS = 50;

/**
 * Stands between the wire to a program and its channel. A connection ends once; a program ends, and its output ends, and its
 * complaints, in any order. Here that becomes one end for the channel, after the session has heard how the program ended.
 */
export class ProgramLine implements WireOwner, ProgramOwner {
  readonly #channel: Channel;
  readonly #session: Running;
  readonly #timer: Timer;
  #program: Program | null = null;
  /** Its output has ended. */
  #quiet = false;
  #exited = false;
  #silent = false;
  /** The channel knows that it is over, or has ended it itself. */
  #over = false;
  /** It has been waited for once, and whatever had arrived by then has been read since. */
  #waited = false;

  constructor(channel: Channel, session: Running) {
    this.#channel = channel;
    this.#session = session;
    this.#timer = new Timer(() => this.#late());
  }

  /** False when it could not be started: the channel's `notStarted` follows. */
  start(): boolean {
    const { pool, wire, origin } = this.#channel;
    if (pool.launch === null) throw new Error('nobody here starts programs');
    const launched = pool.launch(this.#session.command, this, origin);
    if ('code' in launched) {
      // Not at once: whoever wants it started has the slot in hand that is to be given back.
      queueMicrotask(() => this.notStarted(launched.code, launched.detail));
      return false;
    }
    this.#program = launched;
    if (launched.stream === null) return false;
    wire.adopt(this);
    // It has all of a socket that a wire uses.
    wire.attach(launched.stream as Socket, true);
    return true;
  }

  /** The channel has closed. `answered`: after a complete answer. */
  left(answered: boolean): void {
    this.#over = true;
    this.#channel.pool.wheel.drop(this.#timer);
    this.#program?.leave(!answered);
  }

  // ---- as the owner of the wire

  received(buffer: Buffer, length: number): boolean {
    this.#waited = false;
    if (this.#exited) this.#wait(PATIENCE);
    return this.#channel.received(buffer, length);
  }

  ended(): void {
    this.#outputEnded();
  }

  flushed(): void {
    this.#channel.flushed();
  }

  closed(): void {
    this.#outputEnded();
  }

  defect(error: unknown): void {
    this.#channel.defect(error);
  }

  // ---- as the owner of the program

  notStarted(code: ErrorCode, detail: string): void {
    this.#over = true;
    this.#channel.notStarted(code, detail);
  }

  complained(bytes: Buffer): void {
    this.#session.complained(bytes);
  }

  silent(): void {
    this.#silent = true;
    this.#session.silent();
    this.#consider();
  }

  exited(exit: Exit): void {
    this.#exited = true;
    this.#session.exited(exit);
    this.#consider();
  }

  #outputEnded(): void {
    if (this.#quiet) return;
    this.#quiet = true;
    this.#consider();
  }

  #consider(): void {
    if (this.#over) return;
    if (this.#quiet && this.#exited && this.#silent) return this.#end();
    if (this.#quiet && this.#exited) return this.#wait(LAST_WORDS);
    if (this.#quiet || this.#exited) this.#wait(PATIENCE);
  }

  #wait(ms: number): void {
    if (!this.#over) this.#channel.pool.wheel.arm(this.#timer, ms);
  }

  #late(): void {
    if (this.#over) return;
    if (this.#quiet) return this.#end();
    // While the client reads slowly nothing is read here, so nothing is known of what comes.
    const known = !this.#channel.wire.stopped && this.#waited;
    this.#waited = !this.#channel.wire.stopped;
    if (known) this.#end();
    // Once more: when this thread was busy for long, something may lie here unread.
    else this.#wait(LAST_WORDS);
  }

  #end(): void {
    this.#over = true;
    this.#channel.pool.wheel.drop(this.#timer);
    this.#channel.ended();
  }
}
