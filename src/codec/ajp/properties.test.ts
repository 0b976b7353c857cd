/** What holds for any request, any way of asking for its body, and any bytes of a container. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  endResponse,
  forwardedOf,
  fromContainer,
  getBody,
  packetsOf,
  sendBody,
  sendHeaders,
  string,
  word,
} from '../../../test/support/ajp.ts';
import { anyTarget, fieldLines, offsets, pieces } from '../../../test/support/arbitrary.ts';
import { exchangeOf } from '../../../test/support/exchange.ts';
import { cut } from '../../../test/support/http1.ts';
import { requestOf } from '../../../test/support/request.ts';
import { asker, converse, feed, Heard, Sent, TARGET } from '../../../test/support/session.ts';
import type { Request } from '../../core/request.ts';
import { ajp } from './ajp.ts';
import { REQUEST_HEADER_CODES } from './codes.ts';
import type { AjpSession } from './session.ts';

const LIMITS = { head: 4096, fields: 20 };
const OPTIONS = ajp.options.parse({});
const OWN = ['host', 'content-length', 'transfer-encoding', 'expect', 'connection'];

const make = (sent: Sent): AjpSession => ajp.create(OPTIONS, sent, LIMITS);
const names = new Map([...REQUEST_HEADER_CODES].map(([name, code]) => [code.toString(16), name]));

test('any request arrives as it was: every field, in order, and no attribute of its own', () => {
  const property = fc.property(anyTarget, fieldLines, (target, fields) => {
    const lines = fields.map(([name, value]) => `${name}: ${value}`);
    const exchange = exchangeOf({}, `GET ${target} HTTP/1.1`, 'Host: a', ...lines);
    const sent = new Sent();
    const opened = make(sent).open(exchange.request, TARGET, new Heard(), exchange);
    const packets = packetsOf(sent.take());
    if (opened === 'head-too-large-for-origin') return assert.equal(packets.length, 0);
    assert.deepEqual([opened, packets.length], [0, 1]);
    const got = forwardedOf(packets[0]);
    const [path = '', ...query] = target.split('?');
    assert.equal(got.uri, path);
    const { '0a AJP_REMOTE_PORT': port, '05': asked, ...others } = got.attributes;
    assert.deepEqual([port, asked, others], ['40000', target.includes('?') ? query.join('?') : undefined, {}]);
    const wanted = fields.filter(([name]) => !OWN.includes(name.toLowerCase()));
    const plain = got.fields.map(([name, value]) => [(names.get(name) ?? name).toLowerCase(), value]);
    assert.deepEqual(plain, [['host', 'a'], ...wanted.map(([name, value]) => [name.toLowerCase(), value])]);
    return undefined;
  });
  fc.assert(property, { numRuns: 500 });
});

/** A body that comes in and is asked for, in any order. */
const step = fc.oneof(
  fc.nat(20_000).map((size) => ({ body: size })),
  fc.constantFrom(0, 1, 100, 8186, 65_535).map((asks) => ({ asks })),
);

test('a body comes over whole and in order, however it comes in and is asked for; never unasked, never more than was asked for', () => {
  const property = fc.property(fc.array(step, { maxLength: 12 }), fc.boolean(), (steps, stated) => {
    const size = steps.reduce((sum, one) => sum + ('body' in one ? one.body : 0), 0);
    const body = Buffer.from(Uint8Array.from({ length: size }, (_, i) => i % 251));
    const request = requestOf('POST / HTTP/1.1', 'Host: a');
    Object.assign(request, stated && size > 0 ? { framing: 'length', length: size } : { framing: 'chunked' });
    const sent = new Sent();
    const session = make(sent);
    const heard = new Heard();
    session.open(request, TARGET, heard, asker());
    packetsOf(sent.take());
    const got: Buffer[] = [];
    // The first piece of a body with a length comes unasked, and fills a packet.
    let [given, allowed, most, ended] = [0, stated && size > 0 ? 1 : 0, 8186, false];
    const take = (): void => {
      for (const packet of packetsOf(sent.take())) {
        assert.ok(allowed-- > 0, 'a packet that nobody asked for');
        assert.equal(ended, false, 'something after the end');
        assert.ok(packet.length - 2 <= most, `${packet.length} bytes where ${most} may be`);
        ended = packet.length === 0;
        if (!ended) assert.equal(packet.readUInt16BE(0), packet.length - 2);
        if (!ended) got.push(packet.subarray(2));
      }
    };
    for (const one of steps) {
      if ('body' in one) session.body(0, body, given, (given += one.body));
      else {
        // A container asks again when it has got what it asked for.
        if (allowed > 0) continue;
        allowed++;
        most = one.asks === 0 ? 8186 : Math.min(one.asks, 8186);
        feed(session, getBody(one.asks));
      }
      take();
    }
    session.end();
    take();
    for (let i = 0; i < size + 2 && !ended; i++) {
      if (allowed === 0) {
        allowed++;
        most = 8186;
        feed(session, getBody(8186));
      }
      take();
    }
    assert.ok(Buffer.concat(got).equals(body), 'the body');
    assert.ok(ended && !session.holding);
    feed(session, Buffer.concat([sendHeaders(204), endResponse()]));
    assert.deepEqual([heard.events, session.reusable], [['answer 204 No Content (none)', 'end'], true]);
  });
  fc.assert(property, { numRuns: 300 });
});

