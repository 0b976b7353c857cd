/** Going over to another config while requests are in hand. */
import assert from 'node:assert/strict';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { check, type ConfigInput, showProblems } from '../../src/config/index.ts';
import type { Config } from '../../src/config/config.ts';
import type { Change } from '../../src/control/plan.ts';
import { Sluice } from '../../src/sluice.ts';
import { eventually } from '../support/scripted.ts';

interface Named {
  readonly url: string;
  readonly server: Server;
  /** Requests that have come and not been answered. */
  readonly held: (() => void)[];
  sockets: number;
}

/** An origin that answers its name, keeps `/hold` until told, echoes WebSockets and streams `/slow`. */
async function named(t: TestContext, name: string): Promise<Named> {
  const held: (() => void)[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/hold') held.push(() => response.end(name));
    else if (request.url === '/slow') {
      response.write('begin ');
      held.push(() => response.end(name));
    } else response.end(name);
  });
  const origin: Named = { url: '', server, held, sockets: 0 };
  server.on('connection', (socket) => {
    origin.sockets++;
    socket.on('close', () => origin.sockets--);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
    server.closeAllConnections();
  });
  return Object.assign(origin, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

interface Running {
  readonly sluice: Sluice;
  readonly addresses: readonly string[];
  reload(config: ConfigInput): Promise<Change[]>;
}

async function running(t: TestContext, config: ConfigInput): Promise<Running> {
  const sluice = new Sluice(checked(config), { messages: { say() {} } });
  await sluice.open();
  t.after(() => sluice.close(0));
  return {
    sluice,
    get addresses() {
      return sluice.addresses;
    },
    reload: async (next) => sluice.reload(checked(next)),
  };
}

function checked(input: ConfigInput): Config {
  const { config, problems } = check({ ...input, log: { access: 'off', error: 'off' } });
  if (config === undefined) throw new Error(showProblems(problems));
  return config;
}

function get(base: string, path = '/'): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(base + path, { agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('latin1').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve(`${answer.statusCode} ${text}`));
      answer.on('error', reject);
    });
    asked.on('error', reject).end();
  });
}

const listen = '127.0.0.1:0';

test('after a takeover, a new address is looked at again before it is shared', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen({ port: 0, host: '127.0.0.1', reusePort: true }, resolve));
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  const routes = [{ respond: { status: 200 } }];
  const standing = { sharing: true, takeover: true };
  const sluice = new Sluice(checked({ listen, routes }), { messages: { say() {} } }, standing);
  await sluice.open();
  t.after(() => sluice.close(0));
  await assert.rejects(sluice.reload(checked({ listen: [listen, `127.0.0.1:${port}`], routes })), {
    code: 'EADDRINUSE',
  });
});

test('an origin that is taken out finishes what it has and gets nothing new', async (t) => {
  const [one, two] = [await named(t, 'one'), await named(t, 'two')];
  const sluice = await running(t, { listen, upstreams: { app: { origins: one.url } } });
  const [address] = sluice.addresses;
  const held = get(address, '/slow');
  await eventually(() => one.held.length === 1, 'the request is with its origin');
  const changes = await sluice.reload({ listen, upstreams: { app: { origins: two.url } } });
  assert.deepEqual(
    changes.map(({ action, what }) => `${action} ${what}`),
    ['remove origin', 'add origin'],
  );
  assert.equal(sluice.addresses[0], address, 'the listener has stayed');
  assert.equal(await get(address), '200 two');
  one.held[0]();
  assert.equal(await held, '200 begin one');
  await eventually(() => one.sockets === 0, 'no connection is kept to an origin that is gone');
});

test('an origin that is taken out is cut when its time is up', async (t) => {
  const [one, two] = [await named(t, 'one'), await named(t, 'two')];
  const config = { listen, timeouts: { drain: '200ms' } };
  const sluice = await running(t, { ...config, upstreams: { app: { origins: one.url } } });
  const held = get(sluice.addresses[0], '/slow');
  await eventually(() => one.held.length === 1, 'the request is with its origin');
  await sluice.reload({ ...config, upstreams: { app: { origins: two.url } } });
  await assert.rejects(held, 'an answer that was begun must look cut off');
  await eventually(() => one.sockets === 0, 'its connection is closed');
});

test('what did not change lives on: connections, a WebSocket, the queue', async (t) => {
  const [kept, other] = [await named(t, 'kept'), await named(t, 'other')];
  const upstreams = { kept: { origins: kept.url, maxConnections: 2 }, other: { origins: other.url } };
  const config = { listen };
  const route = { match: { path: '/other/*' }, to: 'other' as const };
  const sluice = await running(t, { ...config, upstreams, routes: [route, { to: 'kept' }] });
  const [address] = sluice.addresses;
  const socket = new WebSocket(address.replace('http', 'ws'));
  await new Promise((resolve) => socket.once('open', resolve));
  const holding = get(address, '/hold');
  await eventually(() => kept.held.length === 1, 'the slot is taken');
  const waiting = get(address, '/');
  await eventually(() => sluice.sluice.upstreams.get('kept')?.backlog.length === 1, 'the other waits');
  await sluice.reload({
    ...config,
    upstreams: { kept: upstreams.kept },
    routes: [{ match: { path: '/new' }, respond: { status: 200, body: 'fresh' } }, { to: 'kept' }],
  });
  assert.equal(await get(address, '/new'), '200 fresh');
  const echo = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString())));
  socket.send('still here');
  assert.equal(await echo, 'still here');
  kept.held[0]();
  assert.equal(await holding, '200 kept');
  assert.equal(await waiting, '200 kept');
  socket.close();
});

