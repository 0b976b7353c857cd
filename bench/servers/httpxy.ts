import { Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import { forwarded, listen, load, originUrl } from './frame.ts';

interface Httpxy {
  createProxyServer(options: object): { web(request: IncomingMessage, response: ServerResponse): Promise<void> };
}

const httpxy = await load<Httpxy>('httpxy');
const proxy = httpxy.createProxyServer({
  target: originUrl,
  agent: new Agent({ keepAlive: true, maxFreeSockets: 64 }),
});
listen((request, response) => {
  Object.assign(request.headers, forwarded(request));
  proxy.web(request, response).catch(() => {
    if (!response.headersSent) response.writeHead(502);
    response.end();
  });
});
