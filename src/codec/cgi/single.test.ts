import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { cut } from '../../../test/support/http1.ts';
import { requestOf } from '../../../test/support/request.ts';
import { asker, converse, feed, Heard, Sent, TARGET } from '../../../test/support/session.ts';
import { readScgi, readUwsgi } from '../../../test/support/variables.ts';
import type { CodecSession } from '../codec.ts';
import type { Request } from '../../core/request.ts';
import { scgi } from '../scgi/scgi.ts';
import { uwsgi } from '../uwsgi/uwsgi.ts';

const LIMITS = { head: 4096, fields: 50 };

function session(sent = new Sent()): CodecSession {
  return scgi.create({}, sent, LIMITS);
}

function upload(length: number): Request {
  const request = requestOf('POST /app/x?y=1 HTTP/1.1', 'Host: a', 'Content-Type: text/plain');
  request.framing = 'length';
  request.length = length;
  return request;
}

const get = (): Request => requestOf('GET / HTTP/1.1', 'Host: a');

test('SCGI: a netstring, the length first, then the body', () => {
  const sent = new Sent();
  converse(session(sent), upload(5), [], { body: 'hello' });
  const { pairs, rest } = readScgi(sent.take());
  assert.deepEqual(pairs.slice(0, 2), [
    ['CONTENT_LENGTH', '5'],
    ['SCGI', '1'],
  ]);
  const names = pairs.map(([name]) => name);
  assert.equal(new Set(names).size, names.length, 'no name twice');
  const all = Object.fromEntries(pairs);
  assert.equal(all['REQUEST_METHOD'], 'POST');
  assert.equal(all['QUERY_STRING'], 'y=1');
  assert.equal(all['CONTENT_TYPE'], 'text/plain');
  assert.equal(rest.latin1Slice(), 'hello');
});

test('SCGI: without a body the length is 0, and the config cannot say otherwise', () => {
  const sent = new Sent();
  const target = { ...TARGET, cgi: { ...TARGET.cgi, env: { CONTENT_LENGTH: '9', SCGI: '2', OWN: 'x' } } };
  converse(session(sent), get(), [], { target });
  const { pairs, rest } = readScgi(sent.take());
  assert.deepEqual(pairs.slice(0, 2), [
    ['CONTENT_LENGTH', '0'],
    ['SCGI', '1'],
  ]);
  assert.deepEqual(pairs.at(-1), ['OWN', 'x']);
  assert.equal(rest.latin1Slice(), '');
});

test('uwsgi: modifiers, a block of words, the body', () => {
  const sent = new Sent();
  converse(uwsgi.create({ modifier1: 5, modifier2: 7 }, sent, LIMITS), upload(3), [], { body: '\xff\0a' });
  const { modifiers, pairs, rest } = readUwsgi(sent.take());
  assert.deepEqual(modifiers, [5, 7]);
  const all = Object.fromEntries(pairs);
  assert.equal(all['CONTENT_LENGTH'], '3');
  assert.equal(all['PATH_INFO'], '/app/x');
  assert.equal(rest.latin1Slice(), '\xff\0a');
});

test('uwsgi: variables that do not fit into 64 KiB are refused, and nothing is sent', () => {
  for (const [size, fits] of [
    [60_000, true],
    [65_535, false],
    [70_000, false],
  ] as const) {
    const sent = new Sent();
    const one = uwsgi.create({ modifier1: 0, modifier2: 0 }, sent, LIMITS);
    const opened = one.open(
      requestOf('GET / HTTP/1.1', 'Host: a', `X: ${'x'.repeat(size)}`),
      TARGET,
      new Heard(),
      asker(),
    );
    assert.equal(opened, fits ? 0 : 'head-too-large-for-origin');
    const bytes = sent.take();
    if (fits) assert.equal(readUwsgi(bytes).pairs.find(([name]) => name === 'HTTP_X')?.[1].length, size);
    else assert.equal(bytes.length, 0);
  }
});

test('a body of unknown length is not sent', () => {
  const request = upload(0);
  request.framing = 'chunked';
  const sent = new Sent();
  assert.equal(session(sent).open(request, TARGET, new Heard(), asker()), 'length-required');
  assert.equal(sent.take().length, 0);
});

