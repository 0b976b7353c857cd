/**
 * A server to put behind sluice: `node examples/origin.ts NAME PORT`, or a unix socket's path in place of the port.
 *
 * It answers with its name. `?wait=500` waits half a second before; `/headers` shows what was forwarded, `/most` how many
 * requests were ever here at once; `/exit` ends the program, as a crash would.
 */
import { createServer } from 'node:http';

const [name = 'origin', where = '3001'] = process.argv.slice(2);
let here = 0;
let most = 0;

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://origin');
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  switch (url.pathname) {
    case '/exit':
      return process.exit();
    case '/most':
      response.end(`${most} at once\n`);
      return;
    case '/headers': {
      const forwarded = Object.entries(request.headers).filter(([field]) => /^(?:host$|x-forwarded-)/.test(field));
      response.end(forwarded.map(([field, value]) => `${field}: ${String(value)}\n`).join(''));
      return;
    }
    default:
      most = Math.max(most, ++here);
      setTimeout(
        () => {
          here--;
          response.end(`${name} answers ${url.pathname}\n`);
        },
        Number(url.searchParams.get('wait') ?? 0),
      );
  }
});
server.listen(/^\d+$/.test(where) ? { port: Number(where), host: '127.0.0.1' } : { path: where }, () => {
  console.log(`${name} listens on ${where}`);
});
process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
