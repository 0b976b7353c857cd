import { Refusal } from './problem.ts';

/** Changes run one after the other, in the order they came; not too many wait. */
export class Turns {
  readonly #most: number;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(most: number) {
    this.#most = most;
  }

  /** Runs when it is its turn; not at all when the one who asked has left, since it takes it for failed. */
  take(run: () => Promise<unknown>, left: () => boolean): Promise<unknown> {
    if (this.#waiting >= this.#most) return Promise.reject(new Refusal('busy'));
    this.#waiting++;
    const mine = this.#last.then(() => {
      this.#waiting--;
      if (left()) throw new Refusal('unavailable', 'the client has left: nothing was changed');
      return run();
    });
    this.#last = mine.catch(() => {});
    return mine;
  }
}
