/**
 * The origin that reads request bodies to their end (nginx would discard them unread), on raw sockets so that it does not
 * become the slowest part. Run as `node bench/servers/bodies.ts PORT`. It answers GETs too, where nginx is not installed:
 * `/large` 1 MiB, `/echo` the request's own head and the number of its connection, everything else 101 bytes.
 */
import { createServer, type Socket } from 'node:net';

const smallBody = 'x'.repeat(100) + '\n';
const answers = {
  small: encode(Buffer.from(smallBody)),
  large: encode(Buffer.alloc(1024 * 1024, 'x')),
};
const headEnd = '\r\n\r\n';
const lastChunk = '0\r\n\r\n';
let accepted = 0;

createServer({ noDelay: true }, serveConnection).listen(Number(process.argv[2]), '127.0.0.1', 4096);

function serveConnection(socket: Socket): void {
  const serial = ++accepted;
  let head = ''; // as far as it has arrived, then complete until the body is
  let bodyLeft = 0; // Infinity while the body is chunked
  let tail = ''; // the last bytes of a chunked body so far
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    let at = 0;
    while (at < chunk.length) {
      if (bodyLeft > 0) at = readBody(chunk, at);
      else at = readHead(chunk, at);
    }
  });

  function readHead(chunk: Buffer, from: number): number {
    const before = head.length;
    head += chunk.toString('latin1', from);
    const end = head.indexOf(headEnd);
    if (end < 0) return chunk.length;
    head = head.slice(0, end + headEnd.length);
    bodyLeft = /\r\ntransfer-encoding: *chunked/i.test(head)
      ? Number.POSITIVE_INFINITY
      : Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (bodyLeft === 0) answer();
    return from + end + headEnd.length - before;
  }

  /** A chunked body is known to hold nothing but `x`, so its end can be seen without parsing chunk sizes. */
  function readBody(chunk: Buffer, from: number): number {
    const taken = Math.min(bodyLeft, chunk.length - from);
    bodyLeft -= taken;
    if (bodyLeft === Number.POSITIVE_INFINITY) {
      tail = (tail + chunk.toString('latin1', Math.max(from, chunk.length - lastChunk.length))).slice(
        -lastChunk.length,
      );
      if (tail === lastChunk) bodyLeft = 0;
    }
    if (bodyLeft === 0) answer();
    return from + taken;
  }

  function answer(): void {
    const path = head.split(' ', 2)[1];
    if (path === '/large') socket.write(answers.large);
    else if (path === '/echo') socket.write(encode(Buffer.from(`Connection-Number: ${serial}\r\n${head}`)));
    else socket.write(answers.small);
    if (/\r\nconnection: *close/i.test(head)) socket.end();
    head = '';
  }
}

function encode(body: Buffer): Buffer {
  const head = `HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}
