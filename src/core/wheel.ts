import type { Clock } from './clock.ts';

/** How often the wheel turns, in milliseconds: deadlines are met up to two of these late, never early. */
const TICK = 50;
const SLOTS = 1024;
/** Ticks one turn may catch up. By so much a deadline set while the process was busy may be met early. */
const MOST_AT_ONCE = 4;

/**
 * One deadline that is moved far more often than it is met: a connection's idle limit, an answer's first byte.
 * Arming one that is armed already is two stores; the wheel looks again when the old slot comes round.
 */
export class Timer {
  /** Deadline in wheel ticks; 0 when disarmed. */
  due = 0;
  /** The tick at which the wheel will look at this timer; 0 when not on the wheel. */
  slot = 0;
  next: Timer | null = null;
  previous: Timer | null = null;
  readonly fire: () => void;

  constructor(fire: () => void) {
    this.fire = fire;
  }
}

/**
 * A thread's single coarse timer: hashed slots of intrusive lists, turned by one interval that stops when nothing is
 * armed. A `setTimeout` per request would cost more than parsing the request.
 */
export class Wheel {
  readonly #clock: Clock;
  readonly #defect: (error: unknown) => void;
  readonly #slots: (Timer | null)[] = new Array<Timer | null>(SLOTS).fill(null);
  #started: number;
  #tick = 1;
  #linked = 0;
  #stop: (() => void) | undefined;
  #closed = false;

  /** @param defect hears what a timer's owner throws, so that it stops neither the other timers nor the process */
  constructor(clock: Clock, defect: (error: unknown) => void = rethrow) {
    this.#clock = clock;
    this.#defect = defect;
    this.#started = clock.now();
  }

  /** Sets the deadline `ms` from now; 0 or less, or Infinity, disarms. */
  arm(timer: Timer, ms: number): void {
    if (!(ms > 0 && ms < Infinity)) {
      timer.due = 0;
      return;
    }
    if (this.#linked === 0) this.#start();
    const due = this.#tick + 1 + Math.ceil(ms / TICK);
    timer.due = due;
    if (timer.slot !== 0) {
      if (timer.slot <= due) return;
      this.#unlink(timer);
    }
    this.#link(timer, due);
  }

  /** Forgets the deadline, keeps the place on the wheel: the cheap way, for a timer that will be armed again soon. */
  disarm(timer: Timer): void {
    timer.due = 0;
  }

  /** Takes the timer off the wheel: required when its owner ends, or the wheel keeps the owner in memory. */
  drop(timer: Timer): void {
    timer.due = 0;
    if (timer.slot !== 0) this.#unlink(timer);
  }

  /** Stops turning; armed timers never fire. */
  close(): void {
    this.#closed = true;
    this.#stop?.();
    this.#stop = undefined;
    for (let i = 0; i < SLOTS; i++)
      for (let timer = this.#slots[i]; timer !== null; timer = this.#slots[i]) this.drop(timer);
  }

  #start(): void {
    if (this.#closed) return;
    this.#tick = this.#present();
    this.#stop ??= this.#clock.every(TICK, () => this.#turn());
  }

  #present(): number {
    return 1 + Math.floor((this.#clock.now() - this.#started) / TICK);
  }

  #link(timer: Timer, due: number): void {
    // Further away than one round: look again after a round, the deadline itself stays in `due`.
    const slot = due - this.#tick >= SLOTS ? this.#tick + SLOTS - 1 : due;
    const index = slot % SLOTS;
    const head = this.#slots[index] ?? null;
    timer.slot = slot;
    timer.previous = null;
    timer.next = head;
    if (head !== null) head.previous = timer;
    this.#slots[index] = timer;
    this.#linked++;
  }

  #unlink(timer: Timer): void {
    if (timer.previous === null) this.#slots[timer.slot % SLOTS] = timer.next;
    else timer.previous.next = timer.next;
    if (timer.next !== null) timer.next.previous = timer.previous;
    timer.slot = 0;
    timer.next = null;
    timer.previous = null;
    this.#linked--;
  }

  #turn(): void {
    const present = this.#present();
    // Time in which this process could not act (it was stopped, or busy with one thing) does not count: timers come
    // before sockets in a turn of the event loop, and whoever sent something meanwhile must not be found silent.
    const missed = present - this.#tick - MOST_AT_ONCE;
    if (missed > 0) this.#started += missed * TICK;
    const last = missed > 0 ? this.#tick + MOST_AT_ONCE : present;
    while (this.#tick < last) {
      this.#tick++;
      this.#visit(this.#tick % SLOTS);
    }
    if (this.#linked === 0) {
      this.#stop?.();
      this.#stop = undefined;
    }
  }

  #visit(index: number): void {
    let timer = this.#slots[index] ?? null;
    // Detach the list first: what fires may arm, drop or relink any timer, also its neighbours.
    this.#slots[index] = null;
    const due: Timer[] = [];
    while (timer !== null) {
      const next: Timer | null = timer.next;
      timer.slot = 0;
      timer.next = null;
      timer.previous = null;
      this.#linked--;
      if (timer.due !== 0) {
        if (timer.due <= this.#tick) due.push(timer);
        else this.#link(timer, timer.due);
      }
      timer = next;
    }
    for (const ready of due) {
      if (ready.due === 0 || ready.due > this.#tick) continue;
      ready.due = 0;
      try {
        ready.fire();
      } catch (error) {
        this.#defect(error);
      }
    }
  }
}

function rethrow(error: unknown): never {
  throw error;
}
