import { type Dice, SIDES } from './dice.ts';

/**
 * A weighted draw in constant time: Walker's alias method, tables built by Vose's algorithm (IEEE Transactions on
 * Software Engineering 17(9), 1991). Every column belongs to one index up to a mark and to another one above it.
 */
export class Lottery {
  readonly #mark: Float64Array;
  readonly #above: Int32Array;

  /** Weights are positive, and there is at least one. */
  constructor(weights: readonly number[]) {
    const count = weights.length;
    const sum = weights.reduce((total, weight) => total + weight, 0);
    this.#mark = Float64Array.from(weights, (weight) => (weight / sum) * count);
    this.#above = Int32Array.from(weights.keys());
    const small: number[] = [];
    const large: number[] = [];
    for (let i = 0; i < count; i++) (this.#mark[i] < 1 ? small : large).push(i);
    while (small.length > 0 && large.length > 0) {
      const poor = small.pop() as number;
      const rich = large.at(-1) as number;
      this.#above[poor] = rich;
      this.#mark[rich] -= 1 - this.#mark[poor];
      if (this.#mark[rich] < 1) small.push(large.pop() as number);
    }
    // What is left over is 1 but for rounding.
    for (const i of [...small, ...large]) this.#mark[i] = 1;
  }

  /** An index, by one roll: it is a point on the line of columns. */
  draw(dice: Dice): number {
    const point = (dice.roll() / SIDES) * this.#mark.length;
    const column = Math.floor(point);
    return point - column < this.#mark[column] ? column : this.#above[column];
  }
}
