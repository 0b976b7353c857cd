import type { PropertyPath } from './problems.ts';

/** Characters `start` up to, not including, `end` of a text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where a value stands in the text of a config; a tree like the config itself. */
export interface Place {
  /** The key the value stands behind; missing for list items and the top. */
  readonly key?: Span;
  readonly value: Span;
  /** By key, or by index as text. */
  readonly parts: ReadonlyMap<string, Place>;
}

/** What problems are shown against. Without `root` only the file is known. */
export interface Source {
  /** As the user gave it. */
  readonly file: string;
  readonly text: string;
  readonly root?: Place | undefined;
}

/** Line and column, from 1, and the line with carets below. */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly excerpt: string;
}

/** Longest part of a line that is shown. */
const WIDTH = 100;

/**
 * The text behind a path; where the path leads to what is not in the text, of its nearest ancestor that is.
 * `within` narrows a value to a part of it.
 */
export function findSpan(root: Place, path: PropertyPath, what: 'key' | 'value', text: string, within?: string): Span {
  let place = root;
  let complete = true;
  for (const part of path) {
    const next = partOf(place, part);
    if (next === undefined) {
      complete = false;
      break;
    }
    place = next;
  }
  if (place.key !== undefined && (!complete || what === 'key' || spansLines(place.value, text))) return place.key;
  if (within === undefined || !complete) return place.value;
  const start = text.indexOf(within, place.value.start);
  return start < 0 || start + within.length > place.value.end ? place.value : { start, end: start + within.length };
}

/** What stands alone may be a list of one. */
function partOf({ parts }: Place, part: string | number): Place | undefined {
  return parts.get(String(part)) ?? (typeof part === 'string' ? parts.get('0')?.parts.get(part) : undefined);
}

/** Where a span is, for people. */
export function position(text: string, span: Span): Position {
  const start = Math.min(span.start, text.length);
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  let lineEnd = text.indexOf('\n', start);
  if (lineEnd < 0) lineEnd = text.length;
  const line = text.slice(0, lineStart).split('\n').length;
  const shown = text.slice(lineStart, lineEnd).replace(/\r$/, '');
  const before = start - lineStart;
  const length = Math.max(1, Math.min(span.end, lineStart + shown.length) - start);
  return { line, column: before + 1, excerpt: excerpt(line, shown, before, length) };
}

function excerpt(line: number, shown: string, before: number, length: number): string {
  const from = before + Math.min(length, WIDTH / 2) <= WIDTH ? 0 : before - WIDTH / 2;
  const cutLeft = from > 0 ? '…' : '';
  const cutRight = shown.length > from + WIDTH ? '…' : '';
  const part = cutLeft + shown.slice(from, from + WIDTH) + cutRight;
  const blank = part.slice(0, before - from + cutLeft.length).replaceAll(/[^\t]/g, ' ');
  const carets = '^'.repeat(Math.max(1, Math.min(length, part.length - blank.length)));
  const number = String(line);
  return `  ${number} | ${part}\n  ${' '.repeat(number.length)} | ${blank}${carets}`;
}

function spansLines({ start, end }: Span, text: string): boolean {
  return text.slice(start, end).trimEnd().includes('\n');
}
