/**
 * Messages that two parsers may disagree about: ordinary ones, spoilt in the places and with the bytes that attacks are made
 * of. The same seed gives the same messages, so a disagreement can be looked at again.
 */
import {
  BODIES,
  BYTES,
  CODINGS,
  ENDS,
  LENGTHS,
  METHODS,
  NAME_ENDS,
  OTHERS,
  REASONS,
  STATUSES,
  TARGETS,
  VERSIONS,
} from './shards.ts';

/** mulberry32: small, fast, the same everywhere. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

type Dice = (below: number) => number;

const CHUNKS = '5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\n\r\n';
const HOST = 'Host: a.example\r\n';

/** A message in the parts that spoilers work on. */
interface Parts {
  start: string;
  lines: string[];
  body: string;
}

const REQUESTS: readonly Parts[] = [
  { start: 'GET /a?b=c HTTP/1.1\r\n', lines: [HOST], body: '' },
  {
    start: 'GET / HTTP/1.1\r\n',
    lines: [HOST, 'User-Agent: x/1 (y)\r\n', 'Accept: */*\r\n', 'Connection: keep-alive\r\n'],
    body: '',
  },
  { start: 'GET / HTTP/1.0\r\n', lines: [], body: '' },
  { start: 'GET / HTTP/1.0\r\n', lines: [HOST, 'Connection: keep-alive\r\n'], body: '' },
  { start: 'HEAD / HTTP/1.1\r\n', lines: [HOST, 'Connection: close\r\n'], body: '' },
  { start: 'POST /p HTTP/1.1\r\n', lines: [HOST, 'Content-Length: 5\r\n'], body: 'hello' },
  {
    start: 'PUT /p HTTP/1.1\r\n',
    lines: ['Content-Length: 10\r\n', HOST, 'Content-Type: text/plain\r\n'],
    body: '0123456789',
  },
  { start: 'POST /c HTTP/1.1\r\n', lines: [HOST, 'Transfer-Encoding: chunked\r\n'], body: CHUNKS },
  {
    start: 'POST /c HTTP/1.1\r\n',
    lines: ['Transfer-Encoding: chunked\r\n', HOST, 'Trailer: X\r\n'],
    body: '1\r\nx\r\n0\r\nX-T: y\r\nZ: \r\n\r\n',
  },
  {
    start: 'POST /c HTTP/1.1\r\n',
    lines: [HOST, 'Transfer-Encoding: chunked\r\n'],
    body: '00a;q="1;2"\r\n0123456789\r\n000;z\r\n\r\n',
  },
  { start: 'POST /e HTTP/1.1\r\n', lines: [HOST, 'Expect: 100-continue\r\n', 'Content-Length: 2\r\n'], body: 'hi' },
  { start: 'GET /w HTTP/1.1\r\n', lines: [HOST, 'Connection: Upgrade\r\n', 'Upgrade: websocket\r\n'], body: '' },
  { start: 'OPTIONS * HTTP/1.1\r\n', lines: [HOST], body: '' },
  { start: 'GET http://a.example/x?y HTTP/1.1\r\n', lines: [HOST], body: '' },
  {
    start: 'DELETE /d HTTP/1.1\r\n',
    lines: [HOST, 'X-Empty:\r\n', 'X-Wide: \t a  b \t\r\n', 'X-Text: caf\xe9\r\n'],
    body: '',
  },
  { start: 'CONNECT a.example:443 HTTP/1.1\r\n', lines: [HOST], body: '' },
];

const ANSWERS: readonly Parts[] = [
  { start: 'HTTP/1.1 200 OK\r\n', lines: ['Content-Length: 5\r\n'], body: 'hello' },
  {
    start: 'HTTP/1.1 200 OK\r\n',
    lines: ['Server: x\r\n', 'Content-Length: 0\r\n', 'Connection: keep-alive\r\n'],
    body: '',
  },
  { start: 'HTTP/1.1 200 OK\r\n', lines: ['Transfer-Encoding: chunked\r\n'], body: CHUNKS },
  {
    start: 'HTTP/1.1 200 OK\r\n',
    lines: ['Trailer: X\r\n', 'Transfer-Encoding: chunked\r\n'],
    body: '1\r\nx\r\n0\r\nX-T: y\r\n\r\n',
  },
  { start: 'HTTP/1.1 200 OK\r\n', lines: ['Content-Type: text/html\r\n'], body: '<html>' },
  { start: 'HTTP/1.0 200 OK\r\n', lines: ['Content-Type: text/html\r\n'], body: '<html>' },
  { start: 'HTTP/1.0 200 OK\r\n', lines: ['Content-Length: 2\r\n', 'Connection: keep-alive\r\n'], body: 'hi' },
  { start: 'HTTP/1.1 204 No Content\r\n', lines: ['X: y\r\n'], body: '' },
  { start: 'HTTP/1.1 304 Not Modified\r\n', lines: ['ETag: "x"\r\n', 'Content-Length: 9\r\n'], body: '' },
  { start: 'HTTP/1.1 404 Not Found\r\n', lines: ['Content-Length: 3\r\n', 'Connection: close\r\n'], body: 'no!' },
  {
    start: 'HTTP/1.1 103 Early Hints\r\n',
    lines: ['Link: </a>\r\n'],
    body: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  },
  {
    start: 'HTTP/1.1 100 Continue\r\n',
    lines: [],
    body: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  },
  {
    start: 'HTTP/1.1 500 \r\n',
    lines: ['Content-Length: 1\r\n', 'X-Text: caf\xe9\r\n', 'X-Wide: \t a \t\r\n', 'X-Empty:\r\n'],
    body: 'x',
  },
];

