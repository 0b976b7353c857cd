import type { ErrorCode } from '../../core/errors.ts';
import type { Fields } from '../../core/fields.ts';
import * as names from '../../core/names.ts';

/** Codings of the IANA registry besides `chunked`: understood, but of no use as a request's last one. */
const REGISTERED = new Set(['gzip', 'x-gzip', 'compress', 'x-compress', 'deflate', 'identity', 'trailers']);

/** The number a `Content-Length` states, or -1: one or more digits and nothing else, up to 2^53 - 1. */
export function parseLength(value: string): number {
  if (value.length === 0 || value.length > 16) return -1;
  let length = 0;
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : -1;
}

/**
 * What is wrong with a request's `Transfer-Encoding`; `undefined` when it is one final `chunked`.
 * RFC 9112 §6.1 and §6.3: in HTTP/1.0, or when `chunked` is not last and once, the length cannot be known (400); a
 * coding we do not know, or know and do not decode, is 501.
 */
export function requestCoding(fields: Fields, minor: number): ErrorCode | undefined {
  if (minor === 0) return 'bad-transfer-encoding';
  const codings: string[] = [];
  for (let i = 0; i < fields.count; i++) {
    if (fields.id(i) === names.TRANSFER_ENCODING) codings.push(...fields.value(i).toLowerCase().split(','));
  }
  for (let i = 0; i < codings.length; i++) codings[i] = (codings[i] as string).trim();
  if (codings.length === 1 && codings[0] === 'chunked') return undefined;
  if (codings.includes('')) return 'bad-transfer-encoding';
  const first = codings.indexOf('chunked');
  if (first >= 0) return first === codings.length - 1 ? 'unknown-transfer-coding' : 'bad-transfer-encoding';
  const last = codings[codings.length - 1] as string;
  return !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(last) || REGISTERED.has(last) ? 'bad-transfer-encoding' : 'unknown-transfer-coding';
}
