/** Just enough of JavaScript's tokens to walk over a text without stumbling on strings, comments and regular expressions. */

/** What may come before a `/` that opens a regular expression; behind anything else it divides. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|of|yield|await))$/;

const WORD = /[A-Za-z_$][\w$]*/y;

/** The identifier or keyword at an offset, '' when there is none, when it goes on from before, or is a property. */
export function wordAt(text: string, at: number): string {
  if (/[\w$]$|(?<!\.\.)\.$/.test(text.slice(Math.max(0, at - 3), at))) return '';
  WORD.lastIndex = at;
  return WORD.exec(text)?.[0] ?? '';
}

/** The first offset from here on that is neither white space nor a comment. */
export function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    if (text.startsWith('//', at)) at = orEnd(text, text.indexOf('\n', at));
    else if (text.startsWith('/*', at)) at = orEnd(text, text.indexOf('*/', at + 2), 2);
    else if (at < text.length && /\s/.test(text[at])) at++;
    else return at;
  }
}

/** Behind the comment, string, template or regular expression at an offset; behind the one character of anything else. */
export function skipToken(text: string, at: number): number {
  const char = text[at];
  if (char === '/') {
    const behind = skipSpace(text, at);
    if (behind > at) return behind;
    return BEFORE_REGEX.test(text.slice(Math.max(0, at - 200), at).trimEnd()) ? skipRegex(text, at) : at + 1;
  }
  if (char === '"' || char === "'") return skipString(text, at, char);
  return char === '`' ? skipTemplate(text, at) : at + 1;
}

function skipString(text: string, start: number, quote: string): number {
  for (let at = start + 1; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) return at + 1;
  }
  return start + 1;
}

function skipTemplate(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '`') return at + 1;
    else if (text.startsWith('${', at)) at = skipHole(text, at + 2);
  }
  return text.length;
}

/** To the brace that closes a `${`. */
function skipHole(text: string, from: number): number {
  let depth = 1;
  let at = from;
  while (at < text.length) {
    if (text[at] === '{') depth++;
    if (text[at] === '}' && --depth === 0) return at;
    at = skipToken(text, at);
  }
  return at;
}

function skipRegex(text: string, start: number): number {
  let inClass = false;
  for (let at = start + 1; at < text.length && text[at] !== '\n'; at++) {
    const char = text[at];
    if (char === '\\') at++;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '/' && !inClass) return at + 1;
  }
  return start + 1;
}

function orEnd(text: string, index: number, length = 0): number {
  return index < 0 ? text.length : index + length;
}
