/** node:http2 in clear text, whose application does what the query says, as app.py does. Arguments: host, port, name. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

const [host = '', port = '', name = 'hello'] = process.argv.slice(2);

const server = createServer({ settings: { enableConnectProtocol: true } });
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  if (headers[':method'] === 'CONNECT') echo(stream, headers);
  else void answer(stream, headers);
});
server.listen(Number(port), host);

interface ServerSide extends WebSocket {
  setSocket(...some: unknown[]): void;
}

/** A WebSocket over extended CONNECT (RFC 8441). */
function echo(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  if (headers[':protocol'] !== 'websocket' || headers[':path'] === '/refused') {
    return stream.respond({ ':status': 403 }, { endStream: true });
  }
  stream.respond({ ':status': 200 });
  // The package has no word for it yet; this is what its own server does after a handshake.
  const options = { autoPong: true, closeTimeout: 30_000, maxPayload: 64 * 1_048_576, allowSynchronousEvents: true };
  const socket = new (WebSocket as unknown as new (...some: unknown[]) => ServerSide)(null, undefined, options);
  socket.setSocket(stream, Buffer.alloc(0), options);
  socket.on('message', (message: Buffer, binary: boolean) => {
    if (!binary && String(message) === 'close me') socket.close(4001, 'as you wish');
    else if (!binary && String(message) === 'where am I') socket.send(headers[':path'] ?? '');
    else socket.send(message, { binary });
  });
}

async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
  const url = new URL(headers[':path'] ?? '/', 'http://a');
  const query = url.searchParams;
  let text = name;
  switch (query.get('do')) {
    case 'early':
      stream.respond({ ':status': 403, 'content-length': 5 });
      return void stream.end('early');
    case 'error':
      return void stream.destroy(new Error('on purpose'));
    case 'sum': {
      const digest = createHash('sha256');
      let size = 0;
      for await (const piece of stream as AsyncIterable<Buffer>) {
        digest.update(piece);
        size += piece.length;
      }
      text = `${size} ${digest.digest('hex')}`;
      break;
    }
    case 'big': {
      const count = Number(query.get('n'));
      stream.respond({ ':status': 200, ...(query.has('length') ? { 'content-length': count * 65_536 } : {}) });
      for (let i = 0; i < count; i++) {
        if (stream.destroyed) return;
        if (!stream.write(Buffer.alloc(65_536, i % 256))) await new Promise((resolve) => stream.once('drain', resolve));
      }
      return void stream.end();
    }
    case 'die':
      stream.respond({ ':status': 200, 'content-length': 5000 });
      stream.write('x'.repeat(1000));
      await sleep(200);
      return process.exit(9);
    case 'fields':
      stream.respond({ ':status': 299, 'set-cookie': ['a=1', 'b=2'], 'x-odd': 'caf\xe9 "x"', 'content-length': 0 });
      return void stream.end();
    case 'slow':
      await sleep(300);
      text = query.get('n') ?? '';
      break;
    case 'who':
      text = [
        ...[headers[':method'], url.pathname, headers['x-forwarded-for'], headers[':authority']],
        ...[headers['x-twice'], headers.cookie, headers[':scheme']],
      ].join('\n');
      break;
    default:
  }
  stream.respond(
    { ':status': 200, 'content-type': 'text/plain', 'content-length': text.length },
    { endStream: headers[':method'] === 'HEAD' },
  );
  if (headers[':method'] !== 'HEAD') stream.end(text);
}
