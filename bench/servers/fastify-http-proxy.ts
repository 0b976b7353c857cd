import type { IncomingMessage, ServerResponse } from 'node:http';
import { forwarded, keepAliveTimeout, load, logAtEnd, originUrl, port, withoutConnection } from './frame.ts';

type HeaderMap = Record<string, unknown>;
interface Wrapped<Raw> {
  readonly raw: Raw;
}
interface Fastify {
  register(plugin: unknown, options: object): void;
  addHook(
    name: 'onRequest',
    hook: (request: Wrapped<IncomingMessage>, reply: Wrapped<ServerResponse>, done: () => void) => void,
  ): void;
  listen(options: object): Promise<string>;
}

const fastify = await load<(options: object) => Fastify>('fastify');
const httpProxy = await load<unknown>('@fastify/http-proxy');
const app = fastify({ logger: false, keepAliveTimeout });
// Not in an onResponse hook, which is never called for a proxied POST.
app.addHook('onRequest', (request, reply, done) => {
  logAtEnd(request.raw, reply.raw);
  done();
});
app.register(httpProxy, {
  upstream: originUrl,
  undici: { connections: 64, pipelining: 1 },
  replyOptions: {
    rewriteHeaders: withoutConnection,
    rewriteRequestHeaders: ({ raw }: Wrapped<IncomingMessage>, headers: HeaderMap): HeaderMap =>
      Object.assign(headers, forwarded(raw)),
  },
});
await app.listen({ host: '127.0.0.1', port });
