import type { SpawnOptions } from './options.ts';

/**
 * `trying` the next child is started, perhaps after a pause · `unfit` none can be started: one is tried now and then · `crashing` too many
 * have crashed: none is started until somebody says so.
 */
type Mood = 'trying' | 'unfit' | 'crashing';

/** Children in a row that cannot be started at all before nobody waits for one: a file that is just being replaced is there again by then. */
const MISSES = 3;

/** Milliseconds until it is looked whether that is mended: the first time, and at most. */
const LOOK = 5000;
const LOOK_MOST = 60_000;

/** A child that did not live. */
interface Failed {
  readonly since: number;
  readonly unfit: boolean;
}

/** How long a pool goes on with starting children that do not live. Clock times and milliseconds. */
export class Patience {
  #mood: Mood = 'trying';
  /** Children in a row that did not live. */
  #failures = 0;
  /** Those of them that could not be started; several that were begun at the same time are one. */
  #misses = 0;
  #failedAt = -1;
  #until = 0;

  /** Nobody is to wait for a child. */
  get stopped(): boolean {
    return this.#mood !== 'trying';
  }

  get mood(): Mood {
    return this.#mood;
  }

  get failures(): number {
    return this.#failures;
  }

  /** When the last one failed; -1: none has. */
  get failedAt(): number {
    return this.#failedAt;
  }

  /** How many may be starting at once. */
  starting(now: number): number {
    if (this.#mood === 'crashing' || now < this.#until) return 0;
    return this.#mood === 'unfit' ? 1 : Infinity;
  }

  /**
   * One did not live.
   *
   * @returns how long there is to be a pause
   */
  failed({ since, unfit }: Failed, { first, most, limit }: SpawnOptions['crash'], now: number): number {
    // After those that could not be started at all: now they can, and how they live is another matter.
    if (!unfit && this.#misses > 0) this.#failures = this.#misses = 0;
    this.#failures++;
    if (unfit && (this.#misses === 0 || since > this.#failedAt)) this.#misses++;
    this.#failedAt = now;
    const tries = Math.min(MISSES, limit);
    if (this.#misses >= tries) this.#mood = 'unfit';
    else if (this.#failures >= limit) this.#mood = 'crashing';
    else this.#mood = 'trying';
    const [start, end, times] =
      this.#mood === 'unfit'
        ? [LOOK, LOOK_MOST, this.#misses - tries]
        : [first, most, (unfit ? this.#misses : this.#failures) - 1];
    const pause = Math.min(end, start * 2 ** times);
    this.#until = now + pause;
    return pause;
  }

  /** One has lived for a while. */
  lived(): void {
    if (this.#mood === 'crashing') return;
    this.#failures = 0;
    this.#misses = 0;
  }

  /** All is forgotten. */
  begin(): void {
    this.#mood = 'trying';
    this.#failures = 0;
    this.#misses = 0;
    this.#until = 0;
  }
}
