/**
 * An open-loop load generator: request number i is due at start + i / rate, whether or not earlier ones were answered, and
 * its latency counts from then. A proxy that stalls therefore shows the stall in every request that came due meanwhile,
 * instead of being asked less ("coordinated omission").
 *
 * Run as `node fixed-rate.ts '{"port":…,"rate":…,"seconds":…,"connections":…}'`; prints one line of JSON.
 */
import { constants, setPriority } from 'node:os';
import { connect, type Socket } from 'node:net';
import { ResponseReader } from './response.ts';

export interface RateJob {
  readonly port: number;
  readonly rate: number;
  readonly seconds: number;
  readonly connections: number;
}

/**
 * Latencies in microseconds. `late` is how long after it was due a request was really sent: the generator's own share as
 * long as a connection is free, and the wait for a free one when the proxy does not keep up.
 * `blind` is the percentage left out because this program itself was off its core when they were due or on their way.
 */
export interface RateSummary {
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly late50: number;
  readonly late99: number;
  readonly blind: number;
  readonly seconds: number;
}

interface Line {
  readonly socket: Socket;
  /** Index of the request on its way, or -1. */
  request: number;
}

const { port, rate, seconds, connections } = JSON.parse(process.argv[2] ?? '') as RateJob;
const request = Buffer.from(`GET /small HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
/** The first second brings this program's own code up to speed; it is sent and answered but not in the percentiles. */
const warmUp = rate;
const count = warmUp + rate * seconds;
const every = 1000 / rate;
const answerPatience = 2_000;
/** Milliseconds. The origin, on the same core, has less than this to do even when all connections ask it at once. */
const blink = 1;

const latency = new Float64Array(count).fill(Number.NaN);
const lateness = new Float64Array(count).fill(Number.NaN);
/** Requests that say nothing about the proxy. */
const unseen = new Uint8Array(count);
const free: Line[] = [];
const busy = new Set<Line>();
let begin = 0;
let lastAwake = 0;
let due = 0;
let sent = 0;
let answered = 0;
let failed = 0;

const now = (): number => performance.now();

function open(): Promise<void> {
  return new Promise((resolve) => {
    const reader = new ResponseReader();
    const callback = (length: number, buffer: Uint8Array): boolean => {
      if (reader.read(buffer.subarray(0, length))) complete(line, reader);
      return true;
    };
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: Buffer.alloc(4096), callback },
    });
    const line: Line = { socket, request: -1 };
    socket.once('connect', () => {
      free.push(line);
      resolve();
    });
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      if (busy.delete(line)) failed++;
      const at = free.indexOf(line);
      if (at >= 0) free.splice(at, 1);
      resolve();
      if (answered + failed < count && begin > 0) void open().then(send);
    });
  });
}

/**
 * Looks at the clock, and marks what cannot be told apart from a slow proxy when this program has not run for a while
 * (another process on the core, or a virtual machine that was not given its processor).
 */
function awake(): number {
  const time = now();
  const gap = time - lastAwake;
  if (gap > blink) {
    // As long again until what came due meanwhile has been worked off.
    const [from, to] = [lastAwake, time + gap].map((moment) => Math.max(0, Math.ceil((moment - begin) / every)));
    unseen.fill(1, from, to);
    for (const line of busy) unseen[line.request] = 1;
  }
  lastAwake = time;
  return time;
}

function complete(line: Line, reader: ResponseReader): void {
  const time = awake();
  const index = line.request;
  line.request = -1;
  busy.delete(line);
  if (reader.status === 200) latency[index] = time - (begin + index * every);
  else failed++;
  answered++;
  if (reader.closing) line.socket.end();
  else free.push(line);
  send();
}

/** Sends what is due on the lines that are free; what finds none waits, and its latency runs on. */
function send(): void {
  while (sent < due) {
    const line = free.pop();
    if (line === undefined) return;
    line.request = sent;
    busy.add(line);
    lateness[sent] = now() - (begin + sent * every);
    sent++;
    line.socket.write(request);
  }
}

function measured(values: Float64Array): Float64Array {
  return values.filter((value, at) => at >= warmUp && unseen[at] === 0 && !Number.isNaN(value)).toSorted();
}

function percentile(sorted: Float64Array, share: number): number {
  return (sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN) * 1000;
}

function report(): void {
  const times = measured(latency);
  const late = measured(lateness);
  const summary: RateSummary = {
    sent,
    answered,
    failed: failed + count - sent + (sent - answered),
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    p999: percentile(times, 0.999),
    max: percentile(times, 1),
    late50: percentile(late, 0.5),
    late99: percentile(late, 0.99),
    blind: (unseen.subarray(warmUp).reduce((sum, one) => sum + one, 0) * 100) / (count - warmUp),
    seconds: (now() - begin) / 1000,
  };
  console.log(JSON.stringify(summary));
  process.exit();
}

/**
 * Turns round without ever sleeping, because timers of an event loop know milliseconds only and a wake-up costs more than
 * what is measured. At the lowest priority, so that the origin on the same core goes first whenever it has work.
 */
function turn(): void {
  due = Math.min(count, Math.floor((awake() - begin) / every) + 1);
  send();
  if (answered + failed < count && now() < begin + count * every + answerPatience) setImmediate(turn);
  else report();
}

setPriority(constants.priority.PRIORITY_LOW);
await Promise.all(Array.from({ length: connections }, open));
begin = lastAwake = now();
turn();
