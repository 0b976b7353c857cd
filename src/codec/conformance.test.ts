/** What every codec of the list has to do, whatever it speaks. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exchangeOf } from '../../test/support/exchange.ts';
import { Sent, targetOf } from '../../test/support/fastcgi.ts';
import type { AnswerSink } from '../core/answer.ts';
import type { CodecKind, CodecSession } from './codec.ts';
import { codecs } from './index.ts';

const LIMITS = { head: 8192, fields: 50 };
const kinds: readonly CodecKind[] = codecs;

function sinkInto(events: string[]): AnswerSink {
  return {
    interim: () => void events.push('interim'),
    head: () => void events.push('head'),
    body: () => {},
    end: () => void events.push('end'),
    flush: () => true,
    fail: (code) => void events.push(code),
  };
}

function make(kind: CodecKind, sent = new Sent()): CodecSession {
  return kind.create(kind.options.parse({}), sent, LIMITS);
}

function ask(session: CodecSession, events: string[], method = 'GET'): void {
  const exchange = exchangeOf({}, `${method} / HTTP/1.1`, 'Host: a');
  if (method === 'POST') Object.assign(exchange.request, { framing: 'length', length: 5 });
  const opened = session.open(exchange.request, { ...targetOf(), program: '/bin/app' }, sinkInto(events), exchange);
  assert.equal(typeof opened, 'number');
}

const GARBAGE = [
  Buffer.alloc(100),
  Buffer.alloc(100_000, 0xff),
  Buffer.from('\r\n\r\n'),
  Buffer.from([1, 99, 0, 1, 0, 0, 0, 0]),
];

test('no scheme has two codecs', () => {
  const schemes = kinds.flatMap((kind) => kind.schemes);
  assert.equal(new Set(schemes).size, schemes.length);
});

for (const kind of kinds) {
  describe(kind.name, () => {
    test('nothing is said before it is asked', () => {
      const sent = new Sent();
      const session = make(kind, sent);
      assert.deepEqual([session.reusable, session.slots >= 1, sent.parts.length], [true, true, 0]);
    });

    test('a request leaves with everything that there is of it', () => {
      const sent = new Sent();
      const session = make(kind, sent);
      ask(session, [], 'POST');
      session.body(0, Buffer.from('..hello..'), 2, 7);
      session.end(0, '');
      assert.ok(sent.all.includes('hello') && !sent.all.includes('..hello'));
    });

    test('bytes nobody asked for rule out another exchange', () => {
      for (const bytes of GARBAGE) {
        const session = make(kind);
        session.receive(bytes, 0, bytes.length);
        assert.equal(session.reusable, false);
      }
    });

    test('whatever comes, an exchange ends once, and the end of the connection ends it', () => {
      for (const bytes of GARBAGE) {
        const events: string[] = [];
        const session = make(kind);
        ask(session, events);
        for (let i = 0; i < bytes.length; i++) session.receive(bytes, i, i + 1);
        session.eof();
        session.eof();
        assert.equal(events.filter((event) => event !== 'interim' && event !== 'head').length, 1, events.join());
        assert.equal(session.reusable, false);
      }
    });

    test('after an abort the sink hears nothing', () => {
      const events: string[] = [];
      const session = make(kind);
      ask(session, events);
      session.abort(0);
      for (const bytes of GARBAGE) session.receive(bytes, 0, bytes.length);
      session.eof();
      assert.deepEqual([events, session.reusable], [[], false]);
    });
  });
}
