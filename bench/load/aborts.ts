/**
 * Clients that go away: each connects, gets as far as a random phase of a request, and resets or closes. Run as
 * `node aborts.ts '{"port":…,"seconds":…,"connections":…,"seed":…}'`; prints one line of JSON.
 */
import { connect, type Socket } from 'node:net';

export interface AbortJob {
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
  readonly seed: number;
}

export interface AbortSummary {
  readonly aborts: number;
  readonly refused: number;
}

/** How a client begins, and when it leaves: at once, or with the first byte of the answer. */
interface Phase {
  readonly bytes: string;
  readonly leave: 'at once' | 'soon' | 'at first answer byte';
}

const { port, seconds, connections, seed } = JSON.parse(process.argv[2] ?? '') as AbortJob;
const host = `Host: 127.0.0.1:${port}\r\n`;
const get = (path: string): string => `GET ${path} HTTP/1.1\r\n${host}\r\n`;
const post = `POST /post HTTP/1.1\r\n${host}Content-Length: 100000\r\n\r\n${'x'.repeat(30_000)}`;
const phases: readonly Phase[] = [
  { bytes: '', leave: 'at once' },
  { bytes: get('/small').slice(0, 20), leave: 'soon' },
  { bytes: get('/small'), leave: 'at once' },
  { bytes: get('/small'), leave: 'soon' },
  { bytes: get('/large'), leave: 'at once' },
  { bytes: get('/large'), leave: 'at first answer byte' },
  { bytes: post, leave: 'at once' },
  { bytes: post, leave: 'soon' },
];
const soon = 2; // milliseconds: about when a small answer is on its way
const patience = 1_000;

let aborts = 0;
let refused = 0;

/** mulberry32: the same run for every subject and every day. */
let state = seed;
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

function abortOnce(): Promise<void> {
  return new Promise((resolve) => {
    const phase = phases[Math.floor(random() * phases.length)];
    const reset = random() < 0.5;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const go = (): void => leave(socket, reset);
    socket.once('connect', () => {
      aborts++;
      if (phase === undefined || phase.bytes === '') return go();
      socket.write(phase.bytes, 'latin1');
      if (phase.leave === 'at once') go();
      else if (phase.leave === 'soon') setTimeout(go, soon);
      else socket.once('data', go);
    });
    socket.setTimeout(patience, go);
    socket.on('error', () => {
      if (socket.connecting) refused++;
      socket.destroy();
    });
    socket.once('close', () => resolve());
  });
}

function leave(socket: Socket, reset: boolean): void {
  if (reset) socket.resetAndDestroy();
  else socket.destroy();
}

const end = performance.now() + seconds * 1000;
async function client(): Promise<void> {
  while (performance.now() < end) await abortOnce();
}

await Promise.all(Array.from({ length: connections }, client));
const summary: AbortSummary = { aborts, refused };
console.log(JSON.stringify(summary));
process.exit();
