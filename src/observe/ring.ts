/** The last so many of something; the oldest makes room. */
export class Ring<Item> {
  #items: Item[] = [];
  #next = 0;
  #size: number;

  /** @param size most items kept; 0 keeps none */
  constructor(size: number) {
    this.#size = size;
  }

  add(item: Item): void {
    if (this.#items.length < this.#size) this.#items.push(item);
    else if (this.#size > 0) {
      this.#items[this.#next] = item;
      this.#next = (this.#next + 1) % this.#size;
    }
  }

  /** Keeps the newest of what is there. */
  resize(size: number): void {
    if (size === this.#size) return;
    this.#items = size === 0 ? [] : this.oldestFirst().slice(-size);
    this.#next = 0;
    this.#size = size;
  }

  oldestFirst(): Item[] {
    return [...this.#items.slice(this.#next), ...this.#items.slice(0, this.#next)];
  }
}
