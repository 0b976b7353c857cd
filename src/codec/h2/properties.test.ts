/** What holds for any bytes: the same events however they are cut, and nothing an origin sends gets further than it may. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Client, data, fieldsOf, frame, headers, settings, word } from '../../../test/support/h2.ts';
import { cut } from '../../../test/support/http1.ts';

const LIMITS = { head: 2000, fields: 20 };
const WINDOW = 65_536;

/** A client with three requests on their way: a GET, one that uploads, a HEAD. */
function busy(): Client {
  const client = new Client({ window: WINDOW }, LIMITS);
  client.ask();
  const upload = client.ask('POST / HTTP/1.1', { framing: 'chunked' });
  client.body(upload, 'x'.repeat(100_000));
  client.ask('HEAD / HTTP/1.1');
  return client;
}

/** All that became of these bytes. */
function outcome(pieces: readonly Buffer[]): object {
  const client = busy();
  client.hear(...pieces);
  client.session.eof();
  const { requests, replies } = client.out;
  const sent = [...requests].map(([id, { body, ended }]) => [id, body.length, ended]);
  for (const heard of client.heard) {
    const ends = heard.events.filter((event) => /^(?:end|error)/.test(event));
    assert.equal(ends.length, 1, heard.events.join(', '));
    assert.match(heard.events.at(-1) ?? '', /^(?:end|error)/, 'nothing follows the end');
    assert.ok(heard.content.length === 0 || heard.events.some((event) => event.startsWith('answer')));
  }
  assert.ok(client.session.reusable === false);
  return { heard: client.heard.map((one) => one.all), replies, sent };
}

const stream = fc.constantFrom(1, 3, 5, 1, 3, 5, 0, 2, 7);
const flags = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 4, 5) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
);
const list = fc
  .array(
    fc.tuple(
      fc.constantFrom(':status', 'a', 'content-length', 'set-cookie', 'Big', 'connection', 'grpc-status'),
      fc.constantFrom('200', '204', '103', '304', '0', '5', 'x'.repeat(900), 'a\nb'),
    ),
    { maxLength: 4 },
  )
  .map(fieldsOf);
const status = fc.constantFrom('200', '200', '204', '103', '404').map((code) => fieldsOf([[':status', code]]));
const anyFrame = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(stream, fc.constantFrom('200', '103', '404'), fc.boolean())
      .map(([id, code, ends]) => headers(id, { ':status': code }, ends)),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(stream, fc.nat(2000), fc.boolean())
      .map(([id, size, ends]) => data(id, Buffer.alloc(size, 0x61), ends)),
  },
  fc
    .tuple(fc.constantFrom('HEADERS', 'CONTINUATION'), flags, stream, fc.oneof(list, status))
    .map(([type, some, id, block]) => frame(type, some, id, block)),
  fc
    .tuple(flags, stream, fc.uint8Array({ maxLength: 40 }))
    .map(([some, id, bytes]) => frame('HEADERS', some, id, Buffer.from(bytes))),
  fc.tuple(stream, fc.constantFrom(0, 1, 7, 8, 13)).map(([id, code]) => frame('RST_STREAM', 0, id, word(code))),
  fc
    .tuple(fc.constantFrom(0, 1, 3, 5, 0x7fffffff), fc.constantFrom(0, 2))
    .map(([last, code]) => frame('GOAWAY', 0, 0, word(last, code))),
  fc
    .tuple(stream, fc.constantFrom(0, 1, 50_000, 0x7fffffff))
    .map(([id, more]) => frame('WINDOW_UPDATE', 0, id, word(more))),
  fc
    .constantFrom({ streams: 1 }, { window: 0 }, { window: 100_000 }, { table: 0, head: 10 }, { connect: 1 }, { 9: 9 })
    .map((one) => settings(one)),
  fc.constantFrom(
    frame('PING', 0, 0, '12345678'),
    frame('SETTINGS', 1, 0),
    frame(77, 3, 1, 'xx'),
    frame('PRIORITY', 0, 1, 'aaaaa'),
  ),
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: 12 }), flags, stream, fc.uint8Array({ maxLength: 30 }))
      .map(([type, some, id, bytes]) => frame(type, some, id, Buffer.from(bytes))),
  },
);
const offsets = fc.array(fc.nat(4000), { maxLength: 10 });

test('any frames, however they are cut: the same events, each exchange ends once, and no exception', () => {
  const property = fc.property(fc.array(anyFrame, { maxLength: 14 }), offsets, (frames, cuts) => {
    const all = Buffer.concat([settings(), ...frames]);
    const whole = outcome([all]);
    assert.deepEqual(outcome(cut(all, ...cuts)), whole);
    if (all.length < 300) assert.deepEqual(outcome(cut(all, ...all.keys())), whole, 'byte by byte');
  });
  fc.assert(property, { numRuns: 1500 });
});

