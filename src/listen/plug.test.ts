import assert from 'node:assert/strict';
import { createServer, type Server, Socket, type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { eventually, sleep } from '../../test/support/scripted.ts';
import { Plug } from './plug.ts';

interface Sharing {
  readonly server: Server;
  readonly port: number;
  /** Those that were not the plug's. */
  readonly clients: Socket[];
  plug: Plug | null;
}

async function sharing(t: TestContext, port = 0): Promise<Sharing> {
  const self = { clients: [] as Socket[], plug: null as Plug | null };
  const server = createServer((socket) => {
    socket.on('error', () => {});
    if (self.plug?.takes(socket.remoteAddress ?? '', socket.remotePort ?? 0) === true) socket.destroy();
    else self.clients.push(socket);
  });
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port, reusePort: true }, resolve));
  t.after(() => {
    for (const socket of self.clients) socket.destroy();
    server.close();
  });
  return Object.assign(self, { server, port: (server.address() as AddressInfo).port });
}

/** Queues of one place, as `Listener` makes them. */
function narrow({ server }: Sharing): void {
  (server as Server & { _handle: { listen(backlog: number): number } })._handle.listen(0);
}

async function fitted(t: TestContext, at: Sharing): Promise<Plug> {
  const plug = (at.plug = new Plug('127.0.0.1', at.port, Math.random));
  t.after(() => plug.close());
  await eventually(() => plug.fits || plug.probe(), 'a port that leads here');
  narrow(at);
  return plug;
}

const skip = process.platform === 'linux' ? false : 'addresses are shared so on Linux only';

test(
  'with the plug in, a client comes to the other listener or to nobody, and is not reset by the close',
  { skip },
  async (t) => {
    const leaving = await sharing(t);
    const other = await sharing(t, leaving.port);
    const plug = await fitted(t, leaving);
    const before = leaving.clients.length;
    while (!(await plug.put())) await sleep(1);
    // In the same turn, so nobody is accepted meanwhile: 20 clients, of whom about half would be led to the one that leaves.
    const clients = Array.from({ length: 20 }, () => new Socket().connect({ host: '127.0.0.1', port: leaving.port }));
    t.after(() => clients.forEach((one) => one.destroy()));
    const failed: string[] = [];
    for (const one of clients) one.on('error', (error: NodeJS.ErrnoException) => failed.push(error.code ?? ''));
    await new Promise<void>((resolve) => process.nextTick(resolve));
    leaving.server.close();
    plug.close();
    const strangers = other.clients.length;
    await eventually(() => clients.every((one) => !one.connecting), 'all connect, some a second later');
    await eventually(() => other.clients.length >= strangers + 20, 'all are at the other one');
    assert.deepEqual(failed, []);
    assert.equal(leaving.clients.length, before);
  },
);

test('a client that waits already keeps the plug out until it is let in', { skip }, async (t) => {
  const leaving = await sharing(t);
  const plug = await fitted(t, leaving);
  await sleep(20);
  const client = new Socket().connect({ host: '127.0.0.1', port: leaving.port });
  client.on('error', () => {});
  t.after(() => client.destroy());
  await new Promise<void>((resolve) => process.nextTick(resolve));
  assert.equal(await plug.put(), false);
  await eventually(() => leaving.clients.length === 1, 'it is let in');
  assert.equal(await plug.put(), true, 'then the plug goes in');
});

test('a client of a port that was tried in vain is no plug', async (t) => {
  const at = await sharing(t);
  // All ports are taken: connecting from an address that is not ours fails at once.
  const plug = new Plug('192.0.2.1', at.port, () => 0);
  t.after(() => plug.close());
  plug.probe();
  await sleep(50);
  assert.equal(plug.takes('192.0.2.1', 20_000), false);
  assert.equal(plug.takes('127.0.0.1', 20_000), false);
  assert.equal(plug.fits, false);
});
