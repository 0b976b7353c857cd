import * as records from './records.ts';

/**
 * FastCGI 1.0 §4.1: what an application says of itself when it is asked. Most have never been asked: some say nothing, and
 * PHP answers and then closes the connection. So this is never sent while a request may be lost by it.
 */

const GET_VALUES = 9;
export const GET_VALUES_RESULT = 10;
/** §4.2: the answer of an application that does not know a type of record. */
export const UNKNOWN_TYPE = 11;

const MAX_REQS = 'FCGI_MAX_REQS';
const MPXS_CONNS = 'FCGI_MPXS_CONNS';

/** Most requests on one connection, whatever the application takes: each waits for the others' bytes. */
const MOST = 1000;
/** Requests on one connection where the application multiplexes and sets no limit. */
const USUAL = 100;

const asked = records.pair(MAX_REQS, '') + records.pair(MPXS_CONNS, '');

/** The question: how many requests at a time, and whether on one connection. */
export const QUESTION: string = records.header(GET_VALUES, asked.length, 0) + asked;

/** How many requests the application takes on one connection, from the content of its answer. */
export function requestsAtOnce(content: Buffer): number {
  const values = new Map<string, string>();
  for (let at = 0; at < content.length;) {
    const name = size(content, at);
    const value = size(content, name.next);
    const start = value.next;
    at = start + name.length + value.length;
    // Cut off: what came before it counts.
    if (at > content.length) break;
    values.set(content.latin1Slice(start, start + name.length), content.latin1Slice(start + name.length, at));
  }
  if (values.get(MPXS_CONNS) !== '1') return 1;
  const most = values.get(MAX_REQS) ?? '';
  return /^\d{1,9}$/.test(most) ? Math.min(Math.max(1, Number(most)), MOST) : USUAL;
}

/** §3.4. Beyond the end everything is longer than what there is. */
function size(content: Buffer, at: number): { readonly length: number; readonly next: number } {
  if (at >= content.length) return { length: Infinity, next: at };
  if (content[at] < 0x80) return { length: content[at], next: at + 1 };
  if (at + 4 > content.length) return { length: Infinity, next: at };
  return { length: content.readUInt32BE(at) & 0x7fff_ffff, next: at + 4 };
}