type Spoiler = (parts: Parts, roll: Dice) => void;

const pick = <T>(from: readonly T[], roll: Dice): T => from[roll(from.length)];

/** Puts a line into the head, often over one that is there. */
function place(parts: Parts, line: string, roll: Dice): void {
  parts.lines.splice(roll(parts.lines.length + 1), parts.lines.length > 0 ? roll(2) : 0, line);
}

const SPOILERS: readonly Spoiler[] = [
  (parts, roll) =>
    place(parts, `Content-Length${roll(6) === 0 ? pick(NAME_ENDS, roll) : ': '}${pick(LENGTHS, roll)}\r\n`, roll),
  (parts, roll) =>
    place(parts, `Transfer-Encoding${roll(6) === 0 ? pick(NAME_ENDS, roll) : ': '}${pick(CODINGS, roll)}\r\n`, roll),
  (parts, roll) => place(parts, pick(OTHERS, roll), roll),
  (parts, roll) =>
    place(
      parts,
      `${pick(['X', 'Host', 'Content-Length', 'TE', 'a-b', '~'], roll)}${pick(NAME_ENDS, roll)}${pick(['1', '', 'x'], roll)}${pick(ENDS, roll)}`,
      roll,
    ),
  (parts, roll) => {
    if (parts.lines.length === 0) return;
    const at = roll(parts.lines.length);
    parts.lines[at] = parts.lines[at].replace('\r\n', pick(ENDS, roll));
  },
  (parts, roll) => {
    if (parts.lines.length > 0) parts.lines.push(pick(parts.lines, roll));
  },
  (parts, roll) => {
    if (parts.lines.length > 0) parts.lines.splice(roll(parts.lines.length), 1);
  },
  (parts, roll) => {
    parts.body = pick(BODIES, roll);
    if (roll(2) === 0 && !parts.lines.some((line) => line.startsWith('Transfer')))
      parts.lines.push('Transfer-Encoding: chunked\r\n');
  },
  (parts, roll) => {
    parts.body = spoilBytes(parts.body, roll);
  },
  (parts, roll) => {
    parts.start = parts.start.replace('\r\n', pick(ENDS, roll));
  },
  (parts, roll) => {
    parts.start = spoilBytes(parts.start, roll);
  },
  (parts, roll) => {
    if (parts.lines.length === 0) return;
    const at = roll(parts.lines.length);
    parts.lines[at] = spoilBytes(parts.lines[at], roll);
  },
];

const REQUEST_LINES: readonly Spoiler[] = [
  (parts, roll) => {
    parts.start = parts.start.replace(/^\S+/, () => pick(METHODS, roll));
  },
  (parts, roll) => {
    parts.start = parts.start.replace(/(?<= )\S+(?= )/, () => pick(TARGETS, roll));
  },
  (parts, roll) => {
    parts.start = parts.start.replace(/HTTP\/1\.\d/, () => pick(VERSIONS, roll));
  },
  (parts, roll) => {
    parts.start = pick(['\r\n', '\n', '\r', ' ', '\0', '\r\n\r\n', '\xef\xbb\xbf'], roll) + parts.start;
  },
];

const STATUS_LINES: readonly Spoiler[] = [
  (parts, roll) => {
    parts.start = parts.start.replace(/(?<= )\d+/, () => pick(STATUSES, roll));
  },
  (parts, roll) => {
    parts.start = parts.start.replace(/(?<=\d{3}).*(?=\r\n)/, () => pick(REASONS, roll));
  },
  (parts, roll) => {
    parts.start = parts.start.replace(/^HTTP\/1\.\d/, () => pick(VERSIONS, roll));
  },
  (parts, roll) => {
    parts.start = pick(['\r\n', '\n', ' ', '\0'], roll) + parts.start;
  },
];

/** One byte put in, taken out or changed, or the rest cut off. */
function spoilBytes(text: string, roll: Dice): string {
  const at = roll(text.length + 1);
  const byte = pick(BYTES, roll);
  switch (roll(8)) {
    case 0:
      return text.slice(0, at);
    case 1:
    case 2:
      return text.slice(0, at) + text.slice(at + 1);
    case 3:
    case 4:
    case 5:
      return text.slice(0, at) + byte + text.slice(at);
    default:
      return text.slice(0, at) + byte + text.slice(at + 1);
  }
}

/** The message with this number. Every request is followed by another, in which what is smuggled would show. */
export function request(number: number): Buffer {
  const text = spoilt(REQUESTS, [...SPOILERS, ...REQUEST_LINES], number);
  return Buffer.from(`${text}GET /next HTTP/1.1\r\nHost: next\r\nConnection: close\r\n\r\n`, 'latin1');
}

export function answer(number: number): Buffer {
  return Buffer.from(spoilt(ANSWERS, [...SPOILERS, ...STATUS_LINES], number), 'latin1');
}

function spoilt(from: readonly Parts[], spoilers: readonly Spoiler[], number: number): string {
  const roll = dice(number * 2 + 1);
  const base = pick(from, roll);
  const parts: Parts = { ...base, lines: [...base.lines] };
  for (let left = 1 + roll(3); left > 0; left--) pick(spoilers, roll)(parts, roll);
  return `${parts.start}${parts.lines.join('')}\r\n${parts.body}`;
}