/** A conversation without fault: an upload, an interim answer, coded fields and others, a body in two packets. */
const GOOD = Buffer.concat([
  getBody(5),
  fromContainer(Buffer.of(4), word(103), string('Early Hints'), word(1), string('Link'), string('</a>')),
  fromContainer(
    ...[Buffer.of(4), word(200), string('OK'), word(3), word(0xa003), string('8')],
    ...[word(0xa007), string('a=b'), string('X-Odd'), string('caf\xe9')],
  ),
  sendBody('hell'),
  getBody(5),
  sendBody('o you'.slice(0, 4)),
  endResponse(),
]);

const upload = (): Request =>
  Object.assign(requestOf('POST / HTTP/1.1', 'Host: a'), { framing: 'length', length: 10 } as const);

function outcome(all: readonly Buffer[]): object {
  const sent = new Sent();
  const session = make(sent);
  const heard = converse(session, upload(), all, { eof: true, body: '0123456789' });
  const ends = heard.events.filter((event) => /^(?:end|error)/.test(event));
  assert.equal(ends.length, 1, heard.events.join());
  assert.match(heard.events.at(-1) ?? '', /^(?:end|error)/, 'nothing follows the end');
  assert.equal(session.reusable, false, 'its connection has ended');
  return { ...heard.all, sent: sent.take().toString('latin1') };
}

test('a conversation without fault', () => {
  const heard = converse(make(new Sent()), upload(), [GOOD], { body: '0123456789' });
  assert.deepEqual(heard.events, ['interim 103 Early Hints', 'answer 200 OK (length=8)', 'end']);
  assert.equal(heard.content, 'hello yo');
});

test('with any bytes changed: one result for every split, and no exception', () => {
  const change = fc.tuple(fc.nat(GOOD.length - 1), fc.integer({ min: 0, max: 255 }));
  const property = fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), offsets, (changes, cuts) => {
    const bad = Buffer.from(GOOD);
    for (const [at, byte] of changes) bad[at] = byte;
    const whole = outcome([bad]);
    assert.deepEqual(outcome(cut(bad, ...cuts)), whole);
    assert.deepEqual(outcome(cut(bad, ...bad.keys())), whole, 'byte by byte');
  });
  fc.assert(property, { numRuns: 1500 });
});

test('with packets dropped, doubled and out of order, and with any others: the same', () => {
  const packets = [
    getBody(3),
    sendHeaders(200),
    sendHeaders(103),
    sendBody('abc'),
    sendBody(''),
    endResponse(),
    endResponse(false),
  ];
  const property = fc.property(
    fc.array(fc.constantFrom(...packets), { maxLength: 10 }),
    pieces,
    offsets,
    (some, junk, cuts) => {
      const all = Buffer.concat([...some, ...junk]);
      assert.deepEqual(outcome(cut(all, ...cuts)), outcome([all]));
    },
  );
  fc.assert(property, { numRuns: 1500 });
});

test('interim answers without end are no answer', () => {
  const heard = converse(
    make(new Sent()),
    upload(),
    Array.from({ length: 1000 }, () => sendHeaders(103)),
    { body: '' },
  );
  assert.deepEqual([heard.events.length, heard.events.at(-1)], [65, 'error bad-answer']);
});
