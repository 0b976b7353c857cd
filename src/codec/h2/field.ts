import { FIELD_VALUE, HTAB, SP, TOKEN } from '../../core/bytes.ts';
import { identify, OTHER } from '../../core/names.ts';

const COLON = 0x3a;

/** One field as it was decoded, judged once: an entry of the table may come again with every head. */
export class Field {
  readonly name: string;
  readonly value: string;
  /** Its name's number, see core/names.ts. */
  readonly id: number;
  /** What is wrong with it (RFC 9113 §8.2.1), for the log; '' when nothing is. */
  readonly fault: string;

  constructor(name: string, value: string, id: number, fault: string) {
    this.name = name;
    this.value = value;
    this.id = id;
    this.fault = fault;
  }

  get pseudo(): boolean {
    return this.name.charCodeAt(0) === COLON;
  }

  /** What it counts for in tables and lists, RFC 7541 §4.1. */
  get size(): number {
    return sizeOf(this.name, this.value);
  }
}

export function sizeOf(name: string, value: string): number {
  return name.length + value.length + 32;
}

/** What is wrong with a name; '' when nothing is. */
export function nameFault(bytes: Uint8Array, start: number, end: number): string {
  if (start === end) return 'an empty name';
  for (let i = start; i < end; i++) {
    const code = bytes[i];
    if (code >= 0x41 && code <= 0x5a) return 'an upper-case name';
    if (TOKEN[code] === 0 && (code !== COLON || i > start || end - start === 1)) return 'a bad character in a name';
  }
  return '';
}

/** What is wrong with a value; '' when nothing is. */
export function valueFault(bytes: Uint8Array, start: number, end: number): string {
  if (start === end) return '';
  for (let i = start; i < end; i++) if (FIELD_VALUE[bytes[i]] === 0) return 'a control character in a value';
  const first = bytes[start];
  const last = bytes[end - 1];
  const spaced = first === SP || first === HTAB || last === SP || last === HTAB;
  return spaced ? 'white space around a value' : '';
}

/** A field of the static table. */
export function knownField(name: string, value: string): Field {
  const bytes = Buffer.from(name, 'latin1');
  return new Field(name, value, name.startsWith(':') ? OTHER : identify(bytes, 0, bytes.length), '');
}
