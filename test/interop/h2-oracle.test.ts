/**
 * The codec of HTTP/2 against node:http2 (nghttp2) on the other side of a socket: what one sends the other has to read as it was
 * meant, whatever the settings, fields and sizes.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http2 from 'node:http2';
import { connect, type AddressInfo, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import fc from 'fast-check';
import { Http2Session } from '../../src/codec/h2/session.ts';
import type { Answer, AnswerSink } from '../../src/core/answer.ts';
import { requestOf } from '../support/request.ts';
import { TARGET } from '../support/session.ts';

const LIMITS = { head: 65_536, fields: 200 };
const OPTIONS = { streams: 100, window: 65_536 };

interface Got {
  answer?: { status: number; fields: [string, string][] };
  interims: number[];
  hash: string;
  bytes: number;
  trailers: string;
  error: string;
}

/** A session on a socket, as a channel would have it. */
class Wired {
  readonly session: Http2Session;
  readonly socket: Socket;
  /** Bodies that wait until the session takes more. */
  readonly #resumed = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    this.session = new Http2Session(
      OPTIONS,
      {
        text: (text) => void socket.write(text, 'latin1'),
        bytes: (buffer, start, end) => void socket.write(Buffer.from(buffer.subarray(start, end))),
      },
      LIMITS,
    );
    socket.on('data', (bytes: Buffer) => {
      this.session.receive(bytes, 0, bytes.length);
      for (const resume of [...this.#resumed]) resume();
    });
    socket.on('error', () => {});
    socket.on('close', () => this.session.eof());
  }

  #busy = 0;
  readonly #waiting: (() => void)[] = [];

  /** Sends a request as soon as the session has room. */
  async ask(head: string[], body: Buffer | null, trailers: string, slow: boolean): Promise<Got> {
    while (this.#busy >= this.session.slots) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#busy++;
    const got = await this.send(head, body, trailers, slow);
    this.#busy--;
    this.#waiting.shift()?.();
    return got;
  }

  /** Sends a request, its body in pieces as fast as it is taken, and resolves with what came. */
  send(head: string[], body: Buffer | null, trailers: string, slow: boolean): Promise<Got> {
    const request = requestOf(...head);
    request.takesTrailers = true;
    if (body !== null) request.framing = 'chunked';
    return new Promise((resolve) => {
      const got: Got = { interims: [], hash: '', bytes: 0, trailers: '', error: '' };
      const hash = createHash('sha1');
      const done = (): void => {
        got.hash = hash.digest('hex');
        resolve(got);
      };
      const sink: AnswerSink = {
        interim: ({ status }: Answer) => void got.interims.push(status),
        head: ({ status, fields }: Answer) => void (got.answer = { status, fields: fields.entries() }),
        body: (buffer, start, end) => {
          hash.update(buffer.subarray(start, end));
          got.bytes += end - start;
          if (!slow) return;
          this.session.pause(id as number);
          setImmediate(() => this.session.resume(id as number));
        },
        end: (lines) => {
          got.trailers = lines;
          done();
        },
        flush: () => true,
        fail: (code, detail = '') => {
          got.error = `${code} ${detail}`;
          done();
        },
      };
      const id = this.session.open(request, TARGET, sink);
      if (typeof id === 'string') return resolve({ ...got, error: id });
      if (body === null) return;
      let at = 0;
      const more = (): void => {
        while (!this.session.holds(id)) {
          if (at >= body.length) {
            this.#resumed.delete(more);
            return this.session.end(id, trailers);
          }
          const end = Math.min(body.length, at + 20_000);
          this.session.body(id, body, at, end);
          at = end;
        }
        this.#resumed.add(more);
      };
      more();
    });
  }
}

async function serve(
  t: TestContext,
  options: http2.ServerOptions,
  handler: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
): Promise<Wired> {
  const server = http2.createServer(options);
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    handler(stream, headers);
  });
  server.on('sessionError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true });
  const wired = new Wired(socket);
  // Its SETTINGS.
  await once(socket, 'data');
  const close = (): void => {
    socket.destroy();
    server.close();
  };
  t.after(close);
  return wired;
}