test('those who wait for a free origin get the one that a reload brings', async (t) => {
  const [busy, fresh] = [await named(t, 'busy'), await named(t, 'fresh')];
  const config = { listen };
  const app = { maxConnections: 1, origins: [busy.url] };
  const sluice = await running(t, { ...config, upstreams: { app } });
  const [address] = sluice.addresses;
  const first = get(address, '/hold');
  await eventually(() => busy.held.length === 1, 'the only slot is taken');
  const second = get(address);
  await eventually(() => sluice.sluice.upstreams.get('app')?.backlog.length === 1, 'the second waits');
  await sluice.reload({ ...config, upstreams: { app: { ...app, origins: [busy.url, fresh.url] } } });
  assert.equal(await second, '200 fresh');
  busy.held[0]();
  assert.equal(await first, '200 busy');
});

test('an upstream that is taken out still serves those who wait in it', async (t) => {
  const [old, fresh] = [await named(t, 'old'), await named(t, 'fresh')];
  const config = { listen };
  const sluice = await running(t, { ...config, upstreams: { old: { maxConnections: 1, origins: old.url } } });
  const [address] = sluice.addresses;
  const first = get(address, '/hold');
  await eventually(() => old.held.length === 1, 'the only slot is taken');
  const second = get(address);
  await eventually(() => sluice.sluice.upstreams.get('old')?.backlog.length === 1, 'the second waits');
  await sluice.reload({ ...config, upstreams: { fresh: { origins: fresh.url } } });
  assert.equal(await get(address), '200 fresh');
  old.held[0]();
  assert.deepEqual([await first, await second], ['200 old', '200 old']);
});

test('listeners come and go; one that cannot be bound changes nothing', async (t) => {
  const origin = await named(t, 'origin');
  const taken = await named(t, 'taken');
  const upstreams = { app: { origins: origin.url } };
  const config = { upstreams };
  const sluice = await running(t, { ...config, listen });
  const [address] = sluice.addresses;
  const port = new URL(taken.url).port;
  await assert.rejects(
    sluice.reload({ ...config, listen: [listen, `127.0.0.1:${port}`], routes: [{ respond: { status: 204 } }] }),
    { code: 'EADDRINUSE' },
  );
  assert.equal(await get(address), '200 origin');
  assert.deepEqual(sluice.addresses, [address]);
  await sluice.reload({ ...config, listen: [listen, { address: 'localhost:0', name: 'second' }] });
  const [first, second] = sluice.addresses;
  assert.equal(first, address);
  assert.equal(await get(second), '200 origin');
  await sluice.reload({ ...config, listen: { address: 'localhost:0', name: 'second' } });
  assert.equal(await get(second), '200 origin');
  await assert.rejects(get(address), { code: 'ECONNREFUSED' });
});

test('a wrong config changes nothing and says why', async (t) => {
  const origin = await named(t, 'origin');
  const sluice = await running(t, { listen, upstreams: { app: { origins: origin.url } } });
  await assert.rejects(
    sluice.reload({ listen, upstreams: { app: { origins: origin.url, balance: 'fastest' as never } } }),
    /balance/,
  );
  assert.equal(await get(sluice.addresses[0]), '200 origin');
});

test('200 reloads under load: no request fails, nothing is left behind', async (t) => {
  const origins = await Promise.all(['a', 'b', 'c'].map((name) => named(t, name)));
  const config = (round: number) => ({
    listen,
    // Long enough for a request on a busy machine; the WebSocket below waits for it.
    timeouts: { drain: '5s' },
    upstreams: { app: { origins: origins.filter((_, index) => index !== round % 4).map(({ url }) => url) } },
    routes: [{ match: { path: `/only/${round}` }, respond: { status: 204 } }, { to: 'app' as const }],
  });
  const sluice = await running(t, config(3));
  const [address] = sluice.addresses;
  const socket = new WebSocket(address.replace('http', 'ws'));
  await new Promise((resolve) => socket.once('open', resolve));
  let stop = false;
  let served = 0;
  const failed: string[] = [];
  const clients = Array.from({ length: 8 }, async () => {
    while (!stop) {
      const answer = await get(address, '/x').catch((error: Error) => error.message);
      if (!/^200 [abc]$/.test(answer)) failed.push(answer);
      served++;
    }
  });
  for (let round = 0; round < 200; round++) {
    const before = served;
    await sluice.reload(config(round));
    await eventually(() => served > before, 'requests are served between reloads');
  }
  await sluice.reload(config(3));
  stop = true;
  await Promise.all(clients);
  assert.deepEqual(failed, []);
  assert.ok(served >= 200, `${served} requests were served meanwhile`);
  // The WebSocket's origin was taken out for a moment, and then is another one: it ends after the drain time.
  await new Promise((resolve) =>
    socket.readyState === WebSocket.CLOSED ? resolve(null) : socket.once('close', resolve),
  );
  await eventually(
    () => origins.every(({ sockets }) => sockets <= 8),
    `connections left: ${origins.map(({ sockets }) => sockets).join(', ')}`,
  );
});
