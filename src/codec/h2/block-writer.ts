import { codedLength, encode } from './huffman.ts';

/** RFC 7541 §5: numbers and strings of one block, in memory that serves block after block. */
export class BlockWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(8192);
  #at = 0;

  clear(): void {
    this.#at = 0;
  }

  get length(): number {
    return this.#at;
  }

  /** A part of it, one character per byte. */
  text(start: number, end: number): string {
    return this.#bytes.latin1Slice(start, end);
  }

  /** @param pattern the bits before the number, in their place */
  integer(pattern: number, prefix: number, value: number): void {
    this.#room(6);
    const bytes = this.#bytes;
    const mask = (1 << prefix) - 1;
    if (value < mask) {
      bytes[this.#at++] = pattern | value;
      return;
    }
    bytes[this.#at++] = pattern | mask;
    let left = value - mask;
    while (left >= 0x80) {
      bytes[this.#at++] = (left & 0x7f) | 0x80;
      left >>>= 7;
    }
    bytes[this.#at++] = left;
  }

  /** Huffman-coded when that is shorter. */
  string(text: string): void {
    const coded = codedLength(text);
    this.#room(text.length + 6);
    if (coded < text.length) {
      this.integer(0x80, 7, coded);
      this.#at = encode(text, this.#bytes, this.#at);
    } else {
      this.integer(0, 7, text.length);
      this.#at += this.#bytes.write(text, this.#at, 'latin1');
    }
  }

  #room(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const wider = Buffer.allocUnsafeSlow((this.#at + more) * 2);
    this.#bytes.copy(wider, 0, 0, this.#at);
    this.#bytes = wider;
  }
}
