/**
 * gRPC servers of grpc-js behind a real sluice. The callers here speak HTTP/1.1 and frame what gRPC frames; of what other
 * applications are asked, GET and HEAD are missing, since gRPC has neither: its servers answer them 415 or 405.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { authority } from '../support/certificates.ts';
import { type Application, ask } from './applications.ts';
import { slowReader } from './exercise.ts';
import { address, start, startSluice, until } from './stage.ts';

const SERVER = fileURLToPath(new URL('servers/app-grpc.ts', import.meta.url));

/** @param tls files of the certificate and its key; none: in clear text */
async function server(t: TestContext, name: string, tls: Record<string, string> = {}): Promise<Application> {
  const at = await address();
  const words = Object.entries(tls).map(([key, value]) => `${key}=${value}`);
  const process_ = start(t, '/usr/bin/env', [...words, process.execPath, SERVER, at.host, String(at.port), name]);
  await until('the server', () => process_.output().includes('listening'));
  return { url: `${tls['CERT'] === undefined ? 'h2c' : 'h2'}://${at.host}:${at.port}`, process: process_ };
}

/** A message as it travels: not compressed, its length, its bytes. */
function framed(message: Buffer | string): Buffer {
  const bytes = Buffer.from(message as string, 'latin1');
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

interface Whole {
  /** `grpc-status`. */
  readonly status: string;
  readonly messages: readonly string[];
  /** Names and values, as they came; those of a call that has failed at once are in its head. */
  readonly fields: readonly string[];
  readonly trailers: readonly string[];
}

/** One call by a client that knows HTTP/1.1 only: messages out and in, and the trailers. */
class Call {
  readonly #out: ClientRequest;
  readonly messages: string[] = [];
  answer: IncomingMessage | undefined;
  ended = false;
  /** The answer was cut off. */
  cut = false;
  #held: Buffer = Buffer.alloc(0);

  constructor(t: TestContext, url: string, headers: Record<string, string | string[]> = {}) {
    this.#out = request(url, {
      method: 'POST',
      agent: false,
      headers: { 'Content-Type': 'application/grpc', TE: 'trailers', Connection: 'TE', ...headers },
    });
    t.after(() => this.#out.destroy());
    this.#out.on('error', () => {});
    this.#out.on('response', (answer) => {
      this.answer = answer;
      answer.on('data', (bytes: Buffer) => this.#take(bytes));
      answer.on('end', () => (this.ended = true));
      answer.on('error', () => (this.cut = true));
    });
    this.#out.flushHeaders();
  }

  say(message: Buffer | string): this {
    this.#out.write(framed(message));
    return this;
  }

  end(): this {
    this.#out.end();
    return this;
  }

  async whole(): Promise<Whole> {
    await until('the end of the call', () => this.ended);
    const { rawTrailers = [], rawHeaders = [] } = this.answer ?? {};
    const all = [...rawTrailers, ...rawHeaders];
    return {
      status: valuesOf(all, 'grpc-status')[0] ?? '',
      messages: this.messages,
      fields: rawHeaders,
      trailers: rawTrailers,
    };
  }

  #take(bytes: Buffer): void {
    this.#held = Buffer.concat([this.#held, bytes]);
    while (this.#held.length >= 5) {
      const length = this.#held.readUInt32BE(1);
      if (this.#held.length < 5 + length) return;
      this.messages.push(this.#held.toString('latin1', 5, 5 + length));
      this.#held = this.#held.subarray(5 + length);
    }
  }
}

function valuesOf(raw: readonly string[], name: string): string[] {
  return raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === name);
}

