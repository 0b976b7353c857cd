/**
 * What holds for every message: how its bytes are split changes nothing, what is valid comes out as it went in, and no bytes
 * whatever make a parser throw, hang or fill the memory.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { cut, LIMITS, type ReadRequests, readAnswers, readRequests } from '../../../test/support/http1.ts';
import { Fields } from '../../core/fields.ts';
import { ChunkDecoder } from './chunks.ts';
import { FAILED, LineReader, MORE } from './lines.ts';

const oneOf = (characters: string): fc.Arbitrary<string> => fc.constantFrom(...characters.split(''));
const TCHAR = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const token = fc.string({ unit: oneOf(TCHAR), minLength: 1, maxLength: 12 });
/** Names that no rule looks at. */
const name = token.map((text) => `X${text.replaceAll('_', '-')}`);
const value = fc
  .string({ unit: oneOf(' \t!"#,;:=()azAZ09_~\x80\xa0\xff'), maxLength: 20 })
  .map((text) => text.replaceAll(/^[ \t]+|[ \t]+$/g, ''));
const field = fc.tuple(name, fc.constantFrom('', ' ', '\t '), value, fc.constantFrom('', ' ', ' \t'));
const fields = fc.array(field, { maxLength: 6 });
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array).toString('latin1'));
const extension = fc.constantFrom('', ';a', ';a=b', ' ; a = "b;\\"\\\\c" ; d');
const chunk = fc.tuple(bytes, fc.constantFrom('', '0', '000'), fc.boolean(), extension);

const trailer = fc.array(fc.tuple(name, value), { maxLength: 3 });
const chunked = fc.record({ chunks: fc.array(chunk, { maxLength: 4 }), end: extension, trailer });
const plain = fc.record({ body: fc.option(bytes, { nil: undefined }) });
const body = fc.oneof(plain, chunked);

interface Written {
  readonly head: string;
  readonly payload: string;
  readonly body: string;
  readonly trailers: string;
}

/** The fields that frame a body, the bytes that carry it, and what is to come out of them. */
function write(given: typeof body extends fc.Arbitrary<infer T> ? T : never): Written {
  if (!('chunks' in given)) {
    if (given.body === undefined) return { head: '', payload: '', body: '', trailers: '' };
    return { head: `Content-Length: ${given.body.length}\r\n`, payload: given.body, body: given.body, trailers: '' };
  }
  let payload = '';
  let whole = '';
  for (const [content, zeros, upper, ext] of given.chunks) {
    if (content === '') continue;
    const size = content.length.toString(16);
    payload += `${zeros}${upper ? size.toUpperCase() : size}${ext}\r\n${content}\r\n`;
    whole += content;
  }
  const trailers = given.trailer.map(([key, text]) => `${key}: ${text}\r\n`).join('');
  payload += `0${given.end}\r\n${trailers}\r\n`;
  return { head: 'Transfer-Encoding: chunked\r\n', payload, body: whole, trailers };
}

const path = fc.string({ unit: oneOf('/abc.-_~%41?&=;@:'), maxLength: 20 }).map((text) => `/${text}`);
const method = token.filter((text) => text !== 'CONNECT');
const request = fc.record({ method, path, before: fields, after: fields, body, empties: fc.nat(2) });
const answer = fc.record({
  status: fc.integer({ min: 200, max: 999 }),
  reason: value,
  before: fields,
  after: fields,
  body,
});

const line = ([key, left, text, right]: readonly string[]): string => `${key}:${left}${text}${right}\r\n`;
const kept = (all: readonly (readonly string[])[]): string[][] => all.map(([key, , text]) => [key, text]);

/** Splits at random offsets. */
const offsets = fc.array(fc.nat(2000), { maxLength: 8 });

