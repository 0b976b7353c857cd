import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { exchangeOf } from '../../../test/support/exchange.ts';
import { type ReadRecord, readRecords, record, Sent, targetOf, TYPES } from '../../../test/support/fastcgi.ts';
import { values } from '../../../test/support/fastcgi-application.ts';
import { cut } from '../../../test/support/http1.ts';
import { Heard } from '../../../test/support/session.ts';
import type { Learned } from '../codec.ts';
import { SharedFastCgiSession } from './shared-session.ts';
import { requestsAtOnce } from './values.ts';

const LIMITS = { head: 8192, fields: 50 };

interface Stage {
  readonly session: SharedFastCgiSession;
  readonly sent: Sent;
  readonly learned: Learned;
  /** Opens an exchange; its id is the next one that is free. */
  open(upload?: boolean): { id: number; heard: Heard };
  receive(...pieces: readonly Buffer[]): void;
  /** What was sent since the last call. */
  news(): ReadRecord[];
}

function stage(learned: Learned = { slots: 10 }): Stage {
  const sent = new Sent();
  const session = new SharedFastCgiSession(sent, LIMITS, learned);
  let seen = 0;
  return {
    session,
    sent,
    learned,
    open(upload = false) {
      const exchange = exchangeOf({}, `${upload ? 'POST' : 'GET'} / HTTP/1.1`, 'Host: a');
      if (upload) exchange.request.framing = 'chunked';
      const heard = new Heard();
      const id = session.open(exchange.request, targetOf(), heard, exchange);
      if (typeof id === 'string') return assert.fail(id);
      return { id, heard };
    },
    receive(...pieces) {
      for (const piece of pieces) {
        // Somewhere in a larger memory, which is overwritten after the call, as read buffers are.
        const memory = Buffer.alloc(piece.length + 12, 0x3a);
        piece.copy(memory, 5);
        session.receive(memory, 5, 5 + piece.length);
        memory.fill(0x58);
      }
    },
    news() {
      const { records, used } = readRecords(sent.all);
      assert.equal(used, sent.all.length, 'whole records');
      const fresh = records.slice(seen);
      seen = records.length;
      return fresh;
    },
  };
}

const out = (id: number, text: string | Buffer, padding = 0): Buffer => record(TYPES.stdout, text, padding, id);
const end = (id: number, status = 0, padding = 0): Buffer => {
  const content = Buffer.alloc(8);
  content[4] = status;
  return record(TYPES.end, content, padding, id);
};
const kinds = (records: readonly ReadRecord[]): string[] => records.map(({ type, id }) => `${type}:${id}`);