const SETTINGS: Readonly<Record<string, http2.ServerOptions>> = {
  'as they are': {},
  'small windows': { settings: { initialWindowSize: 1000 } },
  'no table': { settings: { headerTableSize: 0 } },
  'a small table': { settings: { headerTableSize: 100 } },
  'large frames': { settings: { maxFrameSize: 1_000_000, initialWindowSize: 1_000_000 } },
  'three at a time': { settings: { maxConcurrentStreams: 3 } },
  'one at a time, padded': {
    settings: { maxConcurrentStreams: 1 },
    paddingStrategy: http2.constants.PADDING_STRATEGY_MAX,
  },
};

const letters = (alphabet: string, most: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...alphabet.split('')), minLength: 1, maxLength: most });
const fields = fc.uniqueArray(
  fc.tuple(
    letters('abcxyz-019_', 12).map((name) => `x${name}`),
    letters(` !"#$%&'()*+,-./09:;<=>?@AZ[\\]^_\`az{|}~`, 80).map((value) => value.trim()),
  ),
  { maxLength: 12, selector: ([name]) => name },
);
const bodies = fc.oneof(fc.constant(0), fc.nat(100), fc.nat(300_000));
const exchange = fc.record({
  fields,
  back: fields,
  up: fc.option(bodies, { nil: null }),
  down: bodies,
  trailers: fc.boolean(),
  interim: fc.boolean(),
  stated: fc.boolean(),
  slow: fc.boolean(),
  status: fc.constantFrom(200, 200, 404, 500, 299),
});

for (const [name, options] of Object.entries(SETTINGS)) {
  test(`anything there and back, over one connection: ${name}`, { timeout: 60_000 }, async (t) => {
    const plans = new Map<
      string,
      {
        plan: (typeof sample)[number];
        received: { fields: http2.IncomingHttpHeaders; bytes: number; hash: string; trailers: string };
      }
    >();
    const sample = fc.sample(exchange, { numRuns: 60, seed: 42 + name.length });
    const wired = await serve(t, options, (stream, headers) => {
      const known = plans.get(String(headers['x-plan']));
      if (known === undefined) return stream.respond({ ':status': 500 }, { endStream: true });
      const { plan, received } = known;
      const hash = createHash('sha1');
      received.fields = headers;
      stream.on('data', (chunk: Buffer) => {
        received.bytes += chunk.length;
        hash.update(chunk);
      });
      stream.on('trailers', (trailers) => (received.trailers = String(trailers['x-sum'])));
      stream.on('end', () => {
        received.hash = hash.digest('hex');
        if (plan.interim) stream.additionalHeaders({ ':status': 103, link: 'a' });
        const head: http2.OutgoingHttpHeaders = { ':status': plan.status, ...Object.fromEntries(plan.back) };
        const content = contentOf(plan.down, 7);
        if (plan.stated) head['content-length'] = plan.down;
        stream.respond(head, { waitForTrailers: plan.trailers });
        if (plan.trailers)
          stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-late': 'yes' }));
        stream.end(content);
      });
    });
    const results = await Promise.all(
      sample.map((plan, i) => {
        plans.set(String(i), { plan, received: { fields: {}, bytes: 0, hash: '', trailers: '' } });
        const head = [
          `POST /${i}?q HTTP/1.1`,
          'Host: a.example',
          `X-Plan: ${i}`,
          ...plan.fields.map(([field, value]) => `${field}: ${value}`.trim()),
        ];
        return wired.ask(
          head,
          plan.up === null ? null : contentOf(plan.up, i),
          plan.trailers ? 'X-Sum: 5\r\n' : '',
          plan.slow,
        );
      }),
    );
    for (const [i, got] of results.entries()) {
      const { plan, received } = plans.get(String(i)) as NonNullable<ReturnType<typeof plans.get>>;
      const up = contentOf(plan.up ?? 0, i);
      assert.equal(got.error, '', `${i}`);
      assert.deepEqual(
        [received.fields[':path'], received.fields[':authority'], received.fields['te']],
        [`/${i}?q`, 'a.example', 'trailers'],
      );
      for (const [field, value] of plan.fields) assert.equal(received.fields[field], value, `${i}: ${field}`);
      assert.deepEqual([received.bytes, received.hash], [up.length, createHash('sha1').update(up).digest('hex')]);
      if (plan.trailers && plan.up !== null) assert.equal(received.trailers, '5');
      const down = contentOf(plan.down, 7);
      assert.deepEqual([got.bytes, got.hash], [down.length, createHash('sha1').update(down).digest('hex')]);
      assert.deepEqual([got.answer?.status, got.interims], [plan.status, plan.interim ? [103] : []]);
      const back = new Map(got.answer?.fields);
      for (const [field, value] of plan.back) assert.equal(back.get(field), value);
      if (plan.trailers) assert.equal(got.trailers, 'grpc-status: 0\r\nx-late: yes\r\n');
    }
    assert.equal(wired.session.reusable, true);
  });
}

