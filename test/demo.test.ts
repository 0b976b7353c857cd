/** `npm start` as a newcomer meets it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { ask, startNode } from './support/program.ts';

test('the demo balances, hides a stopped origin, passes everything on, and ends cleanly', async (t) => {
  const demo = startNode(t, ['demo/start.ts'], { env: { PORT: '0' } });
  const [, address = ''] = await demo.until(/sluice {3}http:\/\/(\S+)/);
  await demo.until(/access log/);
  const url = `http://${address}`;
  const hello = async (): Promise<string> => {
    const { status, body } = await ask(url);
    assert.equal(status, 200);
    return body;
  };
  const both = ['blue says hello\n', 'red says hello\n'];

  assert.deepEqual([await hello(), await hello()].toSorted(), both);

  assert.equal((await ask(`${url}/demo/stop/red`)).body, 'red is stopped\n');
  for (let i = 0; i < 10; i++) assert.equal(await hello(), 'blue says hello\n');
  assert.equal((await ask(`${url}/demo/start/red`)).body, 'red is started\n');
  const deadline = Date.now() + 60_000;
  while ((await hello()) !== 'red says hello\n') assert.ok(Date.now() < deadline, 'red never came back');

  assert.equal((await ask(`${url}/echo`, { method: 'POST', body: 'hello' })).body, 'hello');

  const socket = new WebSocket(`ws://${address}/socket`);
  await once(socket, 'open');
  socket.send('ping');
  const [heard] = (await once(socket, 'message')) as [Buffer];
  assert.match(heard.toString(), /^(red|blue) heard ping$/);
  socket.close();
  await once(socket, 'close');

  const events = await fetch(`${url}/events`);
  const reader = (events.body as ReadableStream<Uint8Array>).getReader();
  const { value } = await reader.read();
  assert.match(Buffer.from(value as Uint8Array).toString(), /^data: event 1 from (red|blue)\n\n/);
  await reader.cancel();

  await demo.until(/"GET \/ HTTP\/1\.1" 200/);
  assert.equal(await demo.end('SIGTERM'), 0);
  assert.match(demo.output(), /"POST \/echo HTTP\/1\.1" 200 5/);
  assert.match(demo.output(), /demo: ended\n$/);
});

test('a port that is taken is one clear line', async (t) => {
  const first = startNode(t, ['demo/start.ts'], { env: { PORT: '0' } });
  const [, port = ''] = await first.until(/sluice {3}http:\/\/127\.0\.0\.1:(\d+)/);
  const second = startNode(t, ['demo/start.ts'], { env: { PORT: port } });
  assert.equal(await second.ended, 1);
  assert.equal(second.output(), `demo: port ${port} is taken; choose another one: PORT=9000 npm start\n`);
});
