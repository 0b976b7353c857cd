/**
 * Opens many keep-alive connections, makes one request on each, and then leaves them alone until it is told to end, so that
 * the proxy's memory can be read meanwhile. Run as `node idle.ts '{"port":…,"connections":…}'`; prints how many connections
 * are open, once when all have been answered and again for every line on its input.
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { ResponseReader } from './response.ts';

export interface IdleJob {
  readonly port: number;
  readonly connections: number;
}

const { port, connections } = JSON.parse(process.argv[2] ?? '') as IdleJob;
const request = Buffer.from(`GET /small HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
/** Few enough at a time that what is measured is idle connections, not a burst of them. */
const atOnce = 32;
let started = 0;
let open = 0;

function openOne(): Promise<void> {
  return new Promise((resolve) => {
    const reader = new ResponseReader();
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(request));
    let counted = false;
    socket.on('data', (bytes) => {
      if (!reader.read(bytes) || reader.status !== 200 || reader.closing) return;
      counted = true;
      open++;
      resolve();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (counted) open--;
      resolve();
    });
  });
}

async function openMany(): Promise<void> {
  while (started++ < connections) await openOne();
}

await Promise.all(Array.from({ length: atOnce }, openMany));
console.log(open);
for await (const _line of createInterface(process.stdin)) console.log(open);
process.exit();