test('node:http2 that restarts: those it has begun go on, the others are refused', { timeout: 20_000 }, async (t) => {
  const wired = await serve(t, { settings: { maxConcurrentStreams: 2 } }, (stream, headers) => {
    if (headers[':path'] === '/last') stream.session?.close();
    setTimeout(() => {
      stream.respond({ ':status': 200 });
      stream.end('done');
    }, 20);
  });
  const ask = (path: string): Promise<Got> => wired.send([`GET ${path} HTTP/1.1`, 'Host: a'], null, '', false);
  const [one, two, three] = await Promise.all([ask('/'), ask('/last'), ask('/')]);
  assert.deepEqual([one?.error, two?.error, one?.bytes, two?.bytes], ['', '', 4, 4]);
  assert.match(three?.error ?? '', /^stream-refused GOAWAY NO_ERROR/);
  assert.equal(wired.session.reusable, false);
});

test('node:http2 that resets, dies, and answers early', { timeout: 20_000 }, async (t) => {
  const { constants } = http2;
  const wired = await serve(t, {}, (stream, headers) => {
    switch (headers[':path']) {
      case '/refuse':
        return stream.close(constants.NGHTTP2_REFUSED_STREAM);
      case '/late':
        stream.respond({ ':status': 200 });
        stream.write('half', () => stream.destroy(new Error('broken')));
        return undefined;
      case '/early':
        stream.respond({ ':status': 413 });
        return void stream.end('too much');
      case '/old':
        return stream.close(constants.NGHTTP2_HTTP_1_1_REQUIRED);
      case '/die':
        stream.session?.destroy();
        return undefined;
      default:
        stream.respond({ ':status': 200 });
        return void stream.end('fine');
    }
  });
  const ask = (path: string, body: Buffer | null = null): Promise<Got> =>
    wired.ask([`POST ${path} HTTP/1.1`, 'Host: a'], body, '', false);
  assert.equal((await ask('/refuse')).error, 'stream-refused RST_STREAM REFUSED_STREAM');
  assert.equal((await ask('/late')).error, 'answer-incomplete RST_STREAM INTERNAL_ERROR');
  assert.equal((await ask('/old')).error, 'version-refused RST_STREAM HTTP_1_1_REQUIRED');
  const early = await ask('/early', Buffer.alloc(5_000_000));
  assert.deepEqual([early.error, early.answer?.status, early.bytes], ['', 413, 8]);
  assert.deepEqual([(await ask('/')).bytes, wired.session.reusable], [4, true]);
  assert.match((await ask('/die')).error, /^(?:origin-closed|stream-refused|stream-reset)/);
  assert.equal(wired.session.reusable, false);
});

/** Bytes that tell where they come from. */
function contentOf(size: number, seed: number): Buffer {
  const content = Buffer.alloc(size);
  for (let i = 0; i < size; i++) content[i] = (i * 31 + seed + (i >>> 8)) & 0xff;
  return content;
}
