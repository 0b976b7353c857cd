import type { IncomingMessage, ServerResponse } from 'node:http';
import { forwarded, listen, load, originUrl, withoutConnection } from './frame.ts';

type HeaderMap = Record<string, unknown>;
interface FastProxy {
  proxy(request: IncomingMessage, response: ServerResponse, url: string, options: object): void;
}

const fastProxy = await load<(options: object) => FastProxy>('fast-proxy');
const gateway = fastProxy({ base: originUrl, undici: { connections: 64, pipelining: 1 } });
const options = {
  rewriteHeaders: withoutConnection,
  rewriteRequestHeaders: (request: IncomingMessage, headers: HeaderMap): HeaderMap =>
    Object.assign(headers, forwarded(request)),
};
listen((request, response) => gateway.proxy(request, response, request.url ?? '/', options));
