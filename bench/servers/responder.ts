/**
 * An application of the least effort behind FastCGI, SCGI or uwsgi: reads a request to its end and answers 101 bytes. Run as
 * `node bench/servers/responder.ts PROTOCOL PORT`.
 */
import { createServer, type Socket } from 'node:net';
import { smallBody } from '../protocol.ts';

const answer = Buffer.from(
  `Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${smallBody.length}\r\n\r\n${smallBody}`,
);
const nothing = Buffer.alloc(0);

/** Reads what has come; returns how far requests were complete, or -1 when the connection is to end after this answer. */
type Reader = (socket: Socket, bytes: Buffer) => number;

const readers: Readonly<Record<string, Reader>> = { fastcgi: fastCgi, scgi, uwsgi };
const [, , protocol = '', port = ''] = process.argv;
const read = readers[protocol];
if (read === undefined) throw new Error(`unknown protocol ${protocol}`);

createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  let held: Buffer = nothing;
  socket.on('error', () => socket.destroy());
  socket.on('end', () => socket.end());
  socket.on('data', (chunk: Buffer) => {
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const used = read(socket, bytes);
    held = used < 0 || used === bytes.length ? nothing : bytes.subarray(used);
  });
}).listen(Number(port), '127.0.0.1', 4096);

/** Answers at the end of STDIN; keeps the connection when it is asked to. */
function fastCgi(socket: Socket, bytes: Buffer): number {
  let at = 0;
  // What begins here and is not complete is read again with the next bytes.
  let begun = 0;
  let keep = false;
  while (bytes.length - at >= 8) {
    const type = bytes[at + 1];
    const size = bytes.readUInt16BE(at + 4);
    const end = at + 8 + size + bytes[at + 6];
    if (bytes.length < end) break;
    if (type === 1) keep = (bytes[at + 10] & 1) === 1;
    if (type === 5 && size === 0) {
      const id = bytes.readUInt16BE(at + 2);
      const all = Buffer.concat([record(6, id, answer), record(6, id, nothing), record(3, id, Buffer.alloc(8))]);
      if (keep) socket.write(all);
      else {
        socket.end(all);
        return -1;
      }
      begun = end;
    }
    at = end;
  }
  return begun;
}

function record(type: number, id: number, content: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from([1, type, id >> 8, id & 255, content.length >> 8, content.length & 255, 0, 0]),
    content,
  ]);
}

/** A netstring of variables. Bodies are not sent in this benchmark. */
function scgi(socket: Socket, bytes: Buffer): number {
  const colon = bytes.indexOf(0x3a);
  if (colon < 0) return 0;
  const size = Number(bytes.toString('latin1', 0, colon));
  if (bytes.length < colon + size + 2) return 0;
  socket.end(answer);
  return -1;
}

function uwsgi(socket: Socket, bytes: Buffer): number {
  if (bytes.length < 4 || bytes.length < 4 + bytes.readUInt16LE(1)) return 0;
  socket.end(answer);
  return -1;
}
