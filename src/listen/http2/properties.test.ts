/** What holds for any bytes of a client: the same requests however they are cut, and no exchange lost, whatever comes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { manualClock } from '../../../test/support/clock.ts';
import { clientOf } from '../../../test/support/exchange.ts';
import { data, fieldsOf, frame, FrameLog, headers, MAGIC, settings, word } from '../../../test/support/h2.ts';
import { cut } from '../../../test/support/http1.ts';
import type { Exchange } from '../../core/exchange.ts';
import { Request } from '../../core/request.ts';
import { Wheel } from '../../core/wheel.ts';
import type { WireLike, WireOwner } from '../../core/wire.ts';
import { DateLine } from '../answer-writer.ts';
import type { ConnectionHost } from '../host.ts';
import { Http2Connection } from './connection.ts';

const limits = {
  head: 2000,
  fields: 20,
  target: 500,
  underscores: false,
  body: 100_000,
  requests: 1000,
  connections: 100,
  connectionsPerAddress: Infinity,
  streams: 5,
  streamWindow: 65_536,
  window: 65_536,
};
const timeouts = { head: 5000, body: 5000, write: 5000, keepAlive: 5000, tunnel: 5000 };

/** The socket's side, which takes everything at once. */
class Sink implements WireLike {
  dead = false;
  bulk = false;
  owner: WireOwner | null = null;
  readonly queued = 0;
  sent: Buffer[] = [];
  text(text: string): void {
    this.sent.push(Buffer.from(text, 'latin1'));
  }
  bytes(buffer: Buffer, start: number, end: number): void {
    this.sent.push(Buffer.from(buffer.subarray(start, end)));
  }
  adopt(owner: WireOwner): void {
    this.owner = owner;
  }
  flush(): boolean {
    return true;
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  finish(): void {
    this.dead = true;
  }
  destroy(): void {
    this.dead = true;
  }
}

/** A client's connection; requests are answered when their bodies have ended, with what they were. */
class Talk {
  readonly wire = new Sink();
  readonly log = new FrameLog(true);
  readonly clock = manualClock();
  readonly opened: Exchange[] = [];
  readonly done: { exchange: Exchange; shown: string }[] = [];
  left = 0;
  readonly #connection: Http2Connection;

  constructor() {
    const wheel = new Wheel(this.clock);
    const host: ConnectionHost = {
      limits,
      timeouts,
      wheel,
      clock: this.clock,
      date: new DateLine(this.clock),
      draining: false,
      takeRequest: () => new Request(),
      giveRequest: () => {},
      handle: (exchange) => this.#handle(exchange),
      done: (exchange) => {
        const { method, target } = exchange.request;
        this.done.push({ exchange, shown: `${method} ${target} ${exchange.status} ${exchange.error}` });
      },
      left: () => this.left++,
      switchToHttp2: () => assert.fail(),
      defect: (error) => assert.fail(String(error)),
    };
    this.#connection = new Http2Connection(host, clientOf(), this.wire);
  }

  hear(pieces: readonly Buffer[]): this {
    const [first, ...rest] = pieces;
    this.#connection.begin(first);
    // The memory of a read is used again after it.
    for (const piece of rest) {
      const read = Buffer.from(piece);
      this.wire.owner?.received(read, read.length);
      read.fill(0x58);
    }
    this.log.read(Buffer.concat(this.wire.sent.splice(0)));
    return this;
  }

  close(): void {
    this.wire.owner?.closed(null);
  }

  #handle(exchange: Exchange): void {
    this.opened.push(exchange);
    const { front, request } = exchange;
    let body = '';
    const answer = (trailers: string): void =>
      front.respond(200, '', JSON.stringify([request.method, request.target, request.authority, body, trailers]));
    if (request.framing === 'none') return answer('');
    front.readBody({
      body: (bytes, start, end) => void (body += bytes.latin1Slice(start, end)),
      end: answer,
      flush: () => true,
    });
  }
}

const fields = { ':method': 'POST', ':scheme': 'http', ':authority': 'a', ':path': '/p' };
const soundRequest = fc
  .tuple(fc.array(fc.nat(3000), { maxLength: 3 }), fc.boolean(), fc.stringMatching(/^[a-z]{0,8}$/))
  .map(([sizes, trailers, path]) => (id: number): Buffer[] => {
    const head = { ...fields, ':path': `/${path}` };
    if (sizes.length === 0) return [headers(id, head, true)];
    const pieces = sizes.map((size, i) => data(id, Buffer.alloc(size, 0x61), !trailers && i === sizes.length - 1));
    return [headers(id, head), ...pieces, ...(trailers ? [headers(id, { 'x-sum': '1' }, true)] : [])];
  });

test('the same requests and answers, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(soundRequest, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(20_000), { maxLength: 12 }),
      (requests, offsets) => {
        const all = Buffer.concat([
          Buffer.from(MAGIC),
          settings({ table: 100 }),
          ...requests.flatMap((make, i) => make(i * 2 + 1)),
        ]);
        const shown = (pieces: readonly Buffer[]): unknown => {
          const talk = new Talk().hear(pieces);
          assert.equal(talk.done.length, requests.length);
          return [...talk.log.requests].map(([id, got]) => [id, got]).toSorted((a, b) => Number(a[0]) - Number(b[0]));
        };
        assert.deepEqual(shown(cut(all, ...offsets)), shown([all]));
      },
    ),
    { numRuns: 300 },
  );
});

