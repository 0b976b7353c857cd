/** gRPC from end to end: clients and servers of grpc-js, HTTP/2 on both sides of a real sluice. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { residentBytes, type SluiceProcess, startSluice, until } from './stage.ts';
import { method, same } from './servers/grpc-bytes.ts';

const MIB = 1_048_576;

const METHODS = {
  say: method('Say', false, false),
  count: method('Count', true, false),
  list: method('List', false, true),
  talk: method('Talk', true, true),
} as const;

interface Words {
  readonly url: string;
  /** Calls that were cancelled while they ran. */
  cancelled: number;
  /** Messages that `List` has handed over. */
  listed: number;
  running: number;
  most: number;
  /** Cuts every connection. */
  kill(): void;
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function words(t: TestContext, name = 'words'): Promise<Words> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 64 * MIB });
  const made: Words = { url: '', cancelled: 0, listed: 0, running: 0, most: 0, kill: () => server.forceShutdown() };
  server.addService(METHODS, {
    say(call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      const text = String(call.request.subarray(0, 100));
      if (text === 'fail') return done({ code: grpc.status.NOT_FOUND, details: 'no such word: %, ü' });
      call.on('cancelled', () => made.cancelled++);
      if (text === 'wait') return;
      const trailers = new grpc.Metadata();
      for (const value of call.metadata.get('x-word')) trailers.add('x-heard', value);
      for (const value of call.metadata.get('x-key-bin')) trailers.add('x-heard-bin', value);
      const head = new grpc.Metadata();
      head.set('x-by', name);
      call.sendMetadata(head);
      made.most = Math.max(made.most, ++made.running);
      setTimeout(
        () => {
          made.running--;
          done(
            null,
            text.startsWith('digest') ? Buffer.from(digest(call.request)) : Buffer.from(`you said ${text}`),
            trailers,
          );
        },
        text === 'slow' ? 200 : 0,
      );
    },
    count(call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      let count = 0;
      const hash = createHash('sha256');
      call.on('data', (message: Buffer) => {
        // An answer before all has been asked.
        if (String(message.subarray(0, 4)) === 'stop')
          return done({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'enough' });
        count++;
        hash.update(message);
      });
      call.on('end', () => done(null, Buffer.from(`${count} ${hash.digest('hex')}`)));
    },
    async list(call: grpc.ServerWritableStream<Buffer, Buffer>) {
      const [count, size] = String(call.request).split(' ').map(Number);
      call.on('cancelled', () => made.cancelled++);
      for (let i = 0; i < count && !call.cancelled; i++) {
        made.listed++;
        if (!call.write(Buffer.alloc(size, i & 0xff))) await new Promise((resolve) => call.once('drain', resolve));
      }
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
  return Object.assign(made, { url: `h2c://127.0.0.1:${port}` });
}

function clientOf(t: TestContext, sluice: SluiceProcess): grpc.Client {
  const client = new grpc.Client(`127.0.0.1:${sluice.port}`, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': 64 * MIB,
    // Or clients of one test share a connection.
    'grpc.use_local_subchannel_pool': 1,
  });
  t.after(() => client.close());
  return client;
}

interface Said {
  readonly text: string;
  readonly status: grpc.StatusObject;
  readonly by: string;
}

function say(
  client: grpc.Client,
  message: Buffer | string,
  metadata = new grpc.Metadata(),
  deadline = 20_000,
): Promise<Said> {
  return new Promise((resolve) => {
    let text = '';
    let by = '';
    client
      .makeUnaryRequest(
        METHODS.say.path,
        same,
        same,
        Buffer.from(message),
        metadata,
        { deadline: Date.now() + deadline },
        (_error, value) => {
          text = String(value ?? '');
        },
      )
      .on('metadata', (head: grpc.Metadata) => (by = String(head.get('x-by')[0] ?? '')))
      .on('status', (status: grpc.StatusObject) => setImmediate(() => resolve({ text, status, by })));
  });
}

test('gRPC: unary calls with metadata, errors, ten MiB, and fifty at once on one connection', async (t) => {
  const origin = await words(t);
  const sluice = await startSluice(t, { upstreams: { app: { origins: origin.url } } });
  const client = clientOf(t, sluice);
  const metadata = new grpc.Metadata();
  metadata.add('x-word', 'tree');
  metadata.add('x-word', 'bush, with commas');
  metadata.add('x-key-bin', Buffer.from([0, 1, 255, 254]));
  const said = await say(client, 'hello', metadata);
  assert.deepEqual([said.text, said.status.code, said.by], ['you said hello', grpc.status.OK, 'words']);
  assert.equal(said.status.metadata.get('x-heard').join(', '), 'tree, bush, with commas');
  assert.deepEqual(said.status.metadata.get('x-heard-bin'), [Buffer.from([0, 1, 255, 254])]);

  const failed = await say(client, 'fail');
  assert.deepEqual([failed.status.code, failed.status.details], [grpc.status.NOT_FOUND, 'no such word: %, ü']);

  const unknown = await new Promise<grpc.ServiceError | null>((resolve) => {
    client.makeUnaryRequest('/test.Words/Nothing', same, same, Buffer.alloc(0), (error) => resolve(error));
  });
  assert.equal(unknown?.code, grpc.status.UNIMPLEMENTED);

  const large = Buffer.concat([Buffer.from('digest'), randomBytes(10 * MIB)]);
  assert.equal((await say(client, large)).text, digest(large));

  const many = await Promise.all(Array.from({ length: 50 }, (_, i) => say(client, `number ${i}`)));
  assert.deepEqual(
    many.map(({ text }) => text),
    Array.from({ length: 50 }, (_, i) => `you said number ${i}`),
  );
  assert.deepEqual(sluice.failures(), []);
});

test('gRPC: streams in either direction, and in both at once', async (t) => {
  const origin = await words(t);
  const sluice = await startSluice(t, { upstreams: { app: { origins: origin.url } } });
  const client = clientOf(t, sluice);

  const hash = createHash('sha256');
  const counted = await new Promise<string>((resolve, reject) => {
    const call = client.makeClientStreamRequest(METHODS.count.path, same, same, (error, value) =>
      error === null ? resolve(String(value)) : reject(error),
    );
    for (let i = 0; i < 160; i++) {
      const message = randomBytes(65_536);
      hash.update(message);
      call.write(message);
    }
    call.end();
  });
  assert.equal(counted, `160 ${hash.digest('hex')}`);

  const early = await new Promise<grpc.ServiceError | null>((resolve) => {
    const call = client.makeClientStreamRequest(METHODS.count.path, same, same, (error) => resolve(error));
    call.write(Buffer.from('some'));
    call.write(Buffer.from('stop'));
  });
  assert.deepEqual([early?.code, early?.details], [grpc.status.RESOURCE_EXHAUSTED, 'enough']);

  let listed = 0;
  for await (const message of client.makeServerStreamRequest(METHODS.list.path, same, same, Buffer.from('2000 100'))) {
    assert.equal((message as Buffer)[0], listed++ & 0xff);
  }
  assert.equal(listed, 2000);

  const talk = client.makeBidiStreamRequest(METHODS.talk.path, same, same);
  const heard: string[] = [];
  let over = false;
  talk.on('data', (message: Buffer) => heard.push(String(message)));
  talk.on('end', () => (over = true));
  for (let i = 0; i < 20; i++) {
    // The next word only when the last one has come back.
    talk.write(Buffer.from(`word ${i}`));
    await until(`echo ${i}`, () => heard.length === i + 1);
  }
  assert.equal(over, false);
  talk.end();
  await until('the end', () => over);
  assert.equal(heard.at(-1), 'echo word 19');
  assert.deepEqual(sluice.failures(), []);
});

test('gRPC: a slow reader of a long stream slows its server, and the memory stays where it was', async (t) => {
  const origin = await words(t);
  const sluice = await startSluice(t, { upstreams: { app: { origins: origin.url } } });
  const client = clientOf(t, sluice);
  for await (const _ of client.makeServerStreamRequest(METHODS.list.path, same, same, Buffer.from('1000 65536')));
  const before = residentBytes(sluice.pid);
  const listed = origin.listed;
  const COUNT = 3000;
  const call = client.makeServerStreamRequest(METHODS.list.path, same, same, Buffer.from(`${COUNT} 65536`));
  let got = 0;
  call.on('data', () => {
    if (++got === 5) call.pause();
  });
  await until('some of it', () => got >= 5);
  await sleep(1000);
  // The windows and the system's buffers on the way hold some; most of it has not been made.
  assert.ok(origin.listed - listed < COUNT / 2, `${origin.listed - listed} of ${COUNT} messages were made`);
  const growth = residentBytes(sluice.pid) - before;
  assert.ok(growth < 24 * MIB, `grew by ${Math.round(growth / MIB)} MiB`);
  // Others go on meanwhile, on the same connection.
  assert.equal((await say(client, 'meanwhile')).text, 'you said meanwhile');
  call.resume();
  await until('all of it', () => got === COUNT);
  assert.deepEqual(sluice.failures(), []);
});

test('gRPC: calls that are cancelled, and that take too long, are over at the server', async (t) => {
  const origin = await words(t);
  const sluice = await startSluice(t, { upstreams: { app: { origins: origin.url } } });
  const client = clientOf(t, sluice);
  const late = await say(client, 'wait', new grpc.Metadata(), 300);
  assert.equal(late.status.code, grpc.status.DEADLINE_EXCEEDED);
  await until('the server to hear', () => origin.cancelled === 1);
  const call = client.makeServerStreamRequest(METHODS.list.path, same, same, Buffer.from('1000000 1000'));
  call.on('error', () => {});
  await new Promise((resolve) => call.once('data', resolve));
  call.cancel();
  await until('the server to hear', () => origin.cancelled === 2);
  assert.equal((await say(client, 'after')).text, 'you said after');
  await until('the log', () => sluice.access().length === 3);
  assert.deepEqual(
    sluice.access().map(({ error }) => error),
    ['client-gone', 'client-gone', undefined],
  );
});

test('gRPC: two clients and one slot', async (t) => {
  const origin = await words(t);
  const sluice = await startSluice(t, { upstreams: { app: { origins: [{ url: origin.url, maxConnections: 1 }] } } });
  const clients = [clientOf(t, sluice), clientOf(t, sluice)];
  const slow = await Promise.all(clients.map((client) => say(client, 'slow')));
  assert.deepEqual(
    slow.map(({ text }) => text),
    ['you said slow', 'you said slow'],
  );
  assert.equal(origin.most, 1, 'one at a time');
  assert.deepEqual(sluice.failures(), []);
});

test('gRPC: two servers, of which one is killed', async (t) => {
  const [one, two] = [await words(t, 'one'), await words(t, 'two')];
  const sluice = await startSluice(t, { upstreams: { app: { balance: 'round-robin', origins: [one.url, two.url] } } });
  const client = clientOf(t, sluice);
  const first = await Promise.all(Array.from({ length: 20 }, () => say(client, 'x')));
  assert.deepEqual(new Set(first.map(({ by }) => by)), new Set(['one', 'two']));
  // Two streams, one on each. The one whose server dies fails, and the other goes on.
  const calls = [0, 1].map(() => client.makeBidiStreamRequest(METHODS.talk.path, same, same));
  const codes: grpc.status[] = [];
  for (const call of calls) {
    call.on('error', (error: grpc.ServiceError) => codes.push(error.code));
    call.write(Buffer.from('x'));
    await new Promise((resolve) => call.once('data', resolve));
  }
  one.kill();
  await until('the failure', () => codes.length > 0);
  assert.deepEqual(codes, [grpc.status.INTERNAL]);
  let echoes = 0;
  for (const call of calls) call.on('data', () => echoes++).write(Buffer.from('y'));
  await until('the echo of the other', () => echoes === 1);
  for (const call of calls) call.cancel();
  // Calls that come after it go to the one that lives.
  const after = await Promise.all(Array.from({ length: 20 }, () => say(client, 'x')));
  assert.deepEqual(new Set(after.map(({ by, status }) => `${by} ${status.code}`)), new Set(['two 0']));
});

test('gRPC: clients lose no call when they are told to come anew', async (t) => {
  const origin = await words(t);
  const sluice = await startSluice(t, { upstreams: { app: { origins: origin.url } }, keepAlive: { requests: 50 } });
  const client = clientOf(t, sluice);
  // Every fifty calls the connection is given up: GOAWAY, twice.
  for (let round = 0; round < 20; round++) {
    const many = await Promise.all(Array.from({ length: 20 }, (_, i) => say(client, `${round} ${i}`)));
    assert.deepEqual(
      many.map(({ status }) => status.code).filter((code) => code !== grpc.status.OK),
      [],
    );
  }
  assert.deepEqual(sluice.failures(), []);
});
