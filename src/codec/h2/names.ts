import { ownText } from '../../core/own-text.ts';
import { STATIC } from './static-table.ts';

/** A field name as heads are encoded with it. */
export interface Name {
  /** In lower case, RFC 9113 §8.2.1. */
  readonly text: string;
  /** It never goes to a peer by HTTP/2: it belongs to a connection of HTTP/1 (RFC 9113 §8.2.2), or is a pseudo-field there. */
  readonly dropped: boolean;
  /** Its values are secrets: never in a table, not even in one of those behind the peer (RFC 7541 §7.1.3). */
  readonly secret: boolean;
  /** Where the static table has it, 0 where it has not; and where with which values. */
  readonly index: number;
  readonly values: ReadonlyMap<string, number>;
  readonly hash: number;
}

/** TE is sent anew where the client takes trailers, and Host is `:authority`; no answer has either. */
const DROPPED = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings', 'te', 'host'],
]);

/**
 * Clients share an origin's connection, so a table with their secrets could be asked by guessing (RFC 7541 §7.1). Cookies
 * differ from client to client, and would only push out of the table what does not.
 */
const SECRET = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);

/** Spellings that are remembered: no more than real clients have, lest somebody sends all that there are. */
const MOST_SPELLINGS = 512;

const NO_VALUES: ReadonlyMap<string, number> = new Map();

const STATICS = new Map<string, { index: number; values: Map<string, number> }>();
for (const [at, [name, value]] of STATIC.entries()) {
  let known = STATICS.get(name);
  if (known === undefined) STATICS.set(name, (known = { index: at + 1, values: new Map() }));
  if (value !== '') known.values.set(value, at + 1);
}

const spellings = new Map<string, Name>();

/** The name in any spelling. */
export function nameOf(spelling: string): Name {
  return spellings.get(spelling) ?? learn(spelling);
}

function learn(spelling: string): Name {
  const text = ownText(spelling.toLowerCase());
  const known = STATICS.get(text);
  const name: Name = {
    text,
    dropped: DROPPED.has(text),
    secret: SECRET.has(text),
    index: known?.index ?? 0,
    values: known?.values ?? NO_VALUES,
    hash: hashOf(text, 0),
  };
  if (spellings.size >= MOST_SPELLINGS) spellings.clear();
  spellings.set(ownText(spelling), name);
  return name;
}

/** Tells values seen before from new ones; collisions only cost an entry of a table. */
export function hashOf(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}
