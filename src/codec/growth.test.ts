/**
 * A peer that never ends makes nothing grow, whatever it speaks: of what it sends a session keeps no more than its limits,
 * and it writes nothing like it back. The floods are what each protocol leaves room for, 16 MiB of each.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { fromContainer, getBody, sendBody, sendHeaders } from '../../test/support/ajp.ts';
import { record, stdout, TYPES } from '../../test/support/fastcgi.ts';
import { data, frame, headers, settings, word } from '../../test/support/h2.ts';
import { requestOf } from '../../test/support/request.ts';
import { asker, TARGET } from '../../test/support/session.ts';
import type { AnswerSink, ByteSink } from '../core/answer.ts';
import type { CodecKind } from './codec.ts';
import { codecs, fastcgi } from './index.ts';

const LIMITS = { head: 65_536, fields: 100 };
const FLOOD = 16 * 1_048_576;
/** More than any of the limits, and much less than a flood. */
const MOST = 4 * 1_048_576;

type Flood = readonly [begin: Buffer | string, again: Buffer | string];

/** Answers as CGI and HTTP/1 have them: fields, then chunks where the codec reads them. */
const TEXT: Readonly<Record<string, Flood>> = {
  'a field that never ends': ['X: ', 'x'.repeat(60_000)],
  fields: ['', 'X: y\r\n'.repeat(1000)],
  'interim answers': ['', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(100)],
  'a body until the end': ['Status: 200\nX: y\n\n', 'x'.repeat(60_000)],
  'a chunk extension': ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;', 'x'.repeat(60_000)],
  'chunks of one byte': ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\nx\r\n'.repeat(1000)],
  trailers: ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n', 'X: y\r\n'.repeat(1000)],
  'what follows an answer': ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'x'.repeat(60_000)],
};

const FLOODS: Readonly<Record<string, Readonly<Record<string, Flood>>>> = {
  http1: TEXT,
  scgi: TEXT,
  uwsgi: TEXT,
  cgi: TEXT,
  fastcgi: {
    ...Object.fromEntries(
      Object.entries(TEXT).map(([name, [begin, again]]): [string, Flood] => [name, [stdout(begin), stdout(again)]]),
    ),
    'a head in records of one byte': ['', Buffer.concat(Array.from({ length: 1000 }, () => stdout('x', 255)))],
    'a complaint without end': ['', record(TYPES.stderr, 'x'.repeat(60_000))],
    complaints: ['', record(TYPES.stderr, 'x\n'.repeat(30_000))],
    'records of no known type': ['', record(77, 'x'.repeat(60_000))],
    'records of other requests': ['', record(TYPES.stdout, 'x'.repeat(60_000), 0, 7)],
    'records about the connection': ['', record(TYPES.getValuesResult, 'x'.repeat(60_000), 0, 0)],
  },
  ajp: {
    'interim answers': ['', sendHeaders(103, [['Link', '</a>']])],
    'a head of the largest size, never whole': [Buffer.from('4142ffff04', 'hex'), 'x'.repeat(60_000)],
    'pieces of a body': [sendHeaders(200), sendBody('x'.repeat(8000))],
    'empty pieces': [sendHeaders(200), Buffer.concat(Array.from({ length: 1000 }, () => sendBody('')))],
    'padding behind a piece': [sendHeaders(200), fromContainer(Buffer.of(3, 0, 0), Buffer.alloc(8000))],
    questions: ['', getBody(8186)],
    'what follows an answer': [
      Buffer.concat([sendHeaders(200), fromContainer(Buffer.of(5, 1))]),
      sendBody('x'.repeat(8000)),
    ],
  },
  h2: {
    pings: [settings(), frame('PING', 0, 0, '12345678')],
    settings: [settings(), settings({ window: 1 })],
    'frames of no known type': [settings(), frame(99, 0, 0, Buffer.alloc(16_000))],
    updates: [settings(), frame('WINDOW_UPDATE', 0, 0, word(1))],
    'interim answers': [settings(), headers(1, { ':status': '103', a: 'b'.repeat(1000) })],
    'parts of a head': [
      Buffer.concat([settings(), frame('HEADERS', 0, 1, Buffer.alloc(10, 0x82))]),
      frame('CONTINUATION', 0, 1, Buffer.alloc(16_000, 0x82)),
    ],
    'a body beyond its window': [
      Buffer.concat([settings(), headers(1, { ':status': '200' })]),
      data(1, 'x'.repeat(16_000)),
    ],
    'empty pieces': [Buffer.concat([settings(), headers(1, { ':status': '200' })]), data(1, '')],
    resets: [settings(), frame('RST_STREAM', 0, 1, word(8))],
  },
};

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

function held(): number {
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** What a session keeps of a flood, and how much it writes. */
function flooded(kind: CodecKind, [begin, again]: Flood, own: object): { kept: number; written: number; ends: number } {
  let written = 0;
  let ends = 0;
  const out: ByteSink = {
    text: (text) => void (written += text.length),
    bytes: (_, start, end) => void (written += end - start),
  };
  const sink: AnswerSink = {
    interim() {},
    head() {},
    body() {},
    note() {},
    end: () => void ends++,
    fail: () => void ends++,
    flush: () => true,
  };
  const session = kind.create(kind.options.parse(own), out, LIMITS, { slots: 10 });
  assert.equal(
    typeof session.open(requestOf('GET / HTTP/1.1', 'Host: a'), { ...TARGET, program: '/bin/a' }, sink, asker()),
    'number',
  );
  written = 0;
  const first = Buffer.from(begin as string, 'latin1');
  const piece = Buffer.from(again as string, 'latin1');
  session.receive(first, 0, first.length);
  const before = held();
  for (let sent = 0; sent < FLOOD; sent += piece.length) {
    // Who has failed is read no more.
    if (ends > 0 && !session.reusable) break;
    session.receive(piece, 0, piece.length);
  }
  const kept = held() - before;
  session.eof();
  return { kept, written, ends };
}

const SUBJECTS: readonly (readonly [name: string, kind: CodecKind, own: object])[] = [
  ...(codecs as readonly CodecKind[]).map((kind) => [kind.name, kind, {}] as const),
  ['fastcgi, several on a connection', fastcgi, { multiplex: 'auto' }],
];

for (const [subject, kind, own] of SUBJECTS) {
  describe(subject, () => {
    test('there are floods for it', () => assert.ok(FLOODS[kind.name] !== undefined));
    for (const [name, flood] of Object.entries(FLOODS[kind.name] ?? {})) {
      test(name, () => {
        const { kept, written, ends } = flooded(kind, flood, own);
        assert.ok(kept < MOST, `${kept} bytes are kept`);
        // The answer to a question of AJP's is shorter than the question.
        assert.ok(written < FLOOD, `${written} bytes are written`);
        assert.equal(ends, 1);
      });
    }
  });
}
