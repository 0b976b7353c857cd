/** HTTP/2 origins behind a real sluice: node:http2, nghttpd, WebSockets by `ws`, and gRPC servers of grpc-js. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { WebSocket } from 'ws';
import { skipUnless } from '../support/peer.ts';
import { type Application, ask } from './applications.ts';
import { exercise } from './exercise.ts';
import { address, folder, listening, residentBytes, start, startSluice, until } from './stage.ts';

const application = fileURLToPath(new URL('servers/app-h2.ts', import.meta.url));

async function nodeApplication(t: TestContext, name = 'hello'): Promise<Application> {
  const at = await address();
  const process_ = start(t, process.execPath, [application, at.host, String(at.port), name]);
  await listening(at, process_);
  return { url: `h2c://${at.host}:${at.port}`, process: process_ };
}

test('node:http2', async (t) => {
  await exercise(t, '/some/path', (name) => nodeApplication(t, name), {});
});

test('nghttpd: files, 404, trailers, 100 clients and its small limits', async (t) => {
  const program = skipUnless(t, 'nghttpd');
  if (program === undefined) return;
  const files = folder(t);
  const big = randomBytes(5 * 1_048_576);
  writeFileSync(join(files, 'big'), big);
  writeFileSync(join(files, 'small'), 'hello');
  for (const own of [
    [],
    ['-m', '1'],
    ['-c', '0', '-b', '200', '--trailer', 'x-sum: 5'],
    ['-w', '10', '-W', '16', '--early-response'],
  ]) {
    const at = await address();
    const server = start(t, program, ['--no-tls', '-a', at.host, '-d', files, ...own, String(at.port)]);
    await listening(at, server);
    const sluice = await startSluice(t, { upstreams: { app: { origins: `h2c://${at.host}:${at.port}` } } });
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(`${sluice.url}/small`)));
    assert.deepEqual(
      answers.map(({ status, body }) => [status, body.toString()]),
      Array.from({ length: 100 }, () => [200, 'hello']),
    );
    assert.ok((await ask(`${sluice.url}/big`)).body.equals(big));
    assert.equal((await ask(`${sluice.url}/none`)).status, 404);
    assert.equal((await ask(`${sluice.url}/small`, 'HEAD')).status, 200);
    const posted = await ask(`${sluice.url}/small`, 'POST', randomBytes(300_000), { 'Transfer-Encoding': 'chunked' });
    assert.equal(posted.body.toString(), 'hello');
    assert.deepEqual(sluice.failures(), []);
  }
});

test('a long answer to a slow reader leaves memory where it was', async (t) => {
  if (residentBytes(process.pid) === 0) return t.skip('no /proc to read memory from');
  const app = await nodeApplication(t);
  const sluice = await startSluice(t, { upstreams: { app: { origins: app.url } } });
  for (let i = 0; i < 20; i++) await ask(`${sluice.url}/?do=big&n=16`);
  const before = residentBytes(sluice.pid);
  const slow = Array.from({ length: 10 }, async () => {
    const out = request(`${sluice.url}/?do=big&n=1600`, { agent: false });
    t.after(() => out.destroy());
    out.on('error', () => {});
    out.end();
    const [answer] = (await once(out, 'response')) as [IncomingMessage];
    answer.pause();
  });
  await Promise.all(slow);
  for (let i = 0; i < 50; i++) await ask(`${sluice.url}/?do=big&n=16`);
  const grown = (residentBytes(sluice.pid) - before) / 1_048_576;
  // Ten windows of 256 KiB, and what garbage there is.
  assert.ok(grown < 60, `${grown} MiB more for ten slow readers of 100 MiB each`);
  return undefined;
});

test('WebSockets over extended CONNECT: text, binary, 4 MiB, ping, close', async (t) => {
  const app = await nodeApplication(t);
  const sluice = await startSluice(t, { upstreams: { app: { origins: app.url } } });
  const open = async (path: string): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://${sluice.host}:${sluice.port}${path}`, { perMessageDeflate: false });
    t.after(() => socket.terminate());
    await once(socket, 'open');
    return socket;
  };
  const [socket, other] = await Promise.all([open('/chat?room=1'), open('/chat?room=2')]);
  const echo = async (through: WebSocket, message: string | Buffer): Promise<[Buffer, boolean]> => {
    through.send(message);
    return (await once(through, 'message')) as [Buffer, boolean];
  };
  assert.equal(String((await echo(socket, 'where am I'))[0]), '/chat?room=1');
  assert.equal(String((await echo(other, 'where am I'))[0]), '/chat?room=2');
  assert.equal(String((await echo(socket, 'grüße, 世界'))[0]), 'grüße, 世界');
  for (const size of [0, 1, 126, 65_536, 4 * 1_048_576]) {
    const sent = randomBytes(size);
    const [got, binary] = await echo(socket, sent);
    assert.ok(got.equals(sent) && binary, `${size} bytes`);
  }
  socket.ping('are you there');
  assert.equal(String((await once(socket, 'pong'))[0]), 'are you there');
  socket.send('close me');
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  assert.deepEqual([code, String(reason)], [4001, 'as you wish']);
  // Requests and WebSockets share the connection.
  assert.equal((await ask(`${sluice.url}/`)).body.toString(), 'hello');
  assert.equal(String((await echo(other, 'still here'))[0]), 'still here');
  const refused = new WebSocket(`ws://${sluice.host}:${sluice.port}/refused`);
  const [, answer] = (await once(
    refused.on('error', () => {}),
    'unexpected-response',
  )) as [unknown, IncomingMessage];
  assert.equal(answer.statusCode, 403);
  refused.terminate();
  other.terminate();
  await until('the log', () => sluice.access().length === 4);
  assert.deepEqual(sluice.failures(), []);
});

// ---- gRPC. Clients of grpc-js speak HTTP/2, which listeners do not; so these speak HTTP/1.1 and send what gRPC frames.

const same = (bytes: Buffer): Buffer => bytes;

function method(path: string, requestStream: boolean, responseStream: boolean): grpc.MethodDefinition<Buffer, Buffer> {
  return {
    path: `/test.Words/${path}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

const service: grpc.ServiceDefinition = {
  say: method('Say', false, false),
  count: method('Count', true, false),
  list: method('List', false, true),
  talk: method('Talk', true, true),
};

async function grpcServer(t: TestContext): Promise<string> {
  const server = new grpc.Server();
  server.addService(service, {
    say(call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      if (String(call.request) === 'fail') {
        return done({ code: grpc.status.NOT_FOUND, details: 'no such word: %' });
      }
      const trailers = new grpc.Metadata();
      trailers.set('x-heard', String(call.metadata.get('x-word')[0] ?? ''));
      return done(null, Buffer.from(`you said ${String(call.request)}`), trailers);
    },
    count(call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      let count = 0;
      let bytes = 0;
      call.on('data', (message: Buffer) => {
        count++;
        bytes += message.length;
      });
      call.on('end', () => done(null, Buffer.from(`${count} ${bytes}`)));
    },
    list(call: grpc.ServerWritableStream<Buffer, Buffer>) {
      for (let i = 0; i < Number(String(call.request)); i++) call.write(Buffer.from(`word ${i}`));
      call.end();
    },
    talk(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
      call.on('data', (message: Buffer) => void call.write(Buffer.from(`echo ${String(message)}`)));
      call.on('end', () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  t.after(() => server.forceShutdown());
  return `h2c://127.0.0.1:${port}`;
}

/** One call by a client that knows HTTP/1.1 only: messages out and in, and the trailers. */
class Call {
  readonly #out: ClientRequest;
  readonly messages: string[] = [];
  answer: IncomingMessage | undefined;
  ended = false;
  #held: Buffer = Buffer.alloc(0);

