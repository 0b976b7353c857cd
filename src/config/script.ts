import type { Place, Span } from './place.ts';
import { skipSpace, skipToken, wordAt } from './script-tokens.ts';

/** How many names may lead to one another before the trail is given up. */
const DEEPEST = 20;

const NOTHING: ReadonlyMap<string, Place> = new Map();

/**
 * Finds the object literals of a config in the text of a script, without understanding the script: the text behind
 * `export default`, through a call such as `defineConfig(…)`, through names of top-level constants and spreads of them.
 * What it cannot follow is left out of the tree, and a problem there is shown at the nearest thing that is in it.
 */
export function placesInScript(text: string): Place | undefined {
  const scanner = new Scanner(text);
  return scanner.start < 0 ? undefined : scanner.value(scanner.start, undefined, 0).place;
}

interface Found {
  readonly place: Place;
  /** The first character behind the value. */
  readonly end: number;
}

class Scanner {
  /** Where the exported value begins, or -1. */
  readonly start: number = -1;
  readonly #text: string;
  /** Where the values of top-level constants begin. */
  readonly #constants = new Map<string, number>();

  constructor(text: string) {
    this.#text = text;
    let depth = 0;
    for (let at = 0; at < text.length;) {
      const word = depth === 0 ? wordAt(text, at) : '';
      if (word === 'const' || word === 'let' || word === 'var') this.#declaration(at + word.length);
      else if (word === 'export' && wordAt(text, skipSpace(text, at + word.length)) === 'default') {
        this.start = skipSpace(text, at + word.length) + 'default'.length;
      } else if (word === 'module' && /^module\.exports\s*=(?!=)/.test(text.slice(at, at + 40))) {
        this.start = text.indexOf('=', at) + 1;
      }
      if ('{[('.includes(text[at])) depth++;
      if ('}])'.includes(text[at])) depth--;
      at = word === '' ? skipToken(text, at) : at + word.length;
    }
  }

  /** The value at an offset. `depth` counts the names it took to get there. */
  value(from: number, key: Span | undefined, depth: number): Found {
    const text = this.#text;
    const start = skipSpace(text, from);
    const done = (parts: ReadonlyMap<string, Place>, end: number): Found => {
      const value = { start, end: trimEnd(text, start, end) };
      return { place: key === undefined ? { value, parts } : { key, value, parts }, end };
    };
    if (text[start] === '{' || text[start] === '[') {
      const parts = new Map<string, Place>();
      const end = text[start] === '{' ? this.#object(start + 1, parts, depth) : this.#array(start + 1, parts, depth);
      return done(parts, this.#endOfExpression(end));
    }
    const end = this.#endOfExpression(start);
    const word = wordAt(text, start);
    const behind = skipSpace(text, start + word.length);
    if (word === '' || depth > DEEPEST) return done(NOTHING, end);
    // A call: what it returns is most likely made of its first argument.
    if (text[behind] === '(') return done(this.value(behind + 1, undefined, depth).place.parts, end);
    const constant = this.#constants.get(word);
    if (constant === undefined || (behind < end && !/^(?:as|satisfies)$/.test(wordAt(text, behind))))
      return done(NOTHING, end);
    return done(this.value(constant, undefined, depth + 1).place.parts, end);
  }

  #object(from: number, parts: Map<string, Place>, depth: number): number {
    const text = this.#text;
    let at = skipSpace(text, from);
    while (at < text.length && text[at] !== '}') {
      if (text.startsWith('...', at)) {
        const spread = this.value(at + 3, undefined, depth + 1);
        for (const [name, part] of spread.place.parts) parts.set(name, part);
        at = spread.end;
      } else {
        at = this.#property(at, parts, depth);
      }
      at = skipSpace(text, at);
      if (text[at] === ',') at = skipSpace(text, at + 1);
      else if (text[at] !== '}') return text.length;
    }
    return at + 1;
  }

  /** `key: value`, `key`, or something else that is passed over. */
  #property(at: number, parts: Map<string, Place>, depth: number): number {
    const text = this.#text;
    const quoted = text[at] === '"' || text[at] === "'";
    const end = quoted ? skipToken(text, at) : at + (/^[\w$]+/.exec(text.slice(at, at + 100))?.[0].length ?? 0);
    const name = quoted ? text.slice(at + 1, end - 1) : text.slice(at, end);
    const behind = skipSpace(text, end);
    const key = { start: at, end };
    if (end > at && text[behind] === ':') {
      const found = this.value(behind + 1, key, depth);
      parts.set(name, found.place);
      return found.end;
    }
    if (end > at && (text[behind] === ',' || text[behind] === '}')) {
      parts.set(name, { ...this.value(at, key, depth).place, value: key });
      return end;
    }
    return this.#endOfExpression(at);
  }

  #array(from: number, parts: Map<string, Place>, depth: number): number {
    const text = this.#text;
    let at = skipSpace(text, from);
    // Behind a spread of unknown length nobody knows the indexes.
    let known = true;
    for (let index = 0; at < text.length && text[at] !== ']'; index++) {
      if (text.startsWith('...', at)) known = false;
      const found = this.value(at, undefined, depth);
      if (known) parts.set(String(index), found.place);
      at = skipSpace(text, found.end);
      if (text[at] === ',') at = skipSpace(text, at + 1);
      else if (text[at] !== ']') return text.length;
    }
    return at + 1;
  }

  #declaration(from: number): void {
    const text = this.#text;
    const start = skipSpace(text, from);
    const name = wordAt(text, start);
    if (name === '') return;
    for (let at = start + name.length; at < text.length && text[at] !== ';'; at = skipBrackets(text, at)) {
      if (text[at] !== '=' || text[at + 1] === '>') continue;
      this.#constants.set(name, at + 1);
      return;
    }
  }

  /** The comma, semicolon or closing bracket that ends the expression at an offset, or the end of the text. */
  #endOfExpression(from: number): number {
    let at = from;
    while (at < this.#text.length && !',;)]}'.includes(this.#text[at])) at = skipBrackets(this.#text, at);
    return at;
  }
}

/** Behind the token at an offset, or behind the closing bracket of the one that opens there. */
function skipBrackets(text: string, from: number): number {
  let depth = 0;
  let at = from;
  do {
    const char = text[at];
    if ('{[('.includes(char)) depth++;
    else if ('}])'.includes(char)) depth--;
    at = skipToken(text, at);
  } while (depth > 0 && at < text.length);
  return at;
}

function trimEnd(text: string, start: number, end: number): number {
  return start + text.slice(start, end).trimEnd().length;
}
