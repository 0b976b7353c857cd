import { randomFillSync } from 'node:crypto';

const DIGITS = Uint8Array.from(Buffer.from('0123456789abcdef'));
const LINE = 'traceparent: 00-00000000000000000000000000000000-0000000000000000-00\r\n';
const TRACE = 'traceparent: 00-'.length;
const SPAN = TRACE + 33;
const FLAGS = SPAN + 17;

/**
 * Ids of traces and spans, as complete field lines. Unique, not secret: the generator xoshiro128** (Blackman and Vigna,
 * 2018; public domain), which has 128 bits of state, so that threads that begin at random places of its one long circle
 * do not meet. `crypto.randomBytes` would take ten times as long, for every request.
 */
export class TraceIds {
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  readonly #line = Buffer.from(LINE, 'latin1');

  /** @param seed four numbers of 32 bits, not all 0; default: from the system's cryptographic source */
  constructor(seed: Int32Array = randomFillSync(new Int32Array(4))) {
    this.#a = seed[0];
    this.#b = seed[1];
    this.#c = seed[2];
    this.#d = seed[3];
    // The one state from which it never leaves.
    if ((this.#a | this.#b | this.#c | this.#d) === 0) this.#a = 1;
  }

  /** 32 random bits, signed. */
  roll(): number {
    const five = Math.imul(this.#b, 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** A line with a new trace and a new span. `traceIn` and `spanIn` read their ids. */
  newTrace(flags: number): string {
    this.#write(TRACE, 4);
    return this.#span(flags);
  }

  /** A line with a new span of this trace. */
  newSpan(traceId: string, flags: number): string {
    this.#line.write(traceId, TRACE, 'latin1');
    return this.#span(flags);
  }

  #span(flags: number): string {
    this.#write(SPAN, 2);
    this.#line[FLAGS + 1] = DIGITS[flags & 15];
    return this.#line.latin1Slice();
  }

  /** Random words in hex; never all zero, which is no id. */
  #write(at: number, words: number): void {
    const line = this.#line;
    let any = 0;
    for (let i = 0; i < words; i++) {
      let word = this.roll();
      any |= word;
      if (i === words - 1 && any === 0) word = 1;
      for (let shift = 28; shift >= 0; shift -= 4) line[at++] = DIGITS[(word >>> shift) & 15];
    }
  }
}

export function traceIn(line: string): string {
  return line.slice(TRACE, TRACE + 32);
}

export function spanIn(line: string): string {
  return line.slice(SPAN, SPAN + 16);
}
