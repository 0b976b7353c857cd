/** Scripted origins over TLS: the peers of scripted.ts behind Node's own server side of TLS. */
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { createServer, type TlsOptions, type TLSSocket } from 'node:tls';
import type { Issued } from './certificates.ts';
import { type Message, Peer } from './scripted.ts';

export interface SecurePeer extends Peer {
  readonly socket: TLSSocket;
}

export interface SecureOrigin {
  readonly port: number;
  readonly url: string;
  /** Connections whose handshake is done, in order. */
  readonly connections: SecurePeer[];
  /** The connections below, of failed handshakes too. */
  readonly raw: Socket[];
  /** Every request that `secureServer` read. */
  readonly requests: Message[];
}

/** An origin that does as the script says with each connection. */
export async function secureOrigin(
  t: TestContext,
  { pem }: Issued,
  script: (peer: SecurePeer, self: SecureOrigin) => Promise<void> | void,
  options: TlsOptions & { readonly path?: string } = {},
): Promise<SecureOrigin> {
  const { path, ...tls } = options;
  const server = createServer({ ...pem, allowHalfOpen: true, ...tls } as TlsOptions, (socket) => {
    const made = new Peer(socket) as SecurePeer;
    self.connections.push(made);
    // Whoever ends a connection while the script waits has done what the test is about.
    void (async () => script(made, self))().catch(() => {});
  });
  const raw: Socket[] = [];
  server.on('connection', (socket: Socket) => {
    raw.push(socket);
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) =>
    server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path }, resolve),
  );
  const port = path === undefined ? (server.address() as AddressInfo).port : 0;
  const url = path === undefined ? `https://127.0.0.1:${port}` : `https+unix:${path}`;
  const self: SecureOrigin = { port, url, connections: [], raw, requests: [] };
  t.after(() => {
    server.close(() => {});
    for (const one of self.connections) one.close();
    for (const one of raw) one.destroy();
  });
  return self;
}

/** An origin that reads whole requests and answers each. */
export function secureServer(
  t: TestContext,
  issued: Issued,
  answer: (
    request: Message,
    peer: SecurePeer,
    self: SecureOrigin,
  ) => string | Buffer | void | Promise<string | Buffer | void>,
  options: TlsOptions & { readonly path?: string } = {},
): Promise<SecureOrigin> {
  return secureOrigin(
    t,
    issued,
    async (peer, self) => {
      for (;;) {
        const request = await peer.request();
        if (request === undefined) return peer.fin();
        self.requests.push(request);
        const bytes = await answer(request, peer, self);
        if (bytes !== undefined) peer.send(bytes);
      }
    },
    options,
  );
}
