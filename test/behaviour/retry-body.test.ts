/** A body that has begun, between two attempts; and smaller promises that were once broken. */
import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { check, type ConfigInput, showProblems } from '../../src/config/index.ts';
import { Sluice } from '../../src/sluice.ts';
import { eventually } from '../support/scripted.ts';

async function listening(t: TestContext, connected: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    connected(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

async function started(t: TestContext, input: ConfigInput): Promise<{ sluice: Sluice; port: number }> {
  const { config, problems } = check({ listen: '127.0.0.1:0', ...input, log: { access: 'off', error: 'off' } });
  if (config === undefined) throw new Error(showProblems(problems));
  const sluice = new Sluice(config, { messages: { say() {} } });
  await sluice.open();
  t.after(() => sluice.close(0));
  return { sluice, port: Number(new URL(sluice.addresses[0]).port) };
}

function dial(t: TestContext, port: number): { socket: Socket; got: () => string; ended: () => boolean } {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  let ended = false;
  socket.on('data', (part) => (text += part.toString('latin1')));
  socket.on('end', () => (ended = true));
  socket.on('error', () => (ended = true));
  t.after(() => socket.destroy());
  return { socket, got: () => text, ended: () => ended };
}

test('a PUT that waits for its second origin takes in no more of its body, and loses none', async (t) => {
  const dying = await listening(t, (socket) => socket.on('data', () => setTimeout(() => socket.destroy(), 30)));
  let body = '';
  let free: (() => void) | null = null;
  const second = await listening(t, (socket) => {
    let text = '';
    socket.on('data', (part) => {
      text += part.toString('latin1');
      if (text.startsWith('GET')) {
        free = () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      } else if (text.endsWith('0\r\n\r\n')) {
        body = text.slice(text.indexOf('\r\n\r\n') + 4);
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      }
    });
  });
  const origins = [`127.0.0.1:${dying}`, `127.0.0.1:${second}`];
  const { sluice, port } = await started(t, {
    upstreams: { app: { origins, balance: 'first', maxConnections: 1, retries: { buffer: '1KiB' } } },
  });
  const app = sluice.upstreams.get('app');
  assert.ok(app !== undefined);
  const [first, other] = app.origins;
  // Both slots are taken: the first by a request that dies with its origin, the second until it is let go.
  const occupied = dial(t, port);
  occupied.socket.write('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n');
  await eventually(() => first.inFlight === 1, 'the first origin is taken');
  const slow = dial(t, port);
  slow.socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await eventually(() => other.inFlight === 1 && free !== null, 'the second origin is taken');
  await eventually(() => first.inFlight === 0, 'the first origin is free again');
  const put = dial(t, port);
  put.socket.write(`PUT /f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHELLO\r\n`);
  await eventually(() => app.backlog.length === 1, 'its origin died, and it waits for the other');
  const rest = 'x'.repeat(70_000);
  put.socket.write(`${rest.length.toString(16)}\r\n${rest}\r\n4\r\nTAIL\r\n0\r\n\r\n`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  (free as (() => void) | null)?.();
  await eventually(() => put.got().endsWith('ok'), `the answer: ${put.got()}`);
  const sent = body.replace(/[0-9a-f]+\r\n([^\r]*)\r\n/g, '$1');
  assert.equal(
    sent.replace(/x+/, (run) => `<${run.length}>`),
    'HELLO<70000>TAIL',
  );
});

test('timeouts.keepAlive 0 closes after each answer', async (t) => {
  const { port } = await started(t, { routes: [{ respond: { status: 200, body: 'hi' } }], timeouts: { keepAlive: 0 } });
  const client = dial(t, port);
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await eventually(() => client.ended(), 'the connection ends');
  assert.match(client.got(), /\r\nConnection: close\r\n/);
});

test('the count of connections per address survives limits that come and go', async (t) => {
  const config = (limit: number | 'off'): ConfigInput => ({
    listen: '127.0.0.1:0',
    routes: [{ respond: { status: 200, body: 'hi' } }],
    limits: { connectionsPerAddress: limit },
  });
  const { sluice, port } = await started(t, config(1));
  const reload = async (limit: number | 'off'): Promise<void> => {
    const { config: next } = check({ ...config(limit), log: { access: 'off', error: 'off' } });
    assert.ok(next !== undefined);
    await sluice.reload(next);
  };
  const ask = async (): Promise<{ socket: Socket; status: string }> => {
    const client = dial(t, port);
    client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await eventually(() => client.got() !== '', 'an answer');
    return { socket: client.socket, status: client.got().slice(9, 12) };
  };
  const held = await ask();
  await reload('off');
  held.socket.destroy();
  const uncounted = await ask();
  await reload(1);
  assert.equal((await ask()).status, '503', 'the one that came without a limit counts');
  uncounted.socket.destroy();
  await eventually(() => uncounted.socket.destroyed, 'it is gone');
  let status = '';
  for (let i = 0; i < 50 && status !== '200'; i++) {
    const again = await ask();
    ({ status } = again);
    again.socket.destroy();
  }
  assert.equal(status, '200', 'and nothing stale does');
});
