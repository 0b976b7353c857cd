/**
 * Messages that two parsers may disagree about: ordinary ones, spoilt in the places and with the bytes that attacks are made
 * of. The same seed gives the same messages, so a disagreement can be looked at again.
 */

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

/** Single bytes that are looked at twice. */
const BYTES = '\r\n\t \0\x01\x0b\x0c\x1f\x7f\x80\x85\xa0\xad\xff:;,=/"\'\\()<>@[]{}?#%&+-._~*0159aAfFgGxXzZ'.split('');
const ENDS = [
  '\r\n',
  '\n',
  '\r',
  '\r\r\n',
  '\n\r',
  '\r\n\r\n',
  '\n\n',
  '',
  ' \r\n',
  '\t\r\n',
  '\r\n ',
  '\r\n\t',
  '\0\r\n',
  '\x0b\r\n',
  '\x85\r\n',
];
const NAME_ENDS = [':', ': ', ' :', '\t:', ' : ', '\0:', '\x0b:', '\xa0:', '\r\n:', '\n:', '=', ' ', '::', ';:', '\r:'];
const LENGTHS = [
  ...[
    '0',
    '1',
    '5',
    '4',
    '6',
    '05',
    '+5',
    '-5',
    '0x5',
    '5 5',
    '5, 5',
    '5,5',
    '5,6',
    '5.0',
    '5e0',
    '"5"',
    '',
    ' ',
    '5;',
    '5\xa0',
    '\xa05',
  ],
  ...[
    '\x0b5',
    '5\x0c',
    '5\t',
    '9007199254740991',
    '9007199254740993',
    '18446744073709551615',
    '18446744073709551621',
    'five',
    '5_0',
    '\xb2',
  ],
];
const CODINGS = [
  ...[
    'chunked',
    'Chunked',
    'CHUNKED',
    ' chunked',
    '\tchunked',
    'chunked ',
    'chunked\t',
    '\x0bchunked',
    'chunked\x0c',
    'chunked\xa0',
  ],
  ...[
    '\xa0chunked',
    '',
    'identity',
    'gzip',
    'gzip, chunked',
    'gzip,chunked',
    'chunked, gzip',
    'chunked, chunked',
    'chunked, identity',
  ],
  ...[
    'identity, chunked',
    'xchunked',
    'chunkedx',
    'chunked;q=1',
    'chunked;',
    ';chunked',
    ',chunked',
    'chunked,',
    'chunked, ',
    'x, chunked',
  ],
  ...[
    '"chunked"',
    "'chunked'",
    'chun ked',
    'chunked chunked',
    'chunked\0',
    'cow',
    'ch\xfcnked',
    'chunKed',
    'c\rhunked',
    'x;y=z, chunked',
  ],
];
const OTHERS = [
  ...[
    'Host: b\r\n',
    'Host: a.example\r\n',
    'Host:\r\n',
    'Host: a b\r\n',
    'Host: u@a\r\n',
    'Host: a:99999\r\n',
    'Host: [::1]\r\n',
    'Host: a/b\r\n',
  ],
  ...[
    'Connection: close\r\n',
    'Connection: keep-alive\r\n',
    'Connection: Close, x\r\n',
    'Connection: upgrade\r\n',
    'Connection: close\xa0\r\n',
  ],
  ...[
    'Upgrade: websocket\r\n',
    'Upgrade: h2c\r\n',
    'Expect: 100-continue\r\n',
    'Expect: x\r\n',
    'TE: trailers\r\n',
    'Proxy-Connection: close\r\n',
  ],
  ...[
    'X: y\r\n z\r\n',
    ' X: y\r\n',
    '\tX: y\r\n',
    ': x\r\n',
    ':\r\n',
    'X\r\n',
    'X Y: z\r\n',
    'Content_Length: 5\r\n',
    'X_Y: z\r\n',
    'X: \0\r\n',
    'X: \x7f\r\n',
  ],
  ...[
    'GET / HTTP/1.1\r\n',
    'X: y\nZ: a\r\n',
    'X: y\rZ: a\r\n',
    'Keep-Alive: timeout=5\r\n',
    'Content-Encoding: chunked\r\n',
    '\r\n',
    '\n',
    '\r',
  ],
];
const BODIES = [
  ...[
    '5\r\nhello\r\n0\r\n\r\n',
    '0\r\n\r\n',
    '5\nhello\n0\n\n',
    '5\r\nhello0\r\n\r\n',
    '5\r\nhello\n0\r\n\r\n',
    '5 \r\nhello\r\n0\r\n\r\n',
    ' 5\r\nhello\r\n0\r\n\r\n',
  ],
  ...[
    '0x5\r\nhello\r\n0\r\n\r\n',
    '+5\r\nhello\r\n0\r\n\r\n',
    '-5\r\nhello\r\n0\r\n\r\n',
    '5;\r\nhello\r\n0\r\n\r\n',
    '5;a\r\nhello\r\n0\r\n\r\n',
    '5;a=\r\nhello\r\n0\r\n\r\n',
  ],
  ...[
    '5;a="\r\n"\r\nhello\r\n0\r\n\r\n',
    '5 ;a\r\nhello\r\n0\r\n\r\n',
    '5; a\r\nhello\r\n0\r\n\r\n',
    '5;a = b\r\nhello\r\n0\r\n\r\n',
    '5;\na\r\nhello\r\n0\r\n\r\n',
  ],
  ...[
    '5;a\nhello\r\n0\r\n\r\n',
    '5;a\rhello\r\n0\r\n\r\n',
    '10000000000000005\r\nhello\r\n0\r\n\r\n',
    'ffffffffffffffff\r\nhello',
    '00000000000000005\r\nhello\r\n0\r\n\r\n',
  ],
  ...[
    '5\r\nhello\r\n0\r\nX: y\r\n\r\n',
    '5\r\nhello\r\n0\r\nX : y\r\n\r\n',
    '5\r\nhello\r\n0\r\n X: y\r\n\r\n',
    '5\r\nhello\r\n0\r\nX: y\n\n',
    '5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n',
  ],
  ...[
    '5\r\nhello\r\n0\r\n\n',
    '5\r\nhello\r\n0\n\r\n',
    '0\r\n',
    '5\r\nhel',
    '5\r\nhello\r\n',
    '\r\n5\r\nhello\r\n0\r\n\r\n',
    '5\r\nhello\r\n\r\n0\r\n\r\n',
    'G\r\n',
    '5,5\r\nhello\r\n0\r\n\r\n',
  ],
];
const METHODS = [
  'get',
  'Get',
  'QUERY',
  'M-SEARCH',
  'PRI',
  'G\xcbT',
  'GE T',
  'A'.repeat(65),
  'SOURCE',
  'X',
  'DESCRIBE',
  'CONNECT',
  'TRACE',
  'OPTIONS',
  '',
  'GE:T',
  '"GET"',
  'PATCH',
];
const TARGETS = [
  ...[
    '/',
    '*',
    'a',
    'a.example:443',
    'a:',
    '[::1]:443',
    'http://b/',
    'HTTP://b',
    'https://b:1/',
    'http://',
    'http:///x',
    'http://u@b/',
    'http://b:x/',
    'ftp://b/',
  ],
  ...[
    '/#x',
    '/a b',
    '/\t',
    '/\0',
    '/\x7f',
    '/\x80',
    '/\xff',
    '',
    '//x',
    '/%',
    '/%zz',
    '/..',
    '?x',
    '#',
    '@',
    '/|^`{}"<>\\',
    'http://b?x',
    'http://b#x',
    'x:/y',
    '[::1]',
  ],
];
const VERSIONS = [
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/1.9',
  'HTTP/2.0',
  'HTTP/0.9',
  'HTTP/1.10',
  'HTTP/01.1',
  'http/1.1',
  'HTTP/1,1',
  'HTTP/1',
  'HTTP/1.',
  'HTTP 1.1',
  'RTSP/1.0',
  'ICE/1.0',
  'HTTP/1.1 ',
  ' HTTP/1.1',
  '\tHTTP/1.1',
  'HTTP/3.1',
  '',
];
const STATUSES = [
  '200',
  '100',
  '101',
  '103',
  '204',
  '205',
  '304',
  '404',
  '426',
  '599',
  '600',
  '999',
  '099',
  '000',
  '20',
  '2000',
  '2x0',
  '',
  ' 200',
  '+20',
  '200\t',
  '200\0',
];
const REASONS = [' OK', '', ' ', '  OK', '\tOK', ' \xe9', ' O\tK', ' O\0K', ' O\rK', ' O\x7fK', ' OK ', 'OK'];

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