/** A conversation without fault. */
const GOOD: readonly Buffer[] = [
  settings({ streams: 10, window: 20_000 }),
  frame('SETTINGS', 1, 0),
  headers(1, { ':status': '103', link: 'a' }),
  headers(1, { ':status': '200', 'content-length': '10', server: 'x' }),
  frame('WINDOW_UPDATE', 0, 0, word(50_000)),
  data(1, 'hello'),
  headers(3, { ':status': '200', 'content-type': 'application/grpc' }),
  frame('PING', 0, 0, '12345678'),
  frame('DATA', 9, 1, '\x03world\0\0\0'),
  frame('WINDOW_UPDATE', 0, 3, word(50_000)),
  data(3, 'x'.repeat(300)),
  frame('HEADERS', 0, 5, fieldsOf([[':status', '200']])),
  frame('CONTINUATION', 4, 5, fieldsOf([['content-length', '7']])),
  data(5, '', true),
  headers(3, { 'grpc-status': '0' }, true),
];

test('a conversation without fault', () => {
  const client = busy().hear(...GOOD);
  assert.deepEqual(
    [0, 1, 2].map((id) => client.heard[id]?.events),
    [
      ['interim 103 Early Hints', 'answer 200 OK (length=10)', 'end'],
      ['answer 200 OK (chunked)', 'end with grpc-status: 0\r\n'],
      ['answer 200 OK (none)', 'end'],
    ],
  );
  assert.equal(client.session.reusable, true);
});

test('with any bytes changed: one result for every split, and no exception', () => {
  const good = Buffer.concat(GOOD);
  const change = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }));
  const property = fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), offsets, (changes, cuts) => {
    const bad = Buffer.from(good);
    for (const [at, byte] of changes) bad[at] = byte;
    assert.deepEqual(outcome(cut(bad, ...cuts)), outcome([bad]));
  });
  fc.assert(property, { numRuns: 2500 });
});

test('with frames dropped, doubled and out of order: the same', () => {
  const index = fc.nat(GOOD.length - 1);
  const move = fc.record({ what: fc.constantFrom('drop', 'double', 'swap'), one: index, other: index });
  const property = fc.property(fc.array(move, { minLength: 1, maxLength: 5 }), offsets, (moves, cuts) => {
    const frames = [...GOOD];
    for (const { what, one, other } of moves) {
      if (one >= frames.length || other >= frames.length) continue;
      if (what === 'drop') frames.splice(one, 1);
      else if (what === 'double') frames.splice(other, 0, frames[one]);
      else [frames[one], frames[other]] = [frames[other], frames[one]];
    }
    const all = Buffer.concat(frames);
    assert.deepEqual(outcome(cut(all, ...cuts)), outcome([all]));
  });
  fc.assert(property, { numRuns: 1500 });
});

test('aborts at any moment leave the others as they are', () => {
  const property = fc.property(fc.integer({ min: 1, max: GOOD.length }), fc.subarray([0, 1, 2]), (at, aborted) => {
    const client = busy().hear(...GOOD.slice(0, at));
    const before = aborted.map((id) => [...client.events(id)]);
    for (const id of aborted) client.session.abort(id);
    client.hear(...GOOD.slice(at));
    for (const [i, id] of aborted.entries()) assert.deepEqual(client.events(id), before[i]);
    for (const id of [0, 1, 2]) if (!aborted.includes(id)) assert.equal(client.heard[id]?.ended, true);
    assert.equal(client.session.reusable, true);
    const next = client.ask();
    client.hear(headers(7, { ':status': '204' }, true));
    assert.equal(client.heard[next]?.ended, true);
  });
  fc.assert(property, { numRuns: 200 });
});

test('a peer that never ends makes nothing grow', () => {
  const floods: readonly (readonly [string, () => Buffer])[] = [
    ['pings', () => frame('PING', 0, 0, '12345678')],
    ['settings', () => settings({ window: 1 })],
    ['unknown frames', () => frame(99, 0, 0, Buffer.alloc(1000))],
    ['updates', () => frame('WINDOW_UPDATE', 0, 0, word(1))],
    ['interim answers', () => headers(1, { ':status': '103', a: 'b'.repeat(1000) })],
    ['empty data', () => data(1, '')],
    ['resets', () => frame('RST_STREAM', 0, 1, word(8))],
    ['goaways', () => frame('GOAWAY', 0, 0, Buffer.concat([word(5, 0), Buffer.alloc(1000)]))],
    ['priorities', () => frame('PRIORITY', 0, 1, 'aaaaa')],
    ['parts of heads', () => frame('HEADERS', 0, 1, Buffer.alloc(10_000, 0x82))],
  ];
  for (const [name, make] of floods) {
    const client = busy().hear(settings(), headers(3, { ':status': '200' }));
    let written = 0;
    let sent = 0;
    for (; sent < 20_000 && client.session.reusable; sent++) {
      client.hear(make());
      written += client.sent.take().length;
    }
    if (name !== 'goaways') assert.ok(sent < 20_000, name);
    assert.ok(written < 400_000, `${name}: ${written} bytes written for nothing`);
  }
});
