/** The second kind of origin: Node's own http server. Usage: node-origin.ts HOST PORT FOLDER [NAME] */
import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join, normalize } from 'node:path';
import { WebSocketServer, type WebSocket } from 'ws';

const [host = '', port = '', folder = '', name = 'node'] = process.argv.slice(2);

/** Requests in hand, and the most there ever were. */
let busy = 0;
let most = 0;

const zeros = Buffer.alloc(65_536);

const server = createServer((request, response) => {
  busy++;
  most = Math.max(most, busy);
  response.once('close', () => busy--);
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://origin');
  switch (pathname) {
    case '/name':
      return void response.end(name);
    case '/most':
      return void response.end(String(most));
    case '/slow':
      // Long enough that two at once would be seen.
      return void setTimeout(() => response.end('slow'), Number(searchParams.get('ms') ?? 5));
    case '/events':
      return events(response);
    case '/zeros':
      return send(response, Number(searchParams.get('bytes')), searchParams.has('chunked'));
    case '/sink':
      return sink(request, response, Number(searchParams.get('rate') ?? 0));
    case '/echo':
      response.setHeader('Content-Type', 'text/plain');
      return void response.end(JSON.stringify({ version: request.httpVersion, raw: request.rawHeaders }));
    case '/mirror':
      return void request.pipe(response);
    case '/early':
      // Answers before the body has come, and does not want it.
      return void response.writeHead(403, { 'Content-Length': 5, Connection: 'close' }).end('early');
    case '/hints':
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      return void setTimeout(() => response.end('after hints'), 20);
    case '/trailers':
      response.writeHead(200, { Trailer: 'X-Sum' });
      response.write('body');
      response.addTrailers({ 'X-Sum': 'abc' });
      return void response.end();
    case '/cut':
      response.writeHead(200, searchParams.has('chunked') ? {} : { 'Content-Length': 1000 });
      response.write('half');
      return void setTimeout(() => request.socket.destroy(), 50);
    default:
      return file(request, response, pathname);
  }
});

function events(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  let number = 0;
  const tick = setInterval(() => {
    response.write(`data: ${number++} ${Date.now()}\n\n`);
    if (number < 5) return;
    clearInterval(tick);
    response.end();
  }, 1000);
}

function send(response: ServerResponse, bytes: number, chunked: boolean): void {
  response.writeHead(200, chunked ? {} : { 'Content-Length': bytes });
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      const piece = zeros.subarray(0, Math.min(left, zeros.length));
      left -= piece.length;
      if (!response.write(piece)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

/** Takes a body, at most `rate` bytes a second when that is given, and answers its size and digest. */
function sink(request: IncomingMessage, response: ServerResponse, rate: number): void {
  const digest = createHash('sha256');
  let size = 0;
  const begun = Date.now();
  request.on('data', (piece: Buffer) => {
    size += piece.length;
    if (rate === 0) return void digest.update(piece);
    const ahead = (size / rate) * 1000 - (Date.now() - begun);
    if (ahead < 5) return;
    request.pause();
    setTimeout(() => request.resume(), ahead);
  });
  request.on('end', () => response.end(`${size} ${digest.digest('hex')} ${JSON.stringify(request.trailers)}`));
}

function file(request: IncomingMessage, response: ServerResponse, path: string): void {
  const full = join(folder, normalize(path));
  const found = statSync(full, { throwIfNoEntry: false });
  if (found === undefined || !found.isFile()) return void response.writeHead(404).end();
  const { size } = found;
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = Number(range?.[1] ?? 0);
  const end = range?.[2] === undefined || range[2] === '' ? size - 1 : Number(range[2]);
  response.writeHead(range === null ? 200 : 206, {
    'Content-Length': end - start + 1,
    ...(range === null ? {} : { 'Content-Range': `bytes ${start}-${end}/${size}` }),
  });
  if (request.method === 'HEAD') response.end();
  else createReadStream(full, { start, end }).pipe(response);
}

const sockets = new WebSocketServer({ server, maxPayload: 64 * 1024 * 1024 });
sockets.on('connection', (socket: WebSocket, request) => {
  socket.on('message', (message: Buffer, binary) => {
    if (!binary && message.toString() === 'close me') socket.close(4001, 'as you wish');
    else if (!binary && message.toString() === 'where am I') socket.send(request.url ?? '');
    else socket.send(message, { binary });
  });
});

server.keepAliveTimeout = 5000;
server.listen(Number(port), host);
