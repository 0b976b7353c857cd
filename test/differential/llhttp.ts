/**
 * Node's own HTTP parser, llhttp in its strict mode, as the other opinion. It is what a Node origin behind sluice reads with,
 * so where the two disagree there is either a reason or a hole.
 */
import { createRequire } from 'node:module';

export interface Told {
  readonly start: string;
  readonly status: number;
  readonly minor: number;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  body: string;
  trailers: string;
  complete: boolean;
}

export interface Telling {
  readonly messages: Told[];
  /** llhttp's code, without `HPE_`; '' when it found nothing wrong. */
  error: string;
}

type Callback = (...given: never[]) => unknown;

interface NodeParser {
  [callback: number]: Callback | null;
  initialize(type: number, resource: object, maxHead?: number, lenient?: number): void;
  execute(bytes: Buffer): number | (Error & { code: string; bytesParsed: number });
  finish(): undefined | (Error & { code: string });
}

interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
  readonly kLenientNone: number;
}

const require = createRequire(import.meta.url);
/** The number of the method met last. */
let lastMethod = -1;

// oxlint-disable-next-line unicorn/prefer-node-protocol -- it has no such name
const { HTTPParser, methods } = require('_http_common') as { HTTPParser: NodeParserClass; methods: readonly string[] };

/** One parser for all messages: making one takes longer than reading with it. */
const parser = new HTTPParser();
let out: Telling = { messages: [], error: '' };
let current: Told | null = null;
let early: string[] = [];
let target = '';
let requests = true;
let headless = false;

parser[HTTPParser.kOnHeaders] = (lines: string[], url: string) => {
  if (current === null) {
    early = early.concat(lines);
    target += url;
  } else current.trailers += text(lines);
};
parser[HTTPParser.kOnHeadersComplete] = (
  _major: number,
  minor: number,
  lines: string[] | undefined,
  method: number | undefined,
  url: string | undefined,
  status: number | undefined,
  reason: string | undefined,
  upgrade: boolean,
  keepAlive: boolean,
) => {
  const fields = pairs(early.concat(lines ?? []));
  const start = requests ? `${name(method)} ${target}${url ?? ''}` : `${status} ${reason}`;
  current = { start, status: status ?? 0, minor, fields, keepAlive, upgrade, body: '', trailers: '', complete: false };
  out.messages.push(current);
  early = [];
  target = '';
  return headless ? 1 : 0;
};
parser[HTTPParser.kOnBody] = (piece: Buffer) => {
  if (current !== null) current.body += piece.latin1Slice();
};
parser[HTTPParser.kOnMessageComplete] = () => {
  if (current !== null) current.complete = true;
  current = null;
};

/** Everything llhttp finds in these bytes. */
export function tell(kind: 'requests' | 'answers', bytes: Buffer, eof: boolean, head = false): Telling {
  out = { messages: [], error: '' };
  current = null;
  early = [];
  target = '';
  requests = kind === 'requests';
  headless = head;
  parser.initialize(requests ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {}, 1 << 20, HTTPParser.kLenientNone);
  const outcome = parser.execute(bytes);
  if (typeof outcome !== 'number') out.error = outcome.code.replace('HPE_', '');
  else if (eof) {
    const end = parser.finish();
    if (end instanceof Error) out.error = end.code.replace('HPE_', '');
  }
  return out;
}

function pairs(lines: readonly string[]): [string, string][] {
  const out: [string, string][] = [];
  for (let i = 0; i < lines.length; i += 2) out.push([lines[i], lines[i + 1]]);
  return out;
}

function text(lines: readonly string[]): string {
  return pairs(lines)
    .map(([key, value]) => `${key}: ${value}\r\n`)
    .join('');
}

/** llhttp tells methods by number, and Node's list leaves some numbers out: each is asked for once. */
const NUMBERED = new Map<number, string>();
const NO_METHOD = -1;
for (const method of methods) {
  const target = method === 'CONNECT' ? 'a:1' : '/';
  tell('requests', Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`), false);
  NUMBERED.set(lastMethod, method);
}

function name(method: number | undefined): string {
  lastMethod = method ?? NO_METHOD;
  return NUMBERED.get(lastMethod) ?? `method ${lastMethod}`;
}
