import { identify } from '../../core/names.ts';
import { Field, knownField, nameFault, valueFault } from './field.ts';
import { decode, mostDecoded } from './huffman.ts';
import { STATIC } from './static-table.ts';

/** Takes the fields of a block, in order. */
export interface FieldSink {
  field(field: Field): void;
}

const KNOWN: readonly Field[] = STATIC.map(([name, value]) => knownField(name, value));

/** Any length or index beyond this is wrong: blocks are shorter, tables smaller. */
const MOST_INTEGER = 1 << 24;

/** Where a string that was Huffman-coded stands while it is looked at; one thread decodes one string at a time. */
let plain: Buffer = Buffer.allocUnsafeSlow(8192);

/** RFC 7541: reads blocks of fields, and keeps the table that the peer fills while doing so. */
export class HpackDecoder {
  /** What is wrong, once `read` has answered false. The connection cannot be used any more: the tables differ. */
  detail = '';
  readonly #most: number;
  #capacity: number;
  /** A ring: the newest is at `#newest`, older ones before it. */
  #ring: (Field | undefined)[] = Array.from({ length: 32 });
  #newest = 0;
  #count = 0;
  #size = 0;
  // The block being read.
  #bytes: Buffer = plain;
  #at = 0;
  #end = 0;
  // The string read last.
  #text: Buffer = plain;
  #from = 0;
  #to = 0;

  /** @param most bytes that the table may have: what our SETTINGS say */
  constructor(most: number) {
    this.#most = most;
    this.#capacity = most;
  }

  /** Bytes of the table, as RFC 7541 §4.1 counts them. */
  get size(): number {
    return this.#size;
  }

  /** Reads one complete block; false when it is none. */
  read(bytes: Buffer, start: number, end: number, into: FieldSink): boolean {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    let updates = 0;
    let fields = 0;
    while (this.#at < end) {
      const first = bytes[this.#at];
      if ((first & 0x80) !== 0) {
        const index = this.#integer(7);
        if (index < 0) return false;
        const field = this.#lookUp(index);
        if (field === undefined) return false;
        fields++;
        into.field(field);
      } else if ((first & 0xe0) === 0x20) {
        // RFC 7541 §4.2: at the beginning, and no more than the smallest and the last of several.
        if (fields > 0 || ++updates > 2) return this.#fail('a table size update out of place');
        const size = this.#integer(5);
        if (size < 0) return false;
        if (size > this.#most) return this.#fail('a table larger than allowed');
        this.#capacity = size;
        this.#evict(0);
      } else {
        const indexed = (first & 0xc0) === 0x40;
        const field = this.#literal(indexed ? 6 : 4);
        if (field === undefined) return false;
        if (indexed) this.#add(field);
        fields++;
        into.field(field);
      }
    }
    return true;
  }

  #literal(prefix: number): Field | undefined {
    const index = this.#integer(prefix);
    if (index < 0) return undefined;
    let name: string;
    let id: number;
    let fault: string;
    if (index === 0) {
      if (!this.#string()) return undefined;
      name = this.#text.latin1Slice(this.#from, this.#to);
      id = identify(this.#text, this.#from, this.#to);
      fault = nameFault(this.#text, this.#from, this.#to);
    } else {
      const named = this.#lookUp(index);
      if (named === undefined) return undefined;
      ({ name, id } = named);
      // A fault of its value is not this one's.
      fault = index <= KNOWN.length ? '' : nameFaultOf(named);
    }
    if (!this.#string()) return undefined;
    const value = this.#text.latin1Slice(this.#from, this.#to);
    if (fault === '') fault = valueFault(this.#text, this.#from, this.#to);
    return new Field(name, value, id, fault);
  }

  /** RFC 7541 §5.1; -1 with `detail` set when it is cut off or too large. */
  #integer(prefix: number): number {
    const mask = (1 << prefix) - 1;
    let value = this.#bytes[this.#at++] & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= this.#end) return this.#wrong('a number is cut off');
      const byte = this.#bytes[this.#at++];
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value <= MOST_INTEGER ? value : this.#wrong('a number is too large');
    }
    return this.#wrong('a number is too large');
  }

  /** RFC 7541 §5.2: leaves the string's bytes in `#text[#from, #to)`. */
  #string(): boolean {
    if (this.#at >= this.#end) return this.#fail('a string is missing');
    const coded = (this.#bytes[this.#at] & 0x80) !== 0;
    const length = this.#integer(7);
    if (length < 0) return false;
    const start = this.#at;
    if (length > this.#end - start) return this.#fail('a string is cut off');
    this.#at += length;
    if (!coded) {
      this.#text = this.#bytes;
      this.#from = start;
      this.#to = start + length;
      return true;
    }
    const most = mostDecoded(length);
    if (plain.length < most) plain = Buffer.allocUnsafeSlow(most * 2);
    const decoded = decode(this.#bytes, start, start + length, plain);
    if (decoded < 0) return this.#fail('a bad Huffman code');
    this.#text = plain;
    this.#from = 0;
    this.#to = decoded;
    return true;
  }

  #lookUp(index: number): Field | undefined {
    if (index >= 1 && index <= KNOWN.length) return KNOWN[index - 1];
    const back = index - KNOWN.length - 1;
    if (index === 0 || back >= this.#count) {
      this.#fail('an index beyond the table');
      return undefined;
    }
    return this.#ring[(this.#newest - back + this.#ring.length) % this.#ring.length];
  }

  #add(field: Field): void {
    this.#evict(field.size);
    // RFC 7541 §4.4: what is larger than the table empties it, and that is no error.
    if (field.size > this.#capacity) return;
    if (this.#count === this.#ring.length) this.#grow();
    this.#newest = (this.#newest + 1) % this.#ring.length;
    this.#ring[this.#newest] = field;
    this.#count++;
    this.#size += field.size;
  }

  /** Takes the oldest out until `room` more bytes fit. */
  #evict(room: number): void {
    const { length } = this.#ring;
    while (this.#count > 0 && this.#size + room > this.#capacity) {
      const oldest = (this.#newest - this.#count + 1 + length) % length;
      this.#size -= (this.#ring[oldest] as Field).size;
      this.#ring[oldest] = undefined;
      this.#count--;
    }
  }

  #grow(): void {
    const { length } = this.#ring;
    const wider: (Field | undefined)[] = Array.from({ length: length * 2 });
    for (let i = 0; i < this.#count; i++) {
      wider[i] = this.#ring[(this.#newest - this.#count + 1 + i + length) % length];
    }
    this.#ring = wider;
    this.#newest = this.#count - 1;
  }

  #wrong(detail: string): number {
    this.detail = detail;
    return -1;
  }

  #fail(detail: string): false {
    this.detail = detail;
    return false;
  }
}

/** Rare: a bad field was put into the table, and its name is used again. */
function nameFaultOf(field: Field): string {
  if (field.fault === '') return '';
  const bytes = Buffer.from(field.name, 'latin1');
  return nameFault(bytes, 0, bytes.length);
}
