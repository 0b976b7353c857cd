/** Serves both http-proxy and its successor http-proxy-3, which keep the same interface; the package is the second argument. */
import { Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import { forwarded, listen, load, originUrl } from './frame.ts';

interface HttpProxy {
  web(request: IncomingMessage, response: ServerResponse): void;
  on(event: 'error', listener: (error: Error, request: IncomingMessage, response: ServerResponse) => void): void;
}
interface HttpProxyModule {
  createProxyServer(options: object): HttpProxy;
}

const httpProxy = await load<HttpProxyModule>(process.argv[3] ?? '');
const proxy = httpProxy.createProxyServer({
  target: originUrl,
  agent: new Agent({ keepAlive: true, maxFreeSockets: 64 }),
});
proxy.on('error', (_error, _request, response) => {
  if (!response.headersSent) response.writeHead(502);
  response.end();
});
listen((request, response) => {
  Object.assign(request.headers, forwarded(request));
  proxy.web(request, response);
});
