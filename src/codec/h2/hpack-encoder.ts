import { ownText } from '../../core/own-text.ts';
import type { BlockWriter } from './block-writer.ts';
import { DEFAULT_TABLE } from './codes.ts';
import { sizeOf } from './field.ts';
import { hashOf, type Name } from './names.ts';
import { STATIC } from './static-table.ts';

/** Fields remembered as seen once. */
const RECENT = 512;

interface Entry {
  readonly name: Name;
  readonly value: string;
  /** Counted from the connection's beginning. */
  readonly number: number;
  /** Others of its name. */
  older: Entry | null;
  newer: Entry | null;
}

/**
 * RFC 7541: writes fields, and keeps the table that the origin's decoder keeps as well. A field is put into it when it comes
 * for the second time: what repeats (user agents, what is accepted) is there soon, and what never does (ids, lengths,
 * paths) pushes nothing out.
 */
export class HpackEncoder {
  #capacity = DEFAULT_TABLE;
  /** The smallest since the last block; -1 when nothing is to be told. */
  #smallest = -1;
  /** In the order in which they came; those before `#first` are gone. */
  #entries: Entry[] = [];
  #first = 0;
  #size = 0;
  #inserted = 0;
  readonly #newest = new Map<string, Entry>();
  readonly #recent = new Int32Array(RECENT);

  get size(): number {
    return this.#size;
  }

  /** The origin's table may have this many bytes from now on; more than the usual 4 KiB are not used. */
  resize(most: number): void {
    const capacity = Math.min(most, DEFAULT_TABLE);
    if (capacity === this.#capacity) return;
    this.#smallest = this.#smallest < 0 ? capacity : Math.min(this.#smallest, capacity);
    this.#capacity = capacity;
    this.#evict(0);
  }

  /** Before the first field of each block. */
  begin(into: BlockWriter): void {
    if (this.#smallest < 0) return;
    // RFC 7541 §4.2: the smallest in between is told too, because it has emptied the table.
    if (this.#smallest < this.#capacity) into.integer(0x20, 5, this.#smallest);
    into.integer(0x20, 5, this.#capacity);
    this.#smallest = -1;
  }

  field(name: Name, value: string, into: BlockWriter): void {
    const whole = name.values.get(value);
    if (whole !== undefined) return into.integer(0x80, 7, whole);
    const newest = this.#newest.get(name.text);
    for (let entry = newest ?? null; entry !== null && !name.secret; entry = entry.older) {
      if (entry.value === value) return into.integer(0x80, 7, this.#indexOf(entry));
    }
    const index = name.index > 0 || newest === undefined ? name.index : this.#indexOf(newest);
    const indexed = !name.secret && this.#seen(name, value);
    if (name.secret) into.integer(0x10, 4, index);
    else into.integer(indexed ? 0x40 : 0, indexed ? 6 : 4, index);
    if (index === 0) into.string(name.text);
    into.string(value);
    if (indexed) this.#add(name, value);
  }

  /** It has come before, and its place in the table is worth it. */
  #seen(name: Name, value: string): boolean {
    // One that takes a quarter of the table pushes out more than it saves.
    if (sizeOf(name.text, value) * 4 > this.#capacity) return false;
    const hash = hashOf(value, name.hash);
    const slot = hash & (RECENT - 1);
    if (this.#recent[slot] === hash) return true;
    this.#recent[slot] = hash;
    return false;
  }

  #indexOf(entry: Entry): number {
    return STATIC.length + this.#inserted - entry.number;
  }

  #add(name: Name, value: string): void {
    const size = sizeOf(name.text, value);
    this.#evict(size);
    const older = this.#newest.get(name.text) ?? null;
    const entry: Entry = { name, value: ownText(value), number: this.#inserted++, older, newer: null };
    if (older !== null) older.newer = entry;
    this.#newest.set(name.text, entry);
    this.#entries.push(entry);
    this.#size += size;
  }

  #evict(room: number): void {
    while (this.#first < this.#entries.length && this.#size + room > this.#capacity) {
      const entry = this.#entries[this.#first++];
      this.#size -= sizeOf(entry.name.text, entry.value);
      // The oldest of all is the oldest of its name.
      if (entry.newer === null) this.#newest.delete(entry.name.text);
      else entry.newer.older = null;
    }
    if (this.#first > 64 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }
}
