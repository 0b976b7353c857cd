// The application of the tests of HTTP origins: what it does is in the query. The environment says over TLS or not.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createClear, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';

const { NAME = 'hello', HOST = '127.0.0.1', PORT = '0', CERT, KEY = '', CA } = process.env;

const read = (file: string | undefined): Buffer | undefined => (file === undefined ? undefined : readFileSync(file));
const tls = { cert: read(CERT), key: read(KEY || undefined), ca: read(CA), requestCert: CA !== undefined };
const server = CERT === undefined ? createClear(answer) : createSecure(tls, answer);
server.listen(Number(PORT), HOST, () => process.stdout.write('listening\n'));

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://a');
  const tell = (text: string): void => {
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(text, 'latin1') });
    response.end(text, 'latin1');
  };
  switch (searchParams.get('do')) {
    case 'early':
      response.writeHead(403, { 'Content-Length': 5 });
      return void response.end('early');
    case 'error':
      response.writeHead(500);
      return void response.end();
    case 'sum': {
      const hash = createHash('sha256');
      let length = 0;
      request.on('data', (piece: Buffer) => {
        hash.update(piece);
        length += piece.length;
      });
      return void request.on('end', () => tell(`${length} ${hash.digest('hex')}`));
    }
    case 'big': {
      const count = Number(searchParams.get('n'));
      if (searchParams.has('length')) response.setHeader('Content-Length', count * 65_536);
      let i = 0;
      const on = (): void => {
        while (i < count) if (!response.write(Buffer.alloc(65_536, i++ % 256))) return void response.once('drain', on);
        response.end();
      };
      return on();
    }
    case 'die':
      response.writeHead(200, { 'Content-Length': 5000 });
      response.write('x'.repeat(1000));
      return void setTimeout(() => process.kill(process.pid, 'SIGKILL'), 200);
    case 'fields':
      response.writeHead(299, 'Odd Enough', {
        'Set-Cookie': ['a=1', 'b=2'],
        'X-Odd': 'caf\xe9 "x"',
        'Content-Length': 0,
      });
      return void response.end();
    case 'slow':
      return void setTimeout(() => tell(searchParams.get('n') ?? ''), 300);
    case 'who': {
      const { headers, method = '' } = request;
      const one = (name: string): string => String(headers[name] ?? '');
      return tell(
        [
          method,
          pathname,
          one('x-forwarded-for'),
          one('host'),
          one('x-twice'),
          one('cookie'),
          one('x-forwarded-proto'),
        ].join('\n'),
      );
    }
    case 'certificate':
      return tell(one(request));
    default:
      return tell(NAME);
  }
}

/** Whose certificate the client has shown, here or to nginx before us. */
function one({ socket, headers }: IncomingMessage): string {
  const { getPeerCertificate } = socket as { getPeerCertificate?: () => { subject?: { CN?: string } } };
  return getPeerCertificate?.call(socket).subject?.CN ?? String(headers['x-client'] ?? '');
}