const stream = fc.constantFrom(1, 3, 5, 1, 3, 5, 0, 2, 7, 9, 11, 13);
const flags = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 4, 5) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
);
const list = fc
  .array(
    fc.tuple(
      fc.constantFrom(':method', ':path', ':scheme', 'a', 'content-length', 'cookie', 'Big', 'connection', 'expect'),
      fc.constantFrom('GET', '/', 'http', '0', '5', '100-continue', 'x'.repeat(900), 'a\nb'),
    ),
    { maxLength: 5 },
  )
  .map(fieldsOf);
const sound = fc.constantFrom(fields, { ...fields, ':method': 'GET' }, { ...fields, 'content-length': '5' });
const anyFrame = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(stream, sound, fc.boolean()).map(([id, head, ends]) => headers(id, head, ends)),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(stream, fc.nat(2000), fc.boolean())
      .map(([id, size, ends]) => data(id, Buffer.alloc(size, 0x61), ends)),
  },
  fc
    .tuple(fc.constantFrom('HEADERS', 'CONTINUATION'), flags, stream, list)
    .map(([type, some, id, block]) => frame(type, some, id, block)),
  fc
    .tuple(flags, stream, fc.uint8Array({ maxLength: 40 }))
    .map(([some, id, bytes]) => frame('HEADERS', some, id, Buffer.from(bytes))),
  fc.tuple(stream, fc.constantFrom(0, 1, 7, 8)).map(([id, code]) => frame('RST_STREAM', 0, id, word(code))),
  fc.constantFrom(0, 3).map((last) => frame('GOAWAY', 0, 0, word(last, 0))),
  fc
    .tuple(stream, fc.constantFrom(0, 1, 50_000, 0x7fffffff))
    .map(([id, more]) => frame('WINDOW_UPDATE', 0, id, word(more))),
  fc.constantFrom({ window: 0 }, { window: 100_000 }, { table: 0 }, { push: 1 }, { 9: 9 }).map(settings),
  fc
    .tuple(fc.integer({ min: 0, max: 12 }), flags, stream, fc.uint8Array({ maxLength: 20 }))
    .map(([type, some, id, bytes]) => frame(type, some, id, Buffer.from(bytes))),
);

test('whatever comes: each request is over once, and nothing is thrown', () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 25 }), fc.array(fc.nat(5000), { maxLength: 6 }), (frames, offsets) => {
      const talk = new Talk();
      talk.hear(cut(Buffer.concat([Buffer.from(MAGIC), settings(), ...frames]), ...offsets));
      // A client that says nothing more: bodies and heads are not waited for.
      talk.clock.advance(60_000);
      talk.close();
      const over = new Set(talk.done.map(({ exchange }) => exchange));
      assert.equal(over.size, talk.done.length, 'each once');
      assert.ok(
        talk.opened.every((exchange) => over.has(exchange)),
        'all of them',
      );
      assert.ok(talk.done.every(({ exchange }) => exchange.status !== 0 && exchange.state === 'done'));
      assert.equal(talk.left, 1, 'the listener has heard once that it is gone');
    }),
    { numRuns: 1500 },
  );
});

test('spoilt bytes of a sound conversation', () => {
  const all = Buffer.concat([
    Buffer.from(MAGIC),
    settings({ window: 1000 }),
    headers(1, fields),
    data(1, 'some'),
    headers(3, { ...fields, 'content-length': '5' }),
    data(3, 'hello', true),
    data(1, 'more', true),
    frame('WINDOW_UPDATE', 0, 0, word(5000)),
  ]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(all.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }), (changes) => {
      const spoilt = Buffer.from(all);
      for (const [at, value] of changes) spoilt[at] = value;
      const talk = new Talk().hear([spoilt]);
      talk.clock.advance(60_000);
      talk.close();
      const over = new Set(talk.done.map(({ exchange }) => exchange));
      assert.equal(over.size, talk.done.length);
      assert.ok(talk.opened.every((exchange) => over.has(exchange)));
    }),
    { numRuns: 1500 },
  );
});

test('a connection that is gone leaves no timer behind', () => {
  // Idle; with an upload under way, and one more whose head is half here; with a request answered early.
  const half = frame('HEADERS', 0, 3, fieldsOf(Object.entries(fields)));
  const early = headers(1, { ...fields, connection: 'close' });
  for (const frames of [[], [headers(1, fields)], [headers(1, fields), half], [early]]) {
    const talk = new Talk().hear([Buffer.concat([Buffer.from(MAGIC), settings(), ...frames])]);
    talk.clock.advance(100);
    assert.ok(talk.clock.waiting > 0, 'something is waited for');
    talk.close();
    talk.clock.advance(100);
    assert.equal(talk.clock.waiting, 0);
  }
});
