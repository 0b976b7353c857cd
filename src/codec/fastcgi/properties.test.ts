/** What holds for any request and any bytes: requests arrive as they were, and nothing an application sends gets further than it may. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ending,
  hear,
  type Heard,
  readRecords,
  record,
  requestFrom,
  Sent,
  stdout,
  targetOf,
  TYPES,
} from '../../../test/support/fastcgi.ts';
import { anyTarget, fieldLines, offsets, pieces, variablesOf } from '../../../test/support/arbitrary.ts';
import { exchangeOf } from '../../../test/support/exchange.ts';
import { cut } from '../../../test/support/http1.ts';
import type { AnswerSink } from '../../core/answer.ts';
import { FastCgiSession } from './session.ts';

const LIMITS = { head: 32_768, fields: 100 };
const nobody: AnswerSink = { interim() {}, head() {}, body() {}, end() {}, fail() {}, flush: () => true };

// ---- requests

test('any request arrives as it was: every field once, under one name, and the body whole', () => {
  const property = fc.property(anyTarget, fieldLines, pieces, fc.boolean(), (target, fields, parts, splits) => {
    const lines = fields.map(([name, value]) => `${name}: ${value}`);
    const { request, remote, id, front } = exchangeOf({}, `POST ${target} HTTP/1.1`, 'Host: a', ...lines);
    fc.pre(!request.climbs);
    request.framing = 'chunked';
    const sent = new Sent();
    const session = new FastCgiSession(sent, LIMITS, false);
    const cgi = splits ? { root: '/r', split: ['.php'], front: '/front.php' } : {};
    assert.equal(session.open(request, targetOf(cgi), nobody, { remote, id, front }), 0);
    for (const piece of parts) session.body(0, piece, 0, piece.length);
    session.end();
    const { records, used } = readRecords(sent.all);
    assert.equal(used, sent.all.length, 'bytes that are no record');
    const got = requestFrom(records);
    assert.deepEqual([got.role, got.keep, got.complete, got.aborted], [1, false, true, false]);
    assert.equal(got.body, Buffer.concat(parts).latin1Slice());
    const { variables } = got;
    assert.equal(variables.get('REQUEST_URI'), target);
    const plain = target.split('?')[0] ?? '';
    if (!splits) assert.equal(variables.get('SCRIPT_NAME'), '');
    if (!/%|\/\/|\/\./.test(plain) && !splits) assert.equal(variables.get('PATH_INFO'), plain);
    for (const [name, value] of variables) {
      assert.match(name, /^[A-Z][A-Z0-9_]*$/);
      assert.ok(!value.includes('\0'), name);
    }
    assert.equal(variables.has('HTTP_PROXY'), false);
    for (const [name, value] of variablesOf(fields)) assert.equal(variables.get(name), value, name);
  });
  fc.assert(property, { numRuns: 500 });
});

test('params and bodies of any size go out in records that hold them', () => {
  for (const size of [1, 126, 127, 128, 129, 65_000, 65_535, 65_536, 200_000]) {
    const { request, remote, id, front } = exchangeOf({}, 'POST / HTTP/1.1', 'Host: a', `X-Long: ${'y'.repeat(size)}`);
    request.framing = 'length';
    request.length = size;
    const sent = new Sent();
    const session = new FastCgiSession(sent, LIMITS, true);
    session.open(request, targetOf(), nobody, { remote, id, front });
    if (size > 0) session.body(0, Buffer.alloc(size + 2, 0x62), 1, size + 1);
    session.end();
    const got = requestFrom(readRecords(sent.all).records);
    assert.equal(got.variables.get('HTTP_X_LONG')?.length, size);
    assert.equal(got.variables.get('CONTENT_LENGTH'), String(size));
    assert.equal(got.body, 'b'.repeat(size));
    assert.deepEqual([got.keep, got.complete], [true, true]);
  }
});

test('an abort is told while a request is under way, and only then', () => {
  const { request, remote, id, front } = exchangeOf({}, 'GET / HTTP/1.1', 'Host: a');
  const sent = new Sent();
  const session = new FastCgiSession(sent, LIMITS, true);
  session.open(request, targetOf(), nobody, { remote, id, front });
  session.abort();
  session.abort();
  assert.equal(session.reusable, false);
  assert.equal(readRecords(sent.all).records.filter(({ type }) => type === TYPES.abort).length, 1);
  session.receive(stdout('A: b\n\nlate'), 0, 17);
  session.eof();
});

test('a request that names no script sends nothing and leaves the channel as it was', () => {
  const sent = new Sent();
  const session = new FastCgiSession(sent, LIMITS, false);
  const { request, remote, id, front } = exchangeOf({}, 'GET /a.txt HTTP/1.1', 'Host: a');
  assert.equal(
    session.open(request, targetOf({ root: '/r', split: ['.php'] }), nobody, { remote, id, front }),
    'no-script',
  );
  assert.deepEqual([sent.parts.length, session.reusable], [0, true]);
});

// ---- answers

const content = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 60,
});

test('an answer is the same however its records and its reads are cut', () => {
  const property = fc.property(
    content,
    fc.boolean(),
    offsets,
    offsets,
    fc.nat(255),
    fc.boolean(),
    (body, stated, inner, outer, padding, crlf) => {
      const end = crlf ? '\r\n' : '\n';
      const length = stated ? `Content-Length: ${body.length}${end}` : '';
      const stream = Buffer.from(`Status: 200 Fine${end}X-A: 1${end}${length}${end}${body}`, 'latin1');
      const records = cut(stream, ...inner).map((piece) => stdout(piece, padding));
      const all = Buffer.concat([...records, record(TYPES.stdout), ending()]);
      const heard = hear(cut(all, ...outer), false, { keep: true });
      const framing = stated ? (body.length === 0 ? 'none' : `length=${body.length}`) : 'close';
      assert.deepEqual(heard.events, [`answer 200 Fine (${framing})`, 'end']);
      assert.deepEqual([heard.body, heard.reusable, heard.late], [body, true, false]);
    },
  );
  fc.assert(property, { numRuns: 1000 });
});

/** What an application, or somebody in its place, may get wrong. */
const SHARDS: readonly Buffer[] = [
  ...[
    'Status: 200\n',
    'A: b\r\n',
    '\n',
    '\r\n',
    'Content-Length: 3\n',
    'HTTP/1.1 200 OK\n',
    'Transfer-Encoding: x\n',
    'abc',
    '',
  ].map((text) => stdout(text)),
  stdout('A: b\n\nabc', 3),
  record(TYPES.stderr, 'oops\n'),
  record(TYPES.stderr, 'no end', 9),
  ending(),
  ending(1, 0, 8),
  ending(0, 2),
  record(TYPES.unknown, '12345678', 0, 0),
  record(TYPES.stdout, 'x', 0, 2),
  record(77, 'x'),
  record(TYPES.end, 'short'),
  Buffer.from('HTTP/1.1 400 No\r\n\r\n'),
  Buffer.from([1, 6, 0, 1, 255, 255, 255, 0]),
];
const soup = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...SHARDS) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
    ),
    { maxLength: 10 },
  )
  .map((parts) => Buffer.concat(parts));