describe('several requests on a connection', () => {
  test('each has its own id, the lowest that is free, in all its records', () => {
    const { session, open, news, receive } = stage();
    assert.deepEqual([open().id, open(true).id, open().id], [1, 2, 3]);
    session.body(2, Buffer.from('..body..'), 2, 6);
    session.end(2);
    const sent = news();
    for (const id of [1, 2, 3]) {
      const types = sent.filter((one) => one.id === id).map(({ type }) => type);
      const body = id === 2 ? [TYPES.stdin] : [];
      assert.deepEqual(types, [TYPES.begin, TYPES.params, TYPES.params, ...body, TYPES.stdin]);
    }
    assert.equal(sent.find(({ id, type }) => id === 2 && type === TYPES.stdin)?.content.latin1Slice(), 'body');
    // All are to be kept.
    assert.ok(sent.filter(({ type }) => type === TYPES.begin).every(({ content }) => content[2] === 1));
    receive(out(2, 'A: b\n\n'), end(2));
    assert.equal(open().id, 2);
  });

  test('answers in any order and in any pieces', () => {
    const texts = ['one', 'two', 'three'];
    const property = fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 1, max: 9 }), fc.nat(7)), { maxLength: 30 }),
      fc.array(fc.nat(600), { maxLength: 6 }),
      (turns, at) => {
        const { session, open, receive } = stage();
        const heard = texts.map(() => open().heard);
        const left = texts.map((text) => `Content-Type: text/plain\n\n${text}`);
        const records: Buffer[] = [];
        for (const [which, length, padding] of turns) {
          const piece = left[which].slice(0, length);
          left[which] = left[which].slice(length);
          if (piece !== '') records.push(out(which + 1, piece, padding));
          records.push(record(TYPES.stderr, '', 0, which + 1));
        }
        for (const [i, rest] of left.entries()) if (rest !== '') records.push(out(i + 1, rest));
        for (const i of [1, 0, 2]) records.push(end(i + 1, 0, i));
        receive(...cut(Buffer.concat(records), ...at));
        for (const [i, one] of heard.entries()) {
          assert.deepEqual([one.content, one.ended, one.error], [texts[i], true, '']);
        }
        assert.deepEqual([session.reusable, session.slots], [true, 10]);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  test('whatever comes: no exception, each exchange ends at most once, and the end of the connection ends all', () => {
    const shards = [
      out(1, 'A: b\n\nabc', 3),
      out(2, 'Content-Length: 3\n\nabcdef'),
      out(2, 'no head'),
      out(3, `A: ${'x'.repeat(9000)}`),
      out(1, ''),
      record(TYPES.stderr, 'oops\n', 0, 2),
      end(1),
      end(2, 2),
      end(3, 1, 5),
      end(9),
      out(4, 'x'),
      record(TYPES.end, 'short', 0, 1),
      values({ FCGI_MPXS_CONNS: '1' }),
      record(TYPES.unknown, '12345678', 0, 0),
      Buffer.from('HTTP/1.1 400 No\r\n\r\n'),
      Buffer.from([1, 6, 0, 1, 255, 255, 255, 0]),
    ];
    const property = fc.property(
      fc.array(fc.constantFrom(...shards), { maxLength: 8 }),
      fc.array(fc.nat(400), { maxLength: 4 }),
      fc.option(fc.integer({ min: 1, max: 3 })),
      (soup, at, aborted) => {
        const outcome = (...places: number[]): unknown => {
          const { session, open, receive } = stage({});
          const heard = [open(), open(true), open()].map((one) => one.heard);
          if (aborted !== null) session.abort(aborted);
          receive(...cut(Buffer.concat(soup), ...places));
          session.eof();
          session.eof();
          for (const [i, { ended, error }] of heard.entries()) {
            if (i + 1 !== aborted) assert.equal(Number(ended) + Number(error !== ''), 1);
            else assert.deepEqual([ended, error], [false, '']);
          }
          assert.equal(session.reusable, false);
          return heard.map(({ events, content, error }) => [events, content, error]);
        };
        assert.deepEqual(outcome(...at), outcome());
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  test('with any bytes changed: one result for every split, no exception, and each exchange ends once', () => {
    const good = Buffer.concat([
      out(2, 'Status: 404\nContent-', 3),
      out(1, 'A: b\n\nabc'),
      record(TYPES.stderr, 'note\n', 1, 3),
      out(2, 'Length: 2\n\nhi'),
      end(2),
      out(3, 'Location: /x\n\n'),
      end(1, 0, 5),
      end(3),
    ]);
    const change = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }));
    const changes = fc.array(change, { minLength: 1, maxLength: 3 });
    const property = fc.property(changes, fc.array(fc.nat(400), { maxLength: 4 }), (some, at) => {
      const bad = Buffer.from(good);
      for (const [index, byte] of some) bad[index] = byte;
      const outcome = (...places: number[]): unknown => {
        const { session, open, receive } = stage();
        const heard = [open(), open(true), open()].map((one) => one.heard);
        receive(...cut(bad, ...places));
        session.eof();
        for (const { ended, error } of heard) assert.equal(Number(ended) + Number(error !== ''), 1);
        assert.equal(session.reusable, false);
        return heard.map(({ all, notes }) => [all, notes]);
      };
      const whole = outcome();
      assert.deepEqual(outcome(...at), whole);
      assert.deepEqual(outcome(...bad.keys()), whole, 'byte by byte');
    });
    fc.assert(property, { numRuns: 800 });
  });

  test('given up: the application is told, the rest goes nowhere, and the id waits for its end', () => {
    const { session, open, receive, news } = stage({ slots: 2 });
    const [a, b] = [open(), open()];
    news();
    session.abort(a.id);
    session.abort(a.id);
    assert.deepEqual(kinds(news()), [`${TYPES.abort}:1`]);
    assert.equal(session.slots, 1);
    receive(out(1, 'A: b\n\nlate'), out(2, 'A: b\n\nb'));
    assert.deepEqual([a.heard.events, a.heard.content, b.heard.content], [[], '', 'b']);
    assert.equal(open().id, 3);
    receive(end(1), end(2));
    assert.deepEqual([session.slots, session.reusable, open().id], [2, true, 1]);
  });

  test('an answer that is none fails alone, and its request is given up', () => {
    const { session, open, receive, news } = stage();
    const [a, b] = [open(), open()];
    news();
    receive(out(1, 'no head\n\nand no body', 5), out(2, 'A: b\n\nfine'));
    assert.deepEqual([a.heard.error, b.heard.content], ['bad-answer', 'fine']);
    assert.deepEqual(kinds(news()), [`${TYPES.abort}:1`]);
    receive(out(1, 'more'), end(1), end(2));
    assert.deepEqual([b.heard.ended, session.reusable], [true, true]);
    const next = open();
    receive(out(1, 'A: b\n\nnext'), end(1));
    assert.deepEqual([next.id, next.heard.content, next.heard.ended], [1, 'next', true]);
  });

  test('more than was stated is not waited for, and the id not used before its end', () => {
    const { session, open, receive, news } = stage();
    const { heard } = open(true);
    news();
    receive(out(1, 'Content-Length: 1\n\na'), out(1, Buffer.alloc(65_000)), out(1, Buffer.alloc(1000)));
    assert.deepEqual([heard.ended, heard.content], [true, 'a']);
    session.abort(1);
    assert.deepEqual(kinds(news()), [`${TYPES.abort}:1`]);
    assert.equal(open().id, 2);
    receive(end(1));
    assert.equal(open().id, 1);
  });

  test('an answer before the end of its request keeps the id until that is over, and sends none of the rest', () => {
    const { session, open, receive, news } = stage();
    const { heard } = open(true);
    receive(out(1, 'Status: 413\n\n'), end(1));
    assert.equal(heard.ended, true);
    assert.equal(open().id, 2);
    news();
    session.body(1, Buffer.from('late'), 0, 4);
    session.end(1);
    assert.deepEqual(news(), []);
    assert.equal(open().id, 1);
  });

  test('a record of a request that is over: nobody gets it, those under way finish, and nobody new comes', () => {
    const { session, open, receive } = stage();
    const { heard } = open();
    receive(out(7, 'stray', 4), out(1, 'A: b\n\nok'), end(1));
    assert.deepEqual([heard.content, heard.ended, session.reusable], ['ok', true, false]);
  });

  test('slow readers of one connection: up to 1 MiB for all, then it is full until one reads on or leaves', () => {
    const { session, open, receive } = stage();
    const heard = [open(), open(), open()].map((one) => one.heard);
    receive(out(1, 'A: b\n\n'), out(2, 'A: b\n\n'), out(3, 'A: b\n\n'));
    session.pause(1);
    session.pause(2);
    const piece = Buffer.alloc(32_768);
    for (let i = 0; i < 64; i++) receive(out(3, piece));
    assert.equal(session.full, false, 'who reads counts for nothing');
    for (let i = 0; i < 16; i++) receive(out(1, piece), out(2, piece));
    assert.equal(session.full, false);
    receive(out(2, 'x'));
    assert.equal(session.full, true);
    session.resume(1);
    assert.equal(session.full, false);
    for (let i = 0; i < 40; i++) receive(out(2, piece));
    assert.equal(session.full, true);
    session.abort(2);
    assert.equal(session.full, false);
    assert.deepEqual(
      heard.map(({ content }) => content.length),
      [16 * 32_768, 56 * 32_768 + 1, 64 * 32_768],
    );
  });
});

