/** FastCGI 1.0 §3.3: what records are made of. */

export const VERSION = 1;
/** §8, the record types; what we send and what we look at. */
const BEGIN_REQUEST = 1;
const ABORT_REQUEST = 2;
export const END_REQUEST = 3;
const PARAMS = 4;
export const STDIN = 5;
export const STDOUT = 6;
export const STDERR = 7;

const RESPONDER = 1;
const AUTHORIZER = 2;
const KEEP_CONN = 1;

/** §5.5, `protocolStatus` of END_REQUEST. */
export const REQUEST_COMPLETE = 0;
export const CANT_MPX_CONN = 1;
export const OVERLOADED = 2;
export const UNKNOWN_ROLE = 3;

export const HEADER = 8;
/** Bytes of an END_REQUEST's content. */
export const END_LENGTH = 8;
/** Content of one record: its length has two bytes. */
export const MOST_CONTENT = 0xffff;

/** The id of all our requests: one at a time travels on a connection. 0 is for records about the connection. */
export const REQUEST_ID = 1;

/** A record's header, one character per byte. Nothing is padded: §3.3 recommends it, and nobody gains by it. */
export function header(type: number, length: number): string {
  return String.fromCharCode(VERSION, type, 0, REQUEST_ID, length >>> 8, length & 0xff, 0, 0);
}

const begin = (flags: number, role: number): string =>
  header(BEGIN_REQUEST, 8) + String.fromCharCode(0, role, flags, 0, 0, 0, 0, 0);

/** `BEGIN[keep]` of a responder, `BEGIN[keep + 2]` of an authorizer. */
export const BEGIN: readonly string[] = [RESPONDER, AUTHORIZER].flatMap((role) => [
  begin(0, role),
  begin(KEEP_CONN, role),
]);

export const ABORT: string = header(ABORT_REQUEST, 0);
const NO_MORE_PARAMS: string = header(PARAMS, 0);
export const NO_MORE_STDIN: string = header(STDIN, 0);

/** §3.4: a name and a value, each with its length before them. */
export function pair(name: string, value: string): string {
  return size(name.length) + size(value.length) + name + value;
}

function size(length: number): string {
  if (length < 0x80) return String.fromCharCode(length);
  return String.fromCharCode((length >>> 24) | 0x80, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
}

/** All pairs as PARAMS records, and the empty one that ends them. A pair may begin in one record and end in the next. */
export function params(pairs: string): string {
  if (pairs.length <= MOST_CONTENT) return header(PARAMS, pairs.length) + pairs + NO_MORE_PARAMS;
  let out = '';
  for (let at = 0; at < pairs.length; at += MOST_CONTENT) {
    const piece = pairs.slice(at, at + MOST_CONTENT);
    out += header(PARAMS, piece.length) + piece;
  }
  return out + NO_MORE_PARAMS;
}