test('valid requests come out as they went in, however they are split', () => {
  const property = fc.property(fc.array(request, { minLength: 1, maxLength: 3 }), offsets, (all, at) => {
    let text = '';
    const expected: unknown[] = [];
    for (const one of all) {
      const { head, payload, body: content, trailers } = write(one.body);
      const lines = `${one.before.map(line).join('')}Host: a\r\n${head}${one.after.map(line).join('')}`;
      text += `${'\r\n'.repeat(one.empties)}${one.method} ${one.path} HTTP/1.1\r\n${lines}\r\n${payload}`;
      const length = head === '' ? [] : [head.slice(0, -2).split(': ')];
      expected.push({
        start: [one.method, one.path],
        fields: [...kept(one.before), ['Host', 'a'], ...length, ...kept(one.after)],
        content,
        trailers,
      });
    }
    const read = readRequests(cut(Buffer.from(text, 'latin1'), ...at));
    assert.equal(read.error, '');
    const found = read.requests.map((one) => ({
      start: [one.method, one.target],
      fields: one.fields.map((pair) => [...pair]),
      content: one.body,
      trailers: one.trailers,
    }));
    assert.deepEqual(found, expected);
    assert.ok(read.requests.every((one) => one.complete) && read.waiting === 0);
  });
  fc.assert(property, { numRuns: 1500 });
});

test('valid answers come out as they went in, however they are split', () => {
  const property = fc.property(answer, fc.nat(2), offsets, fc.boolean(), (one, interims, at, head) => {
    const { head: framing, payload, body: content, trailers } = write(one.body);
    const bodiless = head || one.status === 204 || one.status === 304;
    const lines = `${one.before.map(line).join('')}${framing}${one.after.map(line).join('')}`;
    const final = `HTTP/1.1 ${one.status} ${one.reason}\r\n${lines}\r\n${bodiless ? '' : payload}`;
    const text = 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'.repeat(interims) + final;
    const eof = framing === '' && !bodiless;
    const read = readAnswers(cut(Buffer.from(text, 'latin1'), ...at), eof, { method: head ? 'HEAD' : 'GET' });
    assert.equal(read.error, '', read.detail);
    assert.equal(read.answers.length, interims + 1);
    const last = read.answers[interims];
    const length =
      framing === '' || (one.status === 204 && framing.startsWith('Content-'))
        ? []
        : [framing.slice(0, -2).split(': ')];
    const wanted = [...kept(one.before), ...length, ...kept(one.after)];
    assert.deepEqual(
      [last.status, last.line, last.fields.map((pair) => [...pair]), last.body, last.trailers, last.complete],
      [one.status, `${one.status} ${one.reason}`, wanted, bodiless ? '' : content, bodiless ? '' : trailers, true],
    );
    assert.equal(read.reusable, !eof);
  });
  fc.assert(property, { numRuns: 1500 });
});

// ---- any bytes at all

/** What attacks are made of. */
const SHARDS = [
  ...['\r\n', '\r\n\r\n', '\n', '\r', ' ', '\t', '\0', '\x0b', '\x7f', '\xa0', ':', ';', ',', '"', '0', '5', 'a'],
  ...['GET / HTTP/1.1\r\n', 'POST / HTTP/1.0\r\n', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.0 304\r\n', 'Host: a\r\n', 'Host'],
  ...[
    'Content-Length: 5\r\n',
    'Content-Length',
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding',
    'chunked',
    'gzip',
  ],
  ...[
    'Connection: close\r\n',
    'Expect: 100-continue\r\n',
    'Upgrade: h2c\r\n',
    '5\r\nhello\r\n',
    '0\r\n\r\n',
    'ffffffffffff',
  ],
];
const soup = fc
  .array(fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...SHARDS) }, { weight: 1, arbitrary: bytes }), {
    maxLength: 14,
  })
  .map((parts) => Buffer.from(parts.join(''), 'latin1'));
