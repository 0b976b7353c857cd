import { identifyText, OTHER } from './names.ts';

/** Numbers kept per field: where its name starts, its colon, where its value starts and ends. */
const STRIDE = 4;

/**
 * The fields of one message: the received text, once, and where each field lies in it.
 *
 * Nothing is split into strings until somebody asks, and what is kept goes out again as the runs of text it came in,
 * so order, case and repetition survive untouched. Changes are "this field is dropped" and "these lines are added".
 * All text is latin1: one character is one byte of the wire.
 */
export class Fields {
  /** The whole head as received; offsets count from its first character. */
  text = '';
  count = 0;
  /** Where the first field line starts, and where the empty line that ends the fields starts. */
  start = 0;
  end = 0;
  /** Complete `Name: value\r\n` lines to send after the kept ones. */
  added = '';
  /** How many of the parsed fields have been dropped. */
  dropped = 0;
  #at: Int32Array;
  #id: Uint8Array;
  #kept: Uint8Array;

  constructor(capacity = 32) {
    this.#at = new Int32Array(capacity * STRIDE);
    this.#id = new Uint8Array(capacity);
    this.#kept = new Uint8Array(capacity);
  }

  /** Forgets everything, keeps the memory. */
  clear(): void {
    this.text = '';
    this.count = 0;
    this.start = 0;
    this.end = 0;
    this.added = '';
    this.dropped = 0;
  }

  /** Becomes a copy of another's present state: for whoever has to keep fields whose memory is about to be used again. */
  copy(other: Fields): void {
    this.text = other.text;
    this.count = other.count;
    this.start = other.start;
    this.end = other.end;
    this.added = other.added;
    this.dropped = other.dropped;
    this.#at = other.#at.slice();
    this.#id = other.#id.slice();
    this.#kept = other.#kept.slice();
  }

  /** Called by a parser for each field it accepted. */
  push(id: number, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const index = this.count++;
    if (index === this.#id.length) this.#grow();
    const at = this.#at;
    const base = index * STRIDE;
    at[base] = nameStart;
    at[base + 1] = nameEnd;
    at[base + 2] = valueStart;
    at[base + 3] = valueEnd;
    this.#id[index] = id;
    this.#kept[index] = 1;
  }

  id(index: number): number {
    return this.#id[index];
  }

  kept(index: number): boolean {
    return this.#kept[index] === 1;
  }

  name(index: number): string {
    return this.text.slice(this.#at[index * STRIDE], this.#at[index * STRIDE + 1]);
  }

  value(index: number): string {
    return this.text.slice(this.#at[index * STRIDE + 2], this.#at[index * STRIDE + 3]);
  }

  /** The index of the first kept field with this number, or -1. */
  find(id: number): number {
    for (let i = 0; i < this.count; i++) if (this.#id[i] === id && this.#kept[i] === 1) return i;
    return -1;
  }

  drop(index: number): void {
    if (this.#kept[index] === 1) {
      this.#kept[index] = 0;
      this.dropped++;
    }
  }

  /** Drops every field with this number. */
  dropAll(id: number): void {
    for (let i = 0; i < this.count; i++) if (this.#id[i] === id) this.drop(i);
  }

  /** The first value of a field, by any spelling of its name; `undefined` when absent. */
  get(name: string): string | undefined {
    const id = identifyText(name);
    const wanted = name.toLowerCase();
    for (let i = 0; i < this.count; i++) if (this.kept(i) && this.#is(i, id, wanted)) return this.value(i);
    return this.#addedValues(wanted)[0];
  }

  /** All values of a field, in order. */
  getAll(name: string): string[] {
    const id = identifyText(name);
    const wanted = name.toLowerCase();
    const values: string[] = [];
    for (let i = 0; i < this.count; i++) if (this.kept(i) && this.#is(i, id, wanted)) values.push(this.value(i));
    return values.concat(this.#addedValues(wanted));
  }

  /** Removes a field, by any spelling of its name. */
  delete(name: string): void {
    const id = identifyText(name);
    const wanted = name.toLowerCase();
    for (let i = 0; i < this.count; i++) if (this.#is(i, id, wanted)) this.drop(i);
    if (this.added !== '') {
      this.added = this.#addedLines()
        .filter((line) => line.slice(0, line.indexOf(':')).toLowerCase() !== wanted)
        .map((line) => `${line}\r\n`)
        .join('');
    }
  }

  /** Adds a field after the others. The caller answers for name and value being valid. */
  append(name: string, value: string): void {
    this.added += `${name}: ${value}\r\n`;
  }

  /** Replaces all fields of this name by one. */
  set(name: string, value: string): void {
    this.delete(name);
    this.append(name, value);
  }

  /** All kept fields in order, names as received. For hooks and codecs of other protocols, not for the hot path. */
  entries(): [name: string, value: string][] {
    const all: [string, string][] = [];
    for (let i = 0; i < this.count; i++) if (this.kept(i)) all.push([this.name(i), this.value(i)]);
    for (const line of this.#addedLines()) {
      const colon = line.indexOf(':');
      all.push([line.slice(0, colon), line.slice(colon + 2)]);
    }
    return all;
  }

  /** The field lines to send, each ended by CRLF, without the empty line. */
  lines(): string {
    if (this.dropped === 0) return this.text.slice(this.start, this.end) + this.added;
    if (this.dropped === this.count) return this.added;
    let out = '';
    let run = -1;
    for (let i = 0; i < this.count; i++) {
      if (this.#kept[i] === 1) {
        if (run < 0) run = this.#at[i * STRIDE];
      } else if (run >= 0) {
        out += this.text.slice(run, this.#at[i * STRIDE]);
        run = -1;
      }
    }
    if (run >= 0) out += this.text.slice(run, this.end);
    return out + this.added;
  }

  #is(index: number, id: number, lowerName: string): boolean {
    if (id !== OTHER) return this.#id[index] === id;
    const start = this.#at[index * STRIDE];
    const end = this.#at[index * STRIDE + 1];
    return end - start === lowerName.length && this.text.slice(start, end).toLowerCase() === lowerName;
  }

  #addedLines(): string[] {
    return this.added === '' ? [] : this.added.slice(0, -2).split('\r\n');
  }

  #addedValues(lowerName: string): string[] {
    if (this.added === '') return [];
    return this.#addedLines()
      .filter((line) => line.slice(0, line.indexOf(':')).toLowerCase() === lowerName)
      .map((line) => line.slice(line.indexOf(':') + 2));
  }

  #grow(): void {
    const capacity = this.#id.length * 2;
    const at = new Int32Array(capacity * STRIDE);
    at.set(this.#at);
    this.#at = at;
    const id = new Uint8Array(capacity);
    id.set(this.#id);
    this.#id = id;
    const kept = new Uint8Array(capacity);
    kept.set(this.#kept);
    this.#kept = kept;
  }
}
