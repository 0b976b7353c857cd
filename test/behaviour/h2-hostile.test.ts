/** HTTP/2 clients that look for what is not bounded, not told apart or not ended. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { data, fieldsOf, frame, headers, MAGIC, settings, word } from '../support/h2.ts';
import { ask, GET, H2Client, h2Client, POST } from '../support/h2-client.ts';
import { start } from '../support/line.ts';
import { eventually, ok, origin, server, sleep } from '../support/scripted.ts';

const update = (stream: number, increment: number): Buffer => frame('WINDOW_UPDATE', 0, stream, word(increment));
const never = (): Promise<string> => new Promise(() => {});

/** HEADERS without its end, and the CONTINUATION that brings that. */
function halves(stream: number): [Buffer, Buffer] {
  const block = fieldsOf(Object.entries(GET));
  return [frame('HEADERS', 1, stream, block.subarray(0, 10)), frame('CONTINUATION', 4, stream, block.subarray(10))];
}

test('bytes that come one by one take no more memory than a window', async (t) => {
  const app = await server(t, never);
  const line = await start(t, [{ url: app.url, maxConnections: 1 }], { queue: { timeout: '1m' } });
  const client = await h2Client(line);
  const before = process.memoryUsage();
  const many = Buffer.concat(Array.from({ length: 20_000 }, () => data(3, 'x')));
  // The first has the only slot; nobody takes the body of the second.
  client.send(ask(1), headers(3, POST));
  for (let i = 0; i < 10; i++) client.send(many);
  client.send(frame('PING', 0, 0, '12345678'));
  await client.replied('PING ACK');
  const { heapUsed, external } = process.memoryUsage();
  // A buffer for each byte would be 20 MiB.
  const grown = heapUsed + external - before.heapUsed - before.external;
  assert.ok(grown < 12 * 1_048_576, `${Math.round(grown / 1_048_576)} MiB`);
  client.peer.close();
  await line.logged(2);
});

test('the answer to a request that was refused stands, whatever comes of its body in the same read', async (t) => {
  const line = await start(t, 'http://127.0.0.1:9', {}, { limits: { body: '1KiB' } });
  const client = await h2Client(line);
  client.send(headers(1, { ...POST, connection: 'x' }), data(1, 'hello', true));
  client.send(headers(3, { ...POST, 'content-length': '5000' }), data(3, 'x'.repeat(5000), true));
  assert.deepEqual([(await client.answer(1)).status, (await client.answer(3)).status], ['400', '413']);
  client.send(frame('PING', 0, 0, '12345678'));
  await client.replied('PING ACK');
  assert.deepEqual(
    client.replies.filter((one) => one.startsWith('RST_STREAM')),
    [],
  );
  const logged = await line.logged(2);
  assert.deepEqual(
    logged.map(({ error }) => error),
    ['bad-field', 'body-too-large'],
  );
});

test('who reads slowly, but reads, is not cut off', async (t) => {
  const app = await server(t, () => ok('x'.repeat(40_000)));
  const line = await start(t, app.url, {}, { timeouts: { write: '1s' } });
  const client = await h2Client(line, { window: 1000 });
  client.send(ask(1));
  for (let i = 0; i < 39; i++) {
    await sleep(75);
    client.send(update(1, 1000));
  }
  const { body, ended } = await client.answer(1);
  assert.deepEqual([body.length, ended], [40_000, true]);
  await line.logged(1);
});

test('who has been told to go cannot put that off by heads in two parts', async (t) => {
  const app = await server(t, () => ok());
  const line = await start(t, app.url, {}, { keepAlive: { requests: 2 } });
  const client = await h2Client(line);
  let asked = 0;
  for (let id = 1; !client.closed && asked < 200; id += 2) {
    asked++;
    client.send(...halves(id));
    await sleep(100);
  }
  assert.ok(client.closed, 'it goes on');
  assert.equal(client.replies.filter((one) => one === 'GOAWAY NO_ERROR').length >= 2, true);
  client.peer.close();
});