  constructor(t: TestContext, url: string, headers: Record<string, string> = {}) {
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
    });
    this.#out.flushHeaders();
  }

  say(message: string): void {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    this.#out.write(Buffer.concat([head, Buffer.from(message)]));
  }

  end(): void {
    this.#out.end();
  }

  async whole(): Promise<{ status: string | undefined; messages: string[]; trailers: NodeJS.Dict<string> }> {
    await until('the end of the call', () => this.ended);
    const { trailers = {}, headers } = this.answer ?? {};
    // A call that fails at once has everything in its head.
    return { status: trailers['grpc-status'] ?? String(headers?.['grpc-status']), messages: this.messages, trailers };
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

test('gRPC: unary, streams in either direction and in both at once, errors', async (t) => {
  const origin = await grpcServer(t);
  const sluice = await startSluice(t, { upstreams: { app: { origins: origin } } });
  const call = (path: string, headers?: Record<string, string>): Call =>
    new Call(t, `${sluice.url}/test.Words/${path}`, headers);

  const unary = call('Say', { 'X-Word': 'tree' });
  unary.say('hello');
  unary.end();
  const said = await unary.whole();
  assert.deepEqual([said.status, said.messages, said.trailers['x-heard']], ['0', ['you said hello'], 'tree']);
  assert.equal(unary.answer?.headers['content-type'], 'application/grpc+proto');

  const failing = call('Say');
  failing.say('fail');
  failing.end();
  const failed = await failing.whole();
  assert.deepEqual([failed.status, failed.messages], [String(grpc.status.NOT_FOUND), []]);

  const unknown = call('Nothing');
  unknown.end();
  assert.equal((await unknown.whole()).status, String(grpc.status.UNIMPLEMENTED));

  const counting = call('Count');
  for (let i = 0; i < 500; i++) counting.say('x'.repeat(1000));
  counting.end();
  assert.deepEqual((await counting.whole()).messages, ['500 500000']);

  const listing = call('List');
  listing.say('2000');
  listing.end();
  const listed = await listing.whole();
  assert.deepEqual([listed.status, listed.messages.length, listed.messages.at(-1)], ['0', 2000, 'word 1999']);

  const talk = call('Talk');
  for (let i = 0; i < 20; i++) {
    // The next word only when the last one has come back.
    talk.say(`word ${i}`);
    await until(`echo ${i}`, () => talk.messages.length === i + 1);
  }
  assert.equal(talk.ended, false);
  talk.end();
  const talked = await talk.whole();
  assert.deepEqual([talked.status, talked.messages.at(-1)], ['0', 'echo word 19']);

  const many = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => {
      const one = call('Say');
      one.say(`number ${i}`);
      one.end();
      return (await one.whole()).messages[0];
    }),
  );
  assert.equal(
    createHash('sha1').update(many.join()).digest('hex'),
    createHash('sha1')
      .update(Array.from({ length: 50 }, (_, i) => `you said number ${i}`).join())
      .digest('hex'),
  );
  assert.deepEqual(sluice.failures(), []);
});
