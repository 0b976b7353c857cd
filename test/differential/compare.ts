/** Two opinions on the same bytes, brought to one form, and where they part. */
import { readAnswers, readRequests } from '../support/http1.ts';
import { tell, type Told } from './llhttp.ts';

/**
 * Where the two part: what each makes of the bytes from there on. `takes` a complete message · `waits` for more · `ends`:
 * no message after this one, because the connection closes or belongs to another protocol · or the code of an error.
 */
export interface Parting {
  readonly ours: string;
  readonly theirs: string;
  readonly text: string;
}

/** Trailers that sluice drops; see `NOT_TRAILERS` in chunks.ts. */
const DROPPED = /^(?:content-length|transfer-encoding|host|te|connection|trailer|cookie|expect|upgrade|.*_.*)$/i;

export function compareRequests(bytes: Buffer): Parting | undefined {
  const ours = readRequests([bytes]);
  const theirs = tell('requests', bytes, false);
  const left = opinion(
    ours.requests,
    (one) => [`${one.method} ${one.target}`, one.minor, one.received, one.body, kept(pairsOf(one.trailers))],
    (one) => !one.keepAlive || one.upgrade !== '',
    ours.error,
  );
  const right = opinion(theirs.messages, ofTheirs, (one) => !one.keepAlive || one.upgrade, theirs.error);
  return parting(left, right, bytes);
}

export function compareAnswers(bytes: Buffer, head: boolean): Parting | undefined {
  const ours = readAnswers([bytes], true, { method: head ? 'HEAD' : 'GET' });
  const theirs = tell('answers', bytes, true, head);
  // A session reads answers to one request: interim ones and the final one.
  const last = theirs.messages.findIndex((one) => one.status >= 200 || one.status === 101);
  if (last >= 0 && theirs.messages[last].complete) {
    theirs.messages.length = last + 1;
    theirs.error = '';
  }
  const left = opinion(
    ours.answers,
    (one) => [one.line.trimEnd(), one.minor, one.received, one.body, kept(pairsOf(one.trailers))],
    (one) => one.status >= 200 || one.status === 101,
    ours.error,
  );
  const right = opinion(theirs.messages, ofTheirs, (one) => one.status >= 200 || one.status === 101, theirs.error);
  return parting(left, right, bytes);
}

function ofTheirs(one: Told): unknown[] {
  return [one.start.trimEnd(), one.minor === 0 ? 0 : 1, one.fields, one.body, kept(pairsOf(one.trailers))];
}

interface Opinion {
  /** Complete messages, as text. */
  readonly messages: string[];
  /** What comes after them. */
  readonly next: string;
}

function opinion<T extends { readonly complete: boolean }>(
  all: readonly T[],
  facts: (one: T) => unknown[],
  ends: (one: T) => boolean,
  error: string,
): Opinion {
  const messages: string[] = [];
  for (const one of all) {
    if (!one.complete) break;
    messages.push(JSON.stringify(facts(one)));
    if (ends(one)) return { messages, next: 'ends' };
  }
  return { messages, next: error === '' ? 'waits' : error };
}

function parting(left: Opinion, right: Opinion, bytes: Buffer): Parting | undefined {
  for (let i = 0; ; i++) {
    const ours = i < left.messages.length ? 'takes' : left.next;
    const theirs = i < right.messages.length ? 'takes' : right.next;
    if (ours === 'takes' && theirs === 'takes') {
      if (left.messages[i] === right.messages[i]) continue;
    } else if (ours === theirs || (isError(ours) && isError(theirs))) return undefined;
    return { ours, theirs, text: bytes.latin1Slice() };
  }
}

export function isError(word: string): boolean {
  return word !== 'takes' && word !== 'ends' && word !== 'waits';
}

function pairsOf(lines: string): [string, string][] {
  return lines
    .split('\r\n')
    .slice(0, -1)
    .map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
}

function kept(pairs: readonly [string, string][]): [string, string][] {
  return pairs.filter(([name]) => !DROPPED.test(name));
}