test('requests that are given up by faults of their bodies are bounded', async (t) => {
  const app = await origin(t, async (peer) => void (await peer.end()));
  const line = await start(t, app.url, {}, { keepAlive: { requests: 100_000 } });
  const client = await h2Client(line);
  for (let id = 1; id < 6000 && !client.closed; id += 2) {
    // In two turns, so that an origin has been asked when the fault shows.
    client.send(headers(id, POST));
    if (id % 100 === 99) await sleep(5);
    client.send(headers(id, { ':bad': 'x' }, true));
  }
  await client.end();
  assert.equal(client.replies.at(-1), 'GOAWAY ENHANCE_YOUR_CALM');
  client.peer.close();
  await line.settled();
});

test('padding is given back', async (t) => {
  const app = await server(t, ({ body }) => ok(String(body.length)));
  const line = await start(t, app.url);
  const client = await h2Client(line);
  const padded = frame('DATA', 8, 1, Buffer.concat([Buffer.from([255, 0x41]), Buffer.alloc(255)]));
  client.send(headers(1, POST), ...Array.from({ length: 1000 }, () => padded));
  await eventually(() => client.replies.some((one) => one.startsWith('WINDOW_UPDATE 1 ')), 'more window');
  client.send(data(1, '', true));
  assert.equal((await client.answer(1)).body, '1000');
  await line.logged(1);
});

test('what is no method is not written into a log', async (t) => {
  const line = await start(t, 'http://127.0.0.1:9');
  const client = await h2Client(line);
  client.send(headers(1, { ...GET, ':method': 'GET /admin HTTP/1.1" 200 5 "-" "curl"' }, true));
  client.send(headers(3, { ...GET, ':path': `/${'x'.repeat(10_000)}` }, true));
  assert.deepEqual([(await client.answer(1)).status, (await client.answer(3)).status], ['400', '414']);
  const [first, second] = await line.logged(2);
  assert.deepEqual([first.method, second.target], [undefined, undefined]);
});

test('a connection that turns out to be HTTP/2 while sluice drains is told to go', async (t) => {
  const app = await server(t, () => ok());
  const line = await start(t, app.url);
  const client = new H2Client(await line.connect());
  client.send(MAGIC.slice(0, 10));
  await sleep(50);
  const closed = line.sluice.close(20_000);
  await sleep(50);
  client.send(MAGIC.slice(10), settings(), ask(1));
  assert.equal((await client.answer(1)).status, '200');
  await client.end();
  assert.ok(client.replies.includes('GOAWAY NO_ERROR'));
  client.peer.close();
  await closed;
  await line.logged(1);
});

test('a head in many parts has one deadline', async (t) => {
  const line = await start(t, 'http://127.0.0.1:9', {}, { timeouts: { head: '500ms' } });
  const client = await h2Client(line);
  client.send(halves(1)[0]);
  let parts = 0;
  while (!client.closed && parts < 30) {
    parts++;
    await sleep(200);
    client.send(frame('CONTINUATION', 0, 1));
  }
  assert.ok(client.closed && parts < 25, `${parts} parts`);
  const [logged] = await line.logged(1);
  assert.equal(logged.error, 'head-timeout');
});

test('refusals that nobody reads do not pile up', async (t) => {
  const app = await server(t, never);
  const line = await start(t, app.url, {}, { limits: { streams: 1 } });
  const client = await h2Client(line);
  client.peer.pause();
  client.send(headers(1, POST));
  let id = 3;
  const more = (): Buffer => Buffer.concat(Array.from({ length: 100 }, () => [ask((id += 2)), data(1, 'x')]).flat());
  for (let i = 0; i < 60; i++) {
    client.send(more());
    await sleep(5);
  }
  client.peer.resume();
  await client.end();
  assert.equal(client.replies.at(-1), 'GOAWAY ENHANCE_YOUR_CALM');
  client.peer.close();
  const [logged] = await line.logged(1);
  assert.equal(logged.error, 'bad-frames');
});
