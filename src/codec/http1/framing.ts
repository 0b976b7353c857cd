import { isToken } from '../../core/bytes.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { Fields } from '../../core/fields.ts';
import * as names from '../../core/names.ts';
import { isWord, listMembers, trimmed } from './tokens.ts';

/** Codings of the IANA registry besides `chunked`: understood, but of no use as a request's last one. */
const REGISTERED = new Set(['gzip', 'x-gzip', 'compress', 'x-compress', 'deflate', 'identity', 'trailers']);

const ZERO = 0x30;

/** The number a `Content-Length` states, or -1: one or more digits and nothing else, up to 2^53 - 1. */
export function parseLength(value: string): number {
  if (value.length === 0) return -1;
  let length = 0;
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
    if (length > Number.MAX_SAFE_INTEGER) return -1;
  }
  return length;
}

/** `010` is ten (RFC 9110 §8.6), but some read it as octal: it goes on without its leading zeros. */
export function isPadded(length: string): boolean {
  return length.length > 1 && length.charCodeAt(0) === ZERO;
}

/**
 * What is wrong with a request's `Transfer-Encoding`; `undefined` when it is one final `chunked`.
 * RFC 9112 §6.1 and §6.3: in HTTP/1.0, or when `chunked` is not last and once, the length cannot be known (400); a
 * coding we do not know, or know and do not decode, is 501.
 */
export function requestCoding(fields: Fields, minor: number): ErrorCode | undefined {
  if (minor === 0) return 'bad-transfer-encoding';
  const codings = listMembers(fields, names.TRANSFER_ENCODING);
  if (codings.length === 1 && isWord(codings[0], 'chunked')) return undefined;
  // Also empty members, which lists elsewhere may have: some servers take `,chunked` for chunked and some do not.
  for (const coding of codings) if (!isCoding(coding)) return 'bad-transfer-encoding';
  const first = codings.indexOf('chunked');
  if (first >= 0) return first === codings.length - 1 ? 'unknown-transfer-coding' : 'bad-transfer-encoding';
  // A known coding alone leaves the length unknown. Of an unknown one not even that can be said.
  return REGISTERED.has(nameOf(codings[codings.length - 1])) ? 'bad-transfer-encoding' : 'unknown-transfer-coding';
}

/** A token, perhaps with parameters; `chunked` has none, and RFC 9112 §7.1 makes their presence an error. */
function isCoding(member: string): boolean {
  const name = nameOf(member);
  return isToken(name) && (name !== 'chunked' || member === name);
}

function nameOf(member: string): string {
  const semicolon = member.indexOf(';');
  return semicolon < 0 ? member : trimmed(member.slice(0, semicolon));
}
