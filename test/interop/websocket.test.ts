/** WebSocket through sluice: `ws` on both sides. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { nodeOrigin, type OriginProcess } from './origins.ts';
import { folder, startSluice, until, type SluiceProcess } from './stage.ts';

interface Stage {
  readonly sluice: SluiceProcess;
  readonly origin: OriginProcess;
  open(path?: string): Promise<WebSocket>;
}

async function stage(t: TestContext): Promise<Stage> {
  const origin = await nodeOrigin(t, folder(t));
  const sluice = await startSluice(t, { upstreams: { app: { origins: origin.url } } });
  const open = async (path = '/'): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://${sluice.host}:${sluice.port}${path}`);
    t.after(() => socket.terminate());
    await once(socket, 'open');
    return socket;
  };
  return { sluice, origin, open };
}

async function echo(socket: WebSocket, message: string | Buffer): Promise<[Buffer, boolean]> {
  socket.send(message);
  return (await once(socket, 'message')) as [Buffer, boolean];
}

test('text, binary, 16 MiB, ping, close with code and reason', async (t) => {
  const { sluice, open } = await stage(t);
  const socket = await open('/chat?room=1');
  assert.equal(String((await echo(socket, 'where am I'))[0]), '/chat?room=1');
  const [text, binary] = await echo(socket, 'grüße, 世界');
  assert.equal(String(text), 'grüße, 世界');
  assert.equal(binary, false);
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 16 * 1_048_576]) {
    const sent = randomBytes(size);
    const [got, asBinary] = await echo(socket, sent);
    assert.ok(got.equals(sent), `${size} bytes`);
    assert.equal(asBinary, true);
  }
  socket.ping('are you there');
  assert.equal(String((await once(socket, 'pong'))[0]), 'are you there');
  socket.send('close me');
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  assert.equal(code, 4001);
  assert.equal(String(reason), 'as you wish');
  await until('one line in the log', () => sluice.access().length === 1);
  const [line] = sluice.access();
  assert.equal(line?.status, 101);
  assert.equal(line?.error, undefined);
  assert.ok(line.bytesIn > 16 * 1_048_576 && line.bytesOut > 16 * 1_048_576);
});

test('the first frame in the same packet as the handshake is not lost', async (t) => {
  const { sluice } = await stage(t);
  const { connect } = await import('node:net');
  const socket = connect(sluice.port, sluice.host);
  t.after(() => socket.destroy());
  const key = randomBytes(16).toString('base64');
  const hello = Buffer.from([0x81, 0x85, 0, 0, 0, 0, ...Buffer.from('hello')]);
  const head =
    `GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
  socket.write(Buffer.concat([Buffer.from(head), hello]));
  let received = '';
  socket.on('data', (piece: Buffer) => (received += piece.toString('latin1')));
  await until('the echo', () => received.endsWith('\x81\x05hello'));
  assert.match(received, /^HTTP\/1\.1 101 /);
});

test('200 sockets at once, each hears its own', async (t) => {
  const { open } = await stage(t);
  const sockets = await Promise.all(Array.from({ length: 200 }, () => open()));
  await Promise.all(
    sockets.map(async (socket, i) => {
      for (let round = 0; round < 5; round++) {
        assert.equal(String((await echo(socket, `${i}/${round}`))[0]), `${i}/${round}`);
      }
      socket.close();
      await once(socket, 'close');
    }),
  );
});

test('a side that breaks off takes the other with it', async (t) => {
  const { sluice, origin, open } = await stage(t);
  const leaving = await open();
  leaving.terminate();
  await until('the tunnel is over', () => sluice.access().length === 1);
  const staying = await open();
  const closed = once(staying, 'close') as Promise<[number]>;
  staying.on('error', () => {});
  await origin.kill();
  assert.equal((await closed)[0], 1006);
  await until('both are logged', () => sluice.access().length === 2);
});

test('a handshake the origin refuses is an ordinary answer', async (t) => {
  const { open } = await stage(t);
  // `ws` sends 400 for a version it does not know.
  const { request } = await import('node:http');
  const good = await open();
  const asked = request(`${good.url.replace('ws:', 'http:')}`, {
    headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '99', 'Sec-WebSocket-Key': 'x' },
  });
  asked.end();
  const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
  response.resume();
  assert.ok(response.statusCode === 400 || response.statusCode === 426, String(response.statusCode));
  assert.equal(String((await echo(good, 'still here'))[0]), 'still here');
});
