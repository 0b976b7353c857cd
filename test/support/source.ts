/** A reader of TypeScript source that knows just enough for the architecture test: what is code, and what it imports. */

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** `import type` or `export type`: gone at run time. */
  readonly typeOnly: boolean;
}

/** What may come before a `/` that opens a regular expression; after anything else it divides. */
const OPENS_REGEXP =
  /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|yield|await|else|do|void|delete|throw))$/;

/** The same text, same length, same lines, with blanks for comments and for what is inside strings and regular expressions. */
export function blank(source: string): string {
  const out: string[] = [];
  /** For each open template, the depth of braces inside its `${`. */
  const templates: number[] = [];
  let at = 0;

  const hide = (end: number): void => {
    out.push(source.slice(at, end).replaceAll(/[^\n]/g, ' '));
    at = end;
  };
  const keep = (count: number): void => {
    out.push(source.slice(at, at + count));
    at += count;
  };
  /** From inside a template to its end, or to the next `${`. */
  const template = (): void => {
    let end = at;
    while (end < source.length && source[end] !== '`' && !source.startsWith('${', end))
      end += source[end] === '\\' ? 2 : 1;
    hide(Math.min(end, source.length));
    if (source[at] === '`') keep(1);
    else if (at < source.length) {
      keep(2);
      templates.push(0);
    }
  };

  while (at < source.length) {
    const char = source[at];
    if (source.startsWith('//', at)) {
      hide(indexOr(source.indexOf('\n', at), source.length));
    } else if (source.startsWith('/*', at)) {
      hide(indexOr(source.indexOf('*/', at + 2), source.length - 2) + 2);
    } else if (char === "'" || char === '"') {
      let end = at + 1;
      while (end < source.length && source[end] !== char && source[end] !== '\n') end += source[end] === '\\' ? 2 : 1;
      keep(1);
      hide(Math.min(end, source.length));
      keep(1);
    } else if (char === '`') {
      keep(1);
      template();
    } else if (char === '/' && OPENS_REGEXP.test(before(out))) {
      const end = endOfRegExp(source, at);
      keep(1);
      hide(end);
    } else if (templates.length > 0 && (char === '{' || char === '}')) {
      const depth = templates.at(-1) ?? 0;
      keep(1);
      if (char === '}' && depth === 0) {
        templates.pop();
        template();
      } else {
        templates[templates.length - 1] = depth + (char === '{' ? 1 : -1);
      }
    } else {
      keep(1);
    }
  }
  return out.join('');
}

const CLAUSE = String.raw`(?:[\w$]+\s*,?\s*)?(?:\*(?:\s*as\s+[\w$]+)?|\{[^{}]*\})?\s*`;
const STATEMENT = new RegExp(
  String.raw`(?<![.\w$])(?:import|export)(?<type>\s+type(?=\s*[{*]|\s+(?!from\b)[\w$]+))?\s*${CLAUSE}\bfrom\s*(?<quote>['"])`,
  'g',
);
const BARE = /(?<![.\w$])import\s*(?<quote>['"])/g;
const CALL = /(?<![.\w$])(?<type>typeof\s+)?(?:import|require|(?:process\.)?getBuiltinModule)\s*\(\s*(?<quote>['"`])/g;

/** Every module a file names, in the order of the text: imports, re-exports, `import()`, `require()`. */
export function imports(source: string): Import[] {
  const code = blank(source);
  const found: [at: number, Import][] = [];
  for (const form of [STATEMENT, BARE, CALL]) {
    for (const match of code.matchAll(form)) {
      const start = match.index + match[0].length;
      const end = code.indexOf(match.groups?.['quote'] ?? "'", start);
      const specifier = source.slice(start, end);
      found.push([
        match.index,
        { specifier, line: lineOf(source, match.index), typeOnly: match.groups?.['type'] !== undefined },
      ]);
    }
  }
  return found.toSorted(([a], [b]) => a - b).map(([, one]) => one);
}

export function lineOf(source: string, at: number): number {
  let line = 1;
  for (let i = source.indexOf('\n'); i !== -1 && i < at; i = source.indexOf('\n', i + 1)) line++;
  return line;
}

function indexOr(index: number, otherwise: number): number {
  return index === -1 ? otherwise : index;
}

/** The last piece of code so far, blanks left out: enough to tell a division from a regular expression. */
function before(out: readonly string[]): string {
  let text = '';
  for (let i = out.length - 1; i >= 0 && text.length < 12; i--) {
    text = out[i] + text;
    if (text.trim() === '') text = '';
  }
  return text.trimEnd();
}

function endOfRegExp(source: string, start: number): number {
  let inClass = false;
  for (let end = start + 1; end < source.length && source[end] !== '\n'; end++) {
    const char = source[end];
    if (char === '\\') end++;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '/' && !inClass) return end;
  }
  return start + 1; // it was a division after all
}
