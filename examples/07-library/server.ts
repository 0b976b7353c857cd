/** A program with a proxy in it: `node examples/07-library/server.ts PORT`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
// In a project of your own: import { createSluice } from 'sluice';
import { createSluice } from '../../src/index.ts';

const [port = '8080'] = process.argv.slice(2);

const origin = createServer((request, response) => response.end(`hello, ${String(request.headers['x-user'])}\n`));
await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));

const proxy = await createSluice(
  {
    listen: Number(port),
    upstreams: { app: { origins: [(origin.address() as AddressInfo).port] } },
  },
  {
    onRequest({ headers }) {
      if (headers.get('x-key') !== 'open sesame') return { status: 401, body: 'a key is needed\n' };
      headers.delete('x-key');
      headers.set('X-User', 'key holder');
      return undefined;
    },
    onResponse({ headers, origin: address }) {
      headers.set('X-Answered-By', address);
    },
  },
);
console.log(`listening on ${proxy.addresses[0]}`);

// The library installs no signal handlers: ending is your program's business.
process.on('SIGTERM', () => void proxy.close().then(() => origin.close()));
