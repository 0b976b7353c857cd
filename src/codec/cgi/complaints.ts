import { LF } from '../../core/bytes.ts';

/** What a line of the log can show. */
const LONGEST = 1024;
/** Lines per request: a script in a loop must not fill the disk. */
const MOST = 100;

/** What a program writes to its standard error, as lines for the log, however it arrives. */
export class Complaints {
  readonly #note: (line: string) => void;
  #line = '';
  #cut = false;
  #lines = 0;

  constructor(note: (line: string) => void) {
    this.#note = note;
  }

  push(buffer: Buffer, start: number, end: number): void {
    if (this.#lines > MOST) return;
    for (let i = start; i < end;) {
      let stop = i;
      while (stop < end && buffer[stop] !== LF) stop++;
      const room = LONGEST - this.#line.length;
      this.#line += buffer.latin1Slice(i, Math.min(stop, i + room));
      if (stop - i > room) this.#cut = true;
      if (stop < end) this.end();
      i = stop + 1;
    }
  }

  /** What has no line end yet is a line, too. */
  end(): void {
    // Read byte by byte as latin1; most programs write UTF-8.
    const text = Buffer.from(this.#line, 'latin1').toString('utf8').trim();
    const cut = this.#cut;
    this.#line = '';
    this.#cut = false;
    if (text === '' || this.#lines > MOST) return;
    this.#lines++;
    this.#note(this.#lines > MOST ? `more than ${MOST} lines: the rest is left out` : cut ? `${text} …` : text);
  }
}
