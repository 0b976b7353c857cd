import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../../core/clock.ts';

/** Characters of a line that are logged; the rest of it is left out. */
export const LONGEST_LINE = 4096;
/** Lines of one child that are logged in a second; how many more there were is said. */
export const MOST_LINES = 200;
/** Milliseconds for which they are counted. */
const PERIOD = 1000;

/**
 * Makes lines of what a child writes. It always takes everything, because a child whose pipe is full stands still; what it
 * hands on is bounded in length and number.
 */
export class Lines {
  readonly #clock: Clock;
  readonly #out: (line: string) => void;
  readonly #heard: (line: string) => void;
  #began = -Infinity;
  #count = 0;
  #left = 0;
  #cancel: (() => void) | null = null;

  /**
   * @param out gets what is to be logged
   * @param heard gets every line
   */
  constructor(clock: Clock, out: (line: string) => void, heard: (line: string) => void) {
    this.#clock = clock;
    this.#out = out;
    this.#heard = heard;
  }

  read(stream: Readable): void {
    const decoder = new StringDecoder('utf8');
    let half = '';
    let tooLong = false;
    const take = (text: string): void => {
      let from = 0;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
        half = this.#join(half, text.slice(from, end));
        this.#line(half);
        half = '';
        tooLong = false;
        from = end + 1;
      }
      if (tooLong) return;
      half = this.#join(half, text.slice(from));
      tooLong = half.length > LONGEST_LINE;
    };
    stream.on('data', (chunk: Buffer) => take(decoder.write(chunk)));
    stream.on('end', () => {
      if (half !== '') this.#line(half);
      half = '';
    });
    // A pipe that breaks has nothing more to say.
    stream.on('error', () => {});
  }

  /** Says what is to be said still. */
  close(): void {
    this.#cancel?.();
    this.#tellLeft();
  }

  /** One character more than is logged, so that it shows that there was more. */
  #join(half: string, more: string): string {
    return half.length > LONGEST_LINE ? half : half + more.slice(0, LONGEST_LINE + 1 - half.length);
  }

  #line(whole: string): void {
    const line = whole.length > LONGEST_LINE ? `${whole.slice(0, LONGEST_LINE)}…` : whole.replace(/\r$/, '');
    if (line === '') return;
    this.#heard(line);
    const now = this.#clock.now();
    if (now - this.#began >= PERIOD) {
      this.#tellLeft();
      this.#began = now;
      this.#count = 0;
    }
    if (this.#count < MOST_LINES) {
      this.#count++;
      this.#out(line);
      return;
    }
    this.#left++;
    this.#cancel ??= this.#clock.after(PERIOD, () => this.#tellLeft(), 'idle');
  }

  #tellLeft(): void {
    this.#cancel?.();
    this.#cancel = null;
    if (this.#left === 0) return;
    this.#out(`… ${this.#left} more lines, which were left out`);
    this.#left = 0;
  }
}
