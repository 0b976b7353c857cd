/** A small server that says its name: what stands behind sluice in the demo. It can be stopped, as if killed, and started again. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export class DemoOrigin {
  readonly name: string;
  #server: Server | null = null;
  #port = 0;

  constructor(name: string) {
    this.name = name;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens: the first time on any free port, later on the same one. */
  async start(): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer((request, response) => answer(this.name, request, response));
    await addSocket(server, this.name);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Ends at once, connections and all. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }
}

function answer(name: string, request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').split('?', 1)[0];
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  switch (path) {
    case '/slow':
      setTimeout(() => response.end(`${name} took two seconds\n`), 2000);
      return;
    case '/echo':
      request.pipe(response);
      return;
    case '/events':
      return events(name, response);
    default:
      response.end(`${name} says hello\n`);
  }
}

/** Server-sent events: one now, one each second. */
function events(name: string, response: ServerResponse): void {
  let count = 0;
  const send = (): void => void response.write(`data: event ${++count} from ${name}\n\n`);
  response.setHeader('Content-Type', 'text/event-stream');
  send();
  const timer = setInterval(send, 1000);
  response.on('close', () => clearInterval(timer));
}

/** A WebSocket at /socket that sends back what it gets. Needs `ws`, which a checkout has and an installed package has not. */
async function addSocket(server: Server, name: string): Promise<void> {
  const ws = await import('ws').catch(() => null);
  if (ws === null) return;
  const sockets = new ws.WebSocketServer({ server, path: '/socket' });
  sockets.on('connection', (socket) => {
    socket.on('error', () => {}); // A cut connection is part of the demo.
    socket.on('message', (data: Buffer) => socket.send(`${name} heard ${data.toString()}`));
  });
}
