import { position, type Place, type Span } from './place.ts';
import { twice, type Finding, type Reading } from './reading.ts';

/** Far more than a config needs, far less than the stack holds. */
const DEEPEST = 200;

const LITERALS: Readonly<Record<string, unknown>> = { true: true, false: false, null: null };
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const STRING = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /[\w$.+-]+/y;

/** Reads JSON as RFC 8259 has it, and keeps where everything stands. The first error ends it; keys given twice do not. */
export function readJson(text: string): Reading {
  const reader = new JsonReader(text);
  try {
    return reader.read();
  } catch (error) {
    if (error instanceof Stop) return { problems: [...reader.problems, error.finding] };
    throw error;
  }
}

class Stop extends Error {
  readonly finding: Finding;

  constructor(finding: Finding) {
    super(finding.message);
    this.finding = finding;
  }
}

class JsonReader {
  readonly problems: Finding[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Reading {
    if (this.#text.startsWith('\uFEFF')) this.#at = 1;
    this.#space();
    if (this.#at === this.#text.length) this.#stop('the file holds nothing', this.#at, 'config/empty');
    const [value, root] = this.#value(undefined, 0);
    this.#space();
    if (this.#at < this.#text.length) this.#stop('the config ends before this', this.#at);
    return { value, root, problems: this.problems };
  }

  #value(key: Span | undefined, depth: number): [value: unknown, place: Place] {
    if (depth > DEEPEST) this.#stop('nested too deeply', this.#at);
    const start = this.#at;
    const parts = new Map<string, Place>();
    const char = this.#text[start];
    const value =
      char === '{' ? this.#object(parts, depth) : char === '[' ? this.#array(parts, depth) : this.#scalar(start);
    const span = { start, end: this.#at };
    return [value, key === undefined ? { value: span, parts } : { key, value: span, parts }];
  }

  #object(parts: Map<string, Place>, depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    this.#list('}', () => {
      const start = this.#at;
      if (this.#text[start] !== '"') this.#stop('expected a key in double quotes', start);
      const name = this.#string(start);
      const key = { start, end: this.#at };
      const first = parts.get(name)?.key;
      if (first !== undefined) this.problems.push(twice(name, key, position(this.#text, first).line));
      this.#space();
      if (this.#text[this.#at] !== ':') this.#stop('expected a colon after the key', this.#at);
      this.#at++;
      this.#space();
      const [value, place] = this.#value(key, depth + 1);
      entries.push([name, value]);
      parts.set(name, place);
    });
    return Object.fromEntries(entries);
  }

  #array(parts: Map<string, Place>, depth: number): unknown[] {
    const items: unknown[] = [];
    this.#list(']', () => {
      const [value, place] = this.#value(undefined, depth + 1);
      parts.set(String(items.length), place);
      items.push(value);
    });
    return items;
  }

  /** From an opening bracket to behind the closing one; `item` reads one, and is only called where one stands. */
  #list(close: string, item: () => void): void {
    const open = this.#at++;
    this.#space();
    if (this.#text[this.#at] === close) {
      this.#at++;
      return;
    }
    for (;;) {
      if (this.#at >= this.#text.length) this.#stop(`this is not closed by a ${close}`, open);
      item();
      this.#space();
      const char = this.#text[this.#at];
      if (char === close) {
        this.#at++;
        return;
      }
      if (char === undefined) this.#stop(`this is not closed by a ${close}`, open);
      if (char !== ',') this.#stop(`expected a comma or ${close}`, this.#at);
      const comma = this.#at++;
      this.#space();
      if (this.#text[this.#at] === close) this.#stop('JSON has no comma after the last item', comma);
    }
  }

  #scalar(start: number): unknown {
    if (this.#text[start] === '"') return this.#string(start);
    const number = this.#match(NUMBER, start);
    const word = this.#match(WORD, start);
    if (number !== undefined && number === word) {
      this.#at += number.length;
      return Number(number);
    }
    if (word !== undefined && Object.hasOwn(LITERALS, word)) {
      this.#at += word.length;
      return LITERALS[word];
    }
    if (this.#text[start] === "'") return this.#stop('JSON has double quotes only', start);
    if (start >= this.#text.length) return this.#stop('the file ends where a value is expected', start);
    return this.#stop('expected a value: text stands in double quotes', start, 'config/syntax', word?.length);
  }

  #string(start: number): string {
    const raw = this.#match(STRING, start);
    if (raw === undefined) {
      const closed = /"(?:[^"\\\n]|\\.)*"/y;
      const message =
        this.#match(closed, start) === undefined
          ? 'this text has no closing quote'
          : 'this text has an escape or a control character that JSON does not know';
      return this.#stop(message, start);
    }
    this.#at += raw.length;
    return JSON.parse(raw) as string;
  }

  #match(pattern: RegExp, at: number): string | undefined {
    pattern.lastIndex = at;
    return pattern.exec(this.#text)?.[0];
  }

  #space(): void {
    while (' \t\r\n'.includes(this.#text[this.#at] ?? '-')) this.#at++;
    if (this.#text[this.#at] === '/' || this.#text[this.#at] === '#') {
      this.#stop('JSON has no comments; the same text in a file that ends in .yaml may have them, behind #', this.#at);
    }
  }

  #stop(message: string, at: number, code: Finding['code'] = 'config/syntax', length = 1): never {
    throw new Stop({ code, message, span: { start: at, end: at + length } });
  }
}
