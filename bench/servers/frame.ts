/**
 * What the Node proxies under comparison share: a listening server, a Combined access log, and the forwarded headers that
 * a library does not set by itself. Each `servers/NAME.ts` is run as `node NAME.ts '{"port":…,"origin":…,"accessLog":…}'`.
 */
import { randomUUID } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';

interface Place {
  readonly port: number;
  readonly origin: number;
  readonly accessLog: string;
}

export const { port, origin, accessLog } = JSON.parse(process.argv[2] ?? '') as Place;
export const originUrl = `http://127.0.0.1:${origin}`;
/** Node closes idle connections after 5 s by default, nginx and the others here after 75. */
export const keepAliveTimeout = 75_000;

/** The packages belong to bench/package.json; importing them by a variable lets the project's type check do without them. */
export async function load<Module>(name: string): Promise<Module> {
  const module = (await import(name)) as Module & { readonly default?: Module };
  return module.default ?? module;
}

export function listen(handle: RequestListener): void {
  const server = createServer({ keepAliveTimeout }, (request, response) => {
    logAtEnd(request, response);
    handle(request, response);
  });
  server.listen(port, '127.0.0.1', 511);
}

/** The origin's `Connection: keep-alive` is not for the client; two of the libraries pass it on, even when they close. */
export function withoutConnection(headers: Record<string, unknown>): Record<string, unknown> {
  delete headers['connection'];
  return headers;
}

/** For libraries that set no forwarded headers, or not all of them. */
export function forwarded(request: IncomingMessage): Record<string, string> {
  return {
    'x-forwarded-for': request.socket.remoteAddress ?? '',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': request.headers.host ?? '',
    'x-request-id': randomUUID(),
  };
}

const logFile = openSync(accessLog, 'a');
const flushSize = 64 * 1024;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
let lines = '';
let now = timestamp(new Date());
setInterval(() => {
  now = timestamp(new Date());
  flush();
}, 1000).unref();

/** One Combined line in a buffer: as cheap as logging gets in a Node server, and as nginx does it with `buffer=64k flush=1s`. */
export function logAtEnd(request: IncomingMessage, response: ServerResponse): void {
  const client = request.socket.remoteAddress ?? '-'; // undici takes the socket off a request whose body it has read
  response.on('close', () => logAccess(client, request, response));
}

function logAccess(client: string, request: IncomingMessage, response: ServerResponse): void {
  const { method, url, httpVersion, headers } = request;
  const length = response.getHeader('content-length') ?? '-';
  const first = `"${method} ${url} HTTP/${httpVersion}" ${response.statusCode} ${String(length)}`;
  const agent = headers['user-agent'] ?? '-';
  lines += `${client} - - [${now}] ${first} "${headers.referer ?? '-'}" "${agent}"\n`;
  if (lines.length >= flushSize) flush();
}

function flush(): void {
  if (lines === '') return;
  writeSync(logFile, lines);
  lines = '';
}

function timestamp(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${two(date.getUTCDate())}/${months[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}