for (const scheme of ['h2c', 'h2'] as const) {
  test(`gRPC over ${scheme}: calls of every kind`, async (t) => {
    const ca = scheme === 'h2' ? authority(t) : undefined;
    if (scheme === 'h2' && ca === undefined) return;
    const { cert = '', key = '' } = ca?.issue('server', { names: ['DNS:app.example'] }) ?? {};
    const tls = ca === undefined ? {} : { tls: { ca: ca.cert, serverName: 'app.example' } };
    const [one, two] = await Promise.all(
      ['one', 'two'].map((name) => server(t, name, ca === undefined ? {} : { CERT: cert, KEY: key })),
    );
    assert.ok(one !== undefined && two !== undefined);
    const sluice = await startSluice(t, {
      upstreams: {
        one: { origins: one.url, ...tls },
        narrow: { origins: { url: one.url, maxConnections: 1 }, ...tls },
        both: { origins: [one.url, two.url], balance: 'round-robin', ...tls },
        two: { origins: two.url, ...tls },
      },
      routes: [...['narrow', 'both', 'two'].map((to) => ({ match: { host: `${to}.test` }, to })), { to: 'one' }],
    });
    const call = (path: string, headers?: Record<string, string | string[]>): Call =>
      new Call(t, `${sluice.url}/test.Words/${path}`, headers);
    const unary = (path: string, message: Buffer | string, headers?: Record<string, string | string[]>) =>
      call(path, headers).say(message).end().whole();
    const name = async (): Promise<string> => (await unary('Name', '', { Host: 'both.test' })).messages.join();

    await t.test('GET and HEAD are no calls', async () => {
      for (const method of ['GET', 'HEAD']) {
        const got = await ask(`${sluice.url}/test.Words/Say`, method);
        assert.ok([405, 415].includes(got.status), `${method} ${got.status}`);
      }
    });

    await t.test('unary, streams in either direction and in both at once', async () => {
      const said = await unary('Say', 'hello');
      assert.deepEqual([said.status, said.messages], ['0', ['you said hello']]);
      assert.deepEqual(valuesOf(said.fields, 'content-type'), ['application/grpc+proto']);

      const counting = call('Count');
      for (let i = 0; i < 500; i++) counting.say('x'.repeat(1000));
      assert.deepEqual((await counting.end().whole()).messages, ['500 500000']);

      const listed = await unary('List', '2000');
      assert.deepEqual([listed.status, listed.messages.length, listed.messages.at(-1)], ['0', 2000, 'word 1999']);

      const talk = call('Talk');
      for (let i = 0; i < 20; i++) {
        // The next word only when the last one has come back.
        talk.say(`word ${i}`);
        await until(`echo ${i}`, () => talk.messages.length === i + 1);
      }
      assert.equal(talk.ended, false);
      const talked = await talk.end().whole();
      assert.deepEqual([talked.status, talked.messages.at(-1)], ['0', 'echo word 19']);
    });

    await t.test('50 calls at once', async () => {
      const many = await Promise.all(Array.from({ length: 50 }, (_, i) => unary('Say', `number ${i}`)));
      assert.deepEqual(
        many.map(({ messages }) => messages[0]),
        Array.from({ length: 50 }, (_, i) => `you said number ${i}`),
      );
    });

    await t.test('a message of 10 MiB, with a length and in chunks', async () => {
      const message = randomBytes(10 * 1_048_576);
      const sum = `${message.length} ${createHash('sha256').update(message).digest('hex')}`;
      for (const framing of [{}, { 'Content-Length': String(message.length + 5) }]) {
        const got = await unary('Sum', message, framing);
        assert.deepEqual([got.status, got.messages], ['0', [sum]]);
      }
    });

    await t.test('metadata, repeated and binary, before the answer and after it', async () => {
      const all = Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i));
      const got = await unary('Say', 'tree', {
        'X-Word': ['a', 'b'],
        'X-Bytes-Bin': [all.toString('base64'), Buffer.from('second').toString('base64')],
      });
      assert.equal(got.status, '0');
      for (const fields of [got.fields, got.trailers]) {
        // Node's HTTP/2, on which grpc-js stands, joins the lines of most names.
        assert.deepEqual(valuesOf(fields, 'x-heard').join(', '), 'a, b');
        const bytes = valuesOf(fields, 'x-bytes-bin').flatMap((value) => value.split(/, ?/));
        assert.deepEqual(
          bytes.map((value) => Buffer.from(value, 'base64').toString('latin1')),
          [all.toString('latin1'), 'second'],
        );
      }
    });

    await t.test('errors: of the application, of its code, of a method that is not there', async () => {
      const failed = await unary('Say', 'fail');
      assert.deepEqual([failed.status, failed.messages], [String(status.NOT_FOUND), []]);
      const [message = ''] = [...valuesOf(failed.trailers, 'grpc-message'), ...valuesOf(failed.fields, 'grpc-message')];
      assert.equal(decodeURIComponent(message), 'no such word: %, \xfc');
      assert.equal((await unary('Say', 'throw')).status, String(status.UNKNOWN));
      assert.equal((await unary('Nothing', '')).status, String(status.UNIMPLEMENTED));
      assert.equal((await unary('Say', 'hello')).status, '0', 'and on it goes');
    });

    await t.test('an early error, while messages are still on their way', async () => {
      const refused = call('Refuse').say('x'.repeat(100_000));
      const { status: code } = await refused.whole();
      assert.equal(code, String(status.RESOURCE_EXHAUSTED));
      assert.equal((await unary('Say', 'hello')).status, '0', 'and on it goes');
    });

    await t.test('a long stream to a reader who is slow', async () => {
      const message = framed('3200');
      const head = 'POST /test.Words/Big HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nTE: trailers\r\n';
      const whole = `${head}Connection: TE\r\nContent-Length: ${message.length}\r\n\r\n`;
      await slowReader(t, sluice, Buffer.concat([Buffer.from(whole), message]));
    });

    await t.test('two at once where one is allowed', async () => {
      const both = await Promise.all(['1', '2'].map((n) => unary('Slow', n, { Host: 'narrow.test' })));
      assert.deepEqual(
        both.map(({ messages }) => messages),
        [['1'], ['2']],
      );
      await until('one of them has waited', () => sluice.access().some(({ queue = 0 }) => queue > 200));
    });

    await t.test('balanced over two, of which one dies in the middle', async () => {
      const seen = new Set<string>();
      for (let i = 0; i < 6; i++) seen.add(await name());
      assert.deepEqual([...seen].toSorted(), ['one', 'two']);
      assert.deepEqual(sluice.failures(), []);
      const dying = call('Die', { Host: 'two.test' }).say('').end();
      await until('it is cut off', () => dying.cut);
      assert.deepEqual([dying.ended, dying.messages], [false, ['goodbye']]);
      await two.process.ended;
      for (let i = 0; i < 10; i++) assert.equal(await name(), 'one');
      await until('the log', () => sluice.failures().length > 0);
      assert.deepEqual(
        sluice.failures().map(({ error }) => error),
        ['answer-incomplete'],
      );
    });
  });
}