/** A beginning that gets past the first line. */
const start = fc.constantFrom(
  '',
  'POST / HTTP/1.1\r\nHost: a\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
);
const begin = fc.constantFrom('', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');

test('any bytes as requests: one result for every place to split, and no exception', () => {
  const property = fc.property(start, soup, (prefix, tail) => {
    const all = Buffer.concat([Buffer.from(prefix), tail]);
    const whole = readRequests([all]);
    for (let i = 1; i < all.length; i++) assert.deepEqual(readRequests(cut(all, i)), whole, `cut at ${i}`);
    assert.deepEqual(readRequests(cut(all, ...all.keys())), whole, 'byte by byte');
  });
  fc.assert(property, { numRuns: 2500 });
});

test('any bytes as answers: one result for every place to split, and no exception', () => {
  const property = fc.property(begin, soup, fc.boolean(), (prefix, tail, eof) => {
    const all = Buffer.concat([Buffer.from(prefix), tail]);
    const whole = readAnswers([all], eof);
    for (let i = 1; i < all.length; i++) assert.deepEqual(readAnswers(cut(all, i), eof), whole, `cut at ${i}`);
    assert.deepEqual(readAnswers(cut(all, ...all.keys()), eof), whole, 'byte by byte');
  });
  fc.assert(property, { numRuns: 2500 });
});

test('the limits give one result for every place to split', () => {
  // All limits small and near each other, so that most messages meet several of them.
  const limits = fc.record({
    head: fc.integer({ min: 1, max: 80 }),
    fields: fc.nat(3),
    target: fc.integer({ min: 1, max: 70 }),
    body: fc.nat(20),
    underscores: fc.boolean(),
  });
  const property = fc.property(limits, request, soup, (bounds, one, tail) => {
    const { head, payload } = write(one.body);
    const text = `${'\r\n'.repeat(one.empties)}${one.method} ${one.path} HTTP/1.1\r\nHost: a\r\n${head}\r\n${payload}`;
    const all = Buffer.concat([Buffer.from(text, 'latin1'), tail]);
    const outcome = (...at: number[]): ReadRequests => {
      const read = readRequests(cut(all, ...at), bounds);
      // How much of a body that is too large was passed on before that was seen, may depend on the split.
      if (read.error === 'body-too-large') for (const given of read.requests) if (!given.complete) given.body = '';
      return read;
    };
    const whole = outcome();
    for (let i = 1; i < all.length; i++) assert.deepEqual(outcome(i), whole, `cut at ${i}`);
  });
  fc.assert(property, { numRuns: 1500 });
});

test('a chunk decoder stops where its message ends', () => {
  const property = fc.property(chunked, bytes, offsets, (given, behind, at) => {
    const { payload, body: content } = write(given);
    const all = Buffer.from(payload + behind, 'latin1');
    const decoder = new ChunkDecoder(LIMITS.head, LIMITS.fields, 'trailers-too-large');
    let found = '';
    let used = 0;
    for (const piece of cut(all, ...at)) {
      const after = decoder.decode(piece, 0, piece.length, {
        body: (b, from, to) => void (found += b.latin1Slice(from, to)),
      });
      assert.notEqual(after, FAILED);
      used += after;
      if (decoder.done) break;
    }
    assert.deepEqual([found, used], [content, payload.length]);
  });
  fc.assert(property, { numRuns: 1500 });
});

// ---- time and memory

test('a message fed byte by byte to its limits is refused in time, and nothing is kept of it', () => {
  const endless = [
    ...['\r\n', 'A', 'GET /a', 'GET / HTTP/1.1\r\nX: ', 'GET / HTTP/1.1\r\nX', 'GET / HTTP/1.1\r\n\r'],
    ...['', ';', ';a="', '\r\nX: ', '\r\nX: y\r\n'].map(
      (tail) => `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0${tail}`,
    ),
  ];
  for (const beginning of endless) {
    const unit = beginning.endsWith('\r\n') ? '\r\n' : '0';
    const all = Buffer.from(beginning + unit.repeat(20_000), 'latin1');
    const before = process.hrtime.bigint();
    readRequests(cut(all, ...all.keys()), { ...LIMITS, head: 4096, target: 2048 });
    const seconds = Number(process.hrtime.bigint() - before) / 1e9;
    assert.ok(seconds < 20, `${JSON.stringify(beginning)} took ${seconds} s`);
  }
});

test('a field section that never ends is given up at its limit', () => {
  const reader = new LineReader('head-too-large');
  const fields_ = new Fields();
  let held = Buffer.alloc(0);
  let outcome = MORE;
  while (outcome === MORE) {
    held = Buffer.concat([held, Buffer.from('X: y\r\n')]);
    assert.ok(held.length < 1100, 'not given up');
    outcome = reader.read(held, 0, held.length, 1000, Infinity, fields_);
  }
  assert.deepEqual([outcome, reader.error], [FAILED, 'head-too-large']);
});