describe('what the application takes', () => {
  const TABLE: readonly (readonly [Readonly<Record<string, string>>, number])[] = [
    [{ FCGI_MPXS_CONNS: '1', FCGI_MAX_REQS: '50' }, 50],
    [{ FCGI_MAX_REQS: '50', FCGI_MPXS_CONNS: '1', FCGI_MAX_CONNS: '7', MORE: '' }, 50],
    [{ FCGI_MPXS_CONNS: '1' }, 100],
    [{ FCGI_MPXS_CONNS: '1', FCGI_MAX_REQS: 'many' }, 100],
    [{ FCGI_MPXS_CONNS: '1', FCGI_MAX_REQS: '999999999' }, 1000],
    [{ FCGI_MPXS_CONNS: '1', FCGI_MAX_REQS: '0' }, 1],
    [{ FCGI_MPXS_CONNS: '0', FCGI_MAX_REQS: '50' }, 1],
    [{ FCGI_MPXS_CONNS: 'yes' }, 1],
    [{}, 1],
  ];

  for (const [told, slots] of TABLE) {
    test(`${JSON.stringify(told)}: ${slots}`, () => {
      assert.equal(requestsAtOnce(values(told).subarray(8)), slots);
    });
  }

  test('an answer that is cut off, or no pairs at all', () => {
    const whole = values({ FCGI_MPXS_CONNS: '1', FCGI_MAX_REQS: '50' }).subarray(8);
    for (let i = 0; i < whole.length; i++) {
      const slots = requestsAtOnce(whole.subarray(0, i));
      assert.ok(slots === 1 || slots === 100, `${slots} at ${i}`);
    }
    for (const bytes of [[0xff], [0xff, 0xff, 0xff, 0xff, 1], [0x80, 0, 0], [3, 0x80]]) {
      assert.equal(requestsAtOnce(Buffer.from(bytes)), 1);
    }
  });

  test('it is asked after its first whole answer, by one connection, which takes nothing until it has said', () => {
    const learned: Learned = {};
    const one = stage(learned);
    const other = stage(learned);
    assert.deepEqual([one.session.slots, other.session.slots], [1, 1]);
    for (const { open, news } of [one, other]) {
      open();
      news();
    }
    one.receive(out(1, 'A: b\n\n'), end(1));
    assert.deepEqual(kinds(one.news()), [`${TYPES.getValues}:0`]);
    other.receive(out(1, 'A: b\n\n'), end(1));
    assert.deepEqual(kinds(other.news()), []);
    assert.deepEqual([one.session.slots, other.session.slots], [0, 1]);
    one.receive(...cut(values({ FCGI_MPXS_CONNS: '1', FCGI_MAX_REQS: '5' }), 3, 9, 20));
    assert.deepEqual([one.session.slots, other.session.slots, one.session.reusable], [5, 5, true]);
  });

  test('an application that does not know the question takes one', () => {
    const { session, open, receive } = stage({});
    open();
    receive(out(1, 'A: b\n\n'), end(1));
    assert.equal(session.slots, 0);
    receive(record(TYPES.unknown, Buffer.from([TYPES.getValues, 0, 0, 0, 0, 0, 0, 0]), 0, 0));
    assert.equal(session.slots, 1);
  });

  test('one that failed is not asked', () => {
    const { open, receive, news } = stage({});
    open();
    news();
    receive(end(1, 2));
    assert.deepEqual(kinds(news()), []);
  });

  test('CANT_MPX_CONN: it takes one, and this connection nobody new', () => {
    const { session, open, receive, learned } = stage();
    const [a, b] = [open(), open()];
    receive(end(2, 1), out(1, 'A: b\n\n'), end(1));
    assert.deepEqual(
      [b.heard.error, a.heard.ended, session.reusable, learned.slots],
      ['origin-overloaded', true, false, 1],
    );
  });

  test('CANT_MPX_CONN from one that had the connection to itself is what it is: overloaded', () => {
    const { session, open, receive, learned } = stage();
    const { heard } = open();
    receive(end(1, 1));
    assert.deepEqual([heard.error, session.reusable, learned.slots], ['origin-overloaded', true, 10]);
  });
});