test('any records and bytes: one result for every place to split, at most one end, and no exception', () => {
  const property = fc.property(
    soup,
    fc.boolean(),
    fc.boolean(),
    fc.constantFrom('GET', 'HEAD'),
    (all, eof, keep, method) => {
      const outcome = (...at: number[]): Heard => hear(cut(all, ...at), eof, { keep, method });
      const whole = outcome();
      assert.equal(whole.late, false);
      assert.ok(whole.events.filter((event) => /^(?:end|error)/.test(event)).length <= 1);
      if (eof)
        assert.equal(whole.events.filter((event) => /^(?:end|error)/.test(event)).length, 1, 'eof leaves nothing open');
      for (let i = 1; i < all.length; i++) assert.deepEqual(outcome(i), whole, `cut at ${i}`);
      assert.deepEqual(outcome(...all.keys()), whole, 'byte by byte');
    },
  );
  fc.assert(property, { numRuns: 1200 });
});

test('a good answer with any byte changed: one result for every split, and no exception', () => {
  const good = Buffer.concat([
    record(TYPES.stderr, 'note\n', 3),
    stdout('Status: 200 OK\r\nContent-Length: 3\r\n', 5),
    stdout('X: y\r\n\r\nabc'),
    record(TYPES.stdout),
    ending(),
  ]);
  const property = fc.property(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }), offsets, (at, byte, cuts) => {
    const bad = Buffer.from(good);
    bad[at] = byte;
    const whole = hear([bad], true, { keep: true });
    assert.deepEqual(hear(cut(bad, ...cuts), true, { keep: true }), whole);
    assert.equal(whole.events.filter((event) => /^(?:end|error)/.test(event)).length, 1);
  });
  fc.assert(property, { numRuns: 3000 });
});

test('limits of the head give one result for every split', () => {
  const limits = fc.record({ head: fc.integer({ min: 1, max: 60 }), fields: fc.nat(3) });
  const property = fc.property(limits, soup, (bounds, tail) => {
    const all = Buffer.concat([stdout('Status: 200\nA: b\r\nC: d\n\nbody'), tail]);
    const whole = hear([all], true, { limits: bounds });
    for (let i = 1; i < all.length; i++)
      assert.deepEqual(hear(cut(all, i), true, { limits: bounds }), whole, `cut at ${i}`);
  });
  fc.assert(property, { numRuns: 400 });
});

test('a head in records of one byte, up to its limit, is given up in time', () => {
  const one = stdout('a', 0);
  const many = Buffer.concat([stdout('X: '), ...Array.from({ length: 70_000 }, () => one)]);
  const begun = process.hrtime.bigint();
  const heard = hear(cut(many, ...Array.from({ length: 50 }, (_, i) => i * 12_345)), false, {
    limits: { head: 65_536, fields: 10 },
  });
  assert.deepEqual(heard.events, ['error answer-head-too-large: more than 65536 bytes']);
  assert.ok(Number(process.hrtime.bigint() - begun) < 20e9);
});
