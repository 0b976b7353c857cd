import { HTAB, SP } from '../../core/bytes.ts';
import type { Fields } from '../../core/fields.ts';

const COMMA = 0x2c;

/**
 * Without the white space around it. HTTP's is SP and HTAB and nothing else: `String.trim` also takes off the byte 0xA0
 * and so would see `chunked` where another server sees an unknown word.
 */
export function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

/** Whether a comma-separated field, over all its lines, holds this token (lower case letters and hyphens). */
export function hasListToken(fields: Fields, id: number, token: string): boolean {
  for (let i = 0; i < fields.count; i++) {
    if (fields.id(i) === id && fields.kept(i) && holds(fields.value(i), token)) return true;
  }
  return false;
}

/** All members of a comma-separated field over all its lines, trimmed and lower-cased, empty ones too. */
export function listMembers(fields: Fields, id: number): string[] {
  const members: string[] = [];
  for (let i = 0; i < fields.count; i++) {
    if (fields.id(i) !== id || !fields.kept(i)) continue;
    for (const part of fields.value(i).split(',')) members.push(trimmed(part).toLowerCase());
  }
  return members;
}

/** Whether two texts are the same but for case; `lower` consists of lower case letters, digits and hyphens. */
export function isWord(text: string, lower: string): boolean {
  return text.length === lower.length && matches(text, 0, lower);
}

/** Looks through the members where they lie: `Connection` comes with most requests. */
function holds(value: string, token: string): boolean {
  for (let start = 0, i = 0; i <= value.length; i++) {
    if (i < value.length && value.charCodeAt(i) !== COMMA) continue;
    let from = start;
    let to = i;
    while (from < to && isSpace(value.charCodeAt(from))) from++;
    while (to > from && isSpace(value.charCodeAt(to - 1))) to--;
    if (to - from === token.length && matches(value, from, token)) return true;
    start = i + 1;
  }
  return false;
}

/** ORed with 0x20, a letter of either case becomes that letter; what else becomes a digit or hyphen is no value's byte. */
function matches(text: string, at: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i++) if ((text.charCodeAt(at + i) | 0x20) !== lower.charCodeAt(i)) return false;
  return true;
}

function isSpace(code: number): boolean {
  return code === SP || code === HTAB;
}
