/** What goes on at a pool, at one moment. */
export interface Load {
  /** Requests in the queue of the upstream. */
  readonly waiting: number;
  /** Requests in flight at the pool's children. */
  readonly inFlight: number;
  /** Requests that its children have ended, ever. Only whether it changes is looked at. */
  readonly requests: number;
}

export interface Sizes {
  readonly min: number;
  readonly max: number;
  /** Requests in flight for each child at which one more is wanted. */
  readonly load: number;
  /** Requests that a child takes at once. */
  readonly slots: number;
  /** Milliseconds after which a child that was not needed is not wanted any more. */
  readonly idleTimeout: number;
}

/** How many children are there, of those that are to stay. */
export interface There {
  readonly ready: number;
  readonly starting: number;
}

/**
 * Requests in flight for each child at which one more is wanted, where there may be more and nothing else says when: a limit
 * that is never reached would be a mistake without a word. As many as a server with one thread still answers smoothly.
 */
const UNTOLD_LOAD = 32;

/** How many children a pool is to have. Grows at once, and shrinks when what is above was not needed for a while. */
export class Need {
  #wanted: number;
  #sizes: Sizes;
  /** Clock time at which a child of this number was last needed: index 0 is the first child. */
  readonly #needed: number[] = [];
  #waited = false;
  #requests = 0;

  constructor(sizes: Sizes) {
    this.#sizes = sizes;
    this.#wanted = sizes.min;
  }

  get wanted(): number {
    return this.#wanted;
  }

  update(sizes: Sizes): void {
    this.#sizes = sizes;
    this.#wanted = Math.min(Math.max(this.#wanted, sizes.min), sizes.max);
  }

  get #load(): number {
    const { min, max, load, slots } = this.#sizes;
    return load === Infinity && slots === Infinity && max > min ? UNTOLD_LOAD : load;
  }

  /** Looks at the load; `wanted` may be another number then. */
  look({ waiting, inFlight, requests }: Load, { ready, starting }: There, now: number): void {
    const { min, max, slots, idleTimeout } = this.#sizes;
    const load = this.#load;
    const each = Math.min(load, slots);
    // One that serves short requests looks idle at every single moment.
    const busy = requests !== this.#requests ? 1 : 0;
    this.#requests = requests;
    const needed = Math.max(
      busy,
      each === Infinity ? Math.min(1, waiting + inFlight) : Math.ceil((waiting + inFlight) / each),
    );
    let wanted = Math.max(min, this.#wanted);
    if (load < Infinity) wanted = Math.max(wanted, Math.ceil((waiting + inFlight) / load));
    // Where some are, a request may wait for a moment only: it has to be seen twice.
    if (waiting > 0 && (this.#waited || ready + starting === 0)) {
      const more = slots === Infinity ? (ready === 0 ? 1 : 0) : Math.ceil(waiting / slots);
      wanted = Math.max(wanted, ready + more);
    }
    this.#waited = waiting > 0;
    wanted = Math.min(wanted, max);
    // What is new is needed from now on, so that it is not gone before it has served anybody.
    for (let i = this.#wanted; i < wanted; i++) this.#needed[i] = now;
    for (let i = 0; i < Math.min(needed, wanted); i++) this.#needed[i] = now;
    while (wanted > min && now - (this.#needed[wanted - 1] ?? -Infinity) >= idleTimeout) wanted--;
    this.#wanted = wanted;
  }
}
