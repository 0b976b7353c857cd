/** A gRPC server of grpc-js whose messages are bytes. Arguments: host, port, name; CERT and KEY in the environment: over TLS. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { method } from './grpc-bytes.ts';

const [host = '', port = '', name = 'hello'] = process.argv.slice(2);
const { CERT, KEY = '' } = process.env;
const MOST = 32 * 1_048_576;

type Unary = grpc.ServerUnaryCall<Buffer, Buffer>;
type Done = grpc.sendUnaryData<Buffer>;

const server = new grpc.Server({ 'grpc.max_receive_message_length': MOST, 'grpc.max_send_message_length': MOST });
server.addService(
  {
    name: method('Name', false, false),
    say: method('Say', false, false),
    sum: method('Sum', false, false),
    slow: method('Slow', false, false),
    count: method('Count', true, false),
    refuse: method('Refuse', true, false),
    list: method('List', false, true),
    big: method('Big', false, true),
    die: method('Die', false, true),
    talk: method('Talk', true, true),
  },
  {
    name: (_call: Unary, done: Done) => done(null, Buffer.from(name)),
    say(call: Unary, done: Done) {
      if (String(call.request) === 'fail')
        return done({ code: grpc.status.NOT_FOUND, details: 'no such word: %, \xfc' });
      if (String(call.request) === 'throw') throw new Error('on purpose');
      // What came with the call goes back with the answer, before it and after it.
      const [before, after] = [new grpc.Metadata(), new grpc.Metadata()];
      for (const metadata of [before, after]) {
        for (const value of call.metadata.get('x-word')) metadata.add('x-heard', value);
        for (const value of call.metadata.get('x-bytes-bin')) metadata.add('x-bytes-bin', value);
      }
      call.sendMetadata(before);
      return done(null, Buffer.from(`you said ${String(call.request)}`), after);
    },
    sum: ({ request }: Unary, done: Done) =>
      done(null, Buffer.from(`${request.length} ${createHash('sha256').update(request).digest('hex')}`)),
    slow: ({ request }: Unary, done: Done) => void setTimeout(() => done(null, request), 400),
    count(call: grpc.ServerReadableStream<Buffer, Buffer>, done: Done) {
      let count = 0;
      let bytes = 0;
      call.on('data', (message: Buffer) => {
        count++;
        bytes += message.length;
      });
      call.on('end', () => done(null, Buffer.from(`${count} ${bytes}`)));
    },
    refuse(_call: grpc.ServerReadableStream<Buffer, Buffer>, done: Done) {
      // Before any message is read.
      done({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'early' });
    },
    list(call: grpc.ServerWritableStream<Buffer, Buffer>) {
      for (let i = 0; i < Number(String(call.request)); i++) call.write(Buffer.from(`word ${i}`));
      call.end();
    },
    async big(call: grpc.ServerWritableStream<Buffer, Buffer>) {
      for (let i = 0; i < Number(String(call.request)); i++) {
        if (call.cancelled) return;
        if (!call.write(Buffer.alloc(65_536, i % 256)))
          await Promise.race([once(call, 'drain'), once(call, 'cancelled')]);
      }
      call.end();
    },
    async die(call: grpc.ServerWritableStream<Buffer, Buffer>) {
      call.write(Buffer.from('goodbye'));
      await sleep(200);
      process.exit(9);
    },
    talk(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
      call.on('data', (message: Buffer) => void call.write(Buffer.from(`echo ${String(message)}`)));
      call.on('end', () => call.end());
    },
  },
);
const credentials =
  CERT === undefined
    ? grpc.ServerCredentials.createInsecure()
    : grpc.ServerCredentials.createSsl(null, [{ cert_chain: readFileSync(CERT), private_key: readFileSync(KEY) }]);
server.bindAsync(`${host}:${port}`, credentials, (error) => {
  if (error !== null) throw error;
  process.stdout.write('listening\n');
});
