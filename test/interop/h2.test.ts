/** node:http2 behind a real sluice, and WebSockets by `ws`. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { type Application, ask } from './applications.ts';
import { exercise } from './exercise.ts';
import { address, listening, residentBytes, start, startSluice, until } from './stage.ts';

const application = fileURLToPath(new URL('servers/app-h2.ts', import.meta.url));

async function nodeApplication(t: TestContext, name = 'hello'): Promise<Application> {
  const at = await address();
  const process_ = start(t, process.execPath, [application, at.host, String(at.port), name]);
  await listening(at, process_);
  return { url: `h2c://${at.host}:${at.port}`, process: process_ };
}

test('node:http2', async (t) => {
  await exercise(t, '/some/path', (name) => nodeApplication(t, name), {});
});

test('a long answer to a slow reader leaves memory where it was', async (t) => {
  if (residentBytes(process.pid) === 0) return t.skip('no /proc to read memory from');
  const app = await nodeApplication(t);
  const sluice = await startSluice(t, { upstreams: { app: { origins: app.url } } });
  for (let i = 0; i < 20; i++) await ask(`${sluice.url}/?do=big&n=16`);
  const before = residentBytes(sluice.pid);
  const slow = Array.from({ length: 10 }, async () => {
    const out = request(`${sluice.url}/?do=big&n=1600`, { agent: false });
    t.after(() => out.destroy());
    out.on('error', () => {});
    out.end();
    const [answer] = (await once(out, 'response')) as [IncomingMessage];
    answer.pause();
  });
  await Promise.all(slow);
  for (let i = 0; i < 50; i++) await ask(`${sluice.url}/?do=big&n=16`);
  const grown = (residentBytes(sluice.pid) - before) / 1_048_576;
  // Ten windows of 256 KiB, and what garbage there is.
  assert.ok(grown < 60, `${grown} MiB more for ten slow readers of 100 MiB each`);
  return undefined;
});

test('WebSockets over extended CONNECT: text, binary, 4 MiB, ping, close', async (t) => {
  const app = await nodeApplication(t);
  const sluice = await startSluice(t, { upstreams: { app: { origins: app.url } } });
  const open = async (path: string): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://${sluice.host}:${sluice.port}${path}`, { perMessageDeflate: false });
    t.after(() => socket.terminate());
    await once(socket, 'open');
    return socket;
  };
  const [socket, other] = await Promise.all([open('/chat?room=1'), open('/chat?room=2')]);
  const echo = async (through: WebSocket, message: string | Buffer): Promise<[Buffer, boolean]> => {
    through.send(message);
    return (await once(through, 'message')) as [Buffer, boolean];
  };
  assert.equal(String((await echo(socket, 'where am I'))[0]), '/chat?room=1');
  assert.equal(String((await echo(other, 'where am I'))[0]), '/chat?room=2');
  assert.equal(String((await echo(socket, 'grüße, 世界'))[0]), 'grüße, 世界');
  for (const size of [0, 1, 126, 65_536, 4 * 1_048_576]) {
    const sent = randomBytes(size);
    const [got, binary] = await echo(socket, sent);
    assert.ok(got.equals(sent) && binary, `${size} bytes`);
  }
  socket.ping('are you there');
  assert.equal(String((await once(socket, 'pong'))[0]), 'are you there');
  socket.send('close me');
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  assert.deepEqual([code, String(reason)], [4001, 'as you wish']);
  // Requests and WebSockets share the connection.
  assert.equal((await ask(`${sluice.url}/`)).body.toString(), 'hello');
  assert.equal(String((await echo(other, 'still here'))[0]), 'still here');
  const refused = new WebSocket(`ws://${sluice.host}:${sluice.port}/refused`);
  const [, answer] = (await once(
    refused.on('error', () => {}),
    'unexpected-response',
  )) as [unknown, IncomingMessage];
  assert.equal(answer.statusCode, 403);
  refused.terminate();
  other.terminate();
  await until('the log', () => sluice.access().length === 4);
  assert.deepEqual(sluice.failures(), []);
});