/** What answers become: the bytes, whether the connection ends then, and what is heard. */
const ANSWERS: [bytes: string, eof: boolean, events: string[], body: string][] = [
  ['Content-Type: a/b\r\n\r\nhi', true, ['answer 200 OK (close)', 'end'], 'hi'],
  ['Status: 404 Not Found\nX: y\n\nno', true, ['answer 404 Not Found (close)', 'end'], 'no'],
  ['HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nhi', false, ['answer 201 Made (length=2)', 'end'], 'hi'],
  ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi, too', false, ['answer 200 OK (length=2)', 'end'], 'hi'],
  [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
    false,
    ['answer 200 OK (chunked)', 'end'],
    'hi',
  ],
  [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n',
    true,
    ['answer 200 OK (chunked)', 'error answer-incomplete'],
    'hi',
  ],
  [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n',
    false,
    ['answer 200 OK (chunked)', 'error answer-incomplete'],
    '',
  ],
  ['Location: /x\r\n\r\n', true, ['answer 302 Found (close)', 'end'], ''],
  ['Status: 204\r\n\r\n', false, ['answer 204  (none)', 'end'], ''],
  ['Content-Length: 5\r\n\r\nhi', true, ['answer 200 OK (length=5)', 'error answer-incomplete'], 'hi'],
  ['Content-Type: a/b\r\n', true, ['error origin-closed'], ''],
  ['', true, ['error origin-closed'], ''],
  ['Traceback (most recent call last):\n', false, ['error bad-answer'], ''],
  [`X: ${'x'.repeat(5000)}\r\n\r\n`, false, ['error answer-head-too-large'], ''],
];

test('answers, whole and in any two pieces', () => {
  for (const [text, eof, events, body] of ANSWERS) {
    const bytes = Buffer.from(text, 'latin1');
    // A line that cannot be a field is judged when the head is complete, or its end.
    if (events[0] === 'error bad-answer') bytes.write(text);
    for (let at = 0; at <= bytes.length; at += text.length > 1000 ? 97 : 1) {
      const tail = events[0] === 'error bad-answer' ? [Buffer.from('\n\n')] : [];
      const heard = converse(session(), get(), [...cut(bytes, at), ...tail], { eof });
      assert.deepEqual([heard.events, heard.content], [events, body], `${text} cut at ${at}`);
    }
  }
});

test('no body to HEAD, nothing after an abort, and never a second request', () => {
  const heard = converse(session(), requestOf('HEAD / HTTP/1.1', 'Host: a'), [Buffer.from('Content-Length: 2\n\nhi')]);
  assert.deepEqual([heard.events, heard.content], [['answer 200 OK (none)', 'end'], '']);
  const one = session();
  const nobody = new Heard();
  one.open(get(), TARGET, nobody, asker());
  one.abort(0);
  feed(one, Buffer.from('X: y\n\n'));
  one.eof();
  assert.deepEqual([nobody.events, one.reusable], [[], false]);
});

test('a client that waits for 100 gets it', () => {
  const request = upload(5);
  request.expectsContinue = true;
  assert.deepEqual(converse(session(), request, [], { body: 'hello' }).events, ['interim 100 Continue']);
});

const SHARDS = [
  ...[
    '\n',
    '\r\n',
    '\r\n\r\n',
    '\n\n',
    ':',
    ' ',
    '\0',
    '\xff',
    'Status: 404 x\n',
    'Status: 99\n',
    'X: y\r\n',
    'Location: /\n',
  ],
  ...[
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 100\r\n\r\n',
    'Content-Length: 3\n',
    'Transfer-Encoding: chunked\r\n',
    '3\r\nabc\r\n',
    '0\r\n\r\n',
  ],
];

test('whatever comes, and however it is split: one result, and no exception', () => {
  const soup = fc
    .array(fc.constantFrom(...SHARDS), { maxLength: 10 })
    .map((parts) => Buffer.from(parts.join(''), 'latin1'));
  const property = fc.property(soup, fc.boolean(), fc.boolean(), (all, eof, head) => {
    const run = (pieces: readonly Buffer[]): object =>
      converse(session(), requestOf(`${head ? 'HEAD' : 'GET'} / HTTP/1.1`, 'Host: a'), pieces, { eof }).all;
    const whole = run([all]);
    for (let i = 1; i < all.length; i++) assert.deepEqual(run(cut(all, i)), whole, `cut at ${i}`);
    assert.deepEqual(run(cut(all, ...all.keys())), whole, 'byte by byte');
  });
  fc.assert(property, { numRuns: 1500 });
});
