/** A whole sluice before a container that is written out packet by packet. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { endResponse, forwardedOf, getBody, sendBody, sendHeaders } from '../support/ajp.ts';
import { start } from '../support/line.ts';
import { eventually, origin, type Peer, server } from '../support/scripted.ts';

/** The next packet's content. */
async function packet(peer: Peer): Promise<Buffer> {
  const head = Buffer.from(await peer.bytes(4), 'latin1');
  assert.equal(head.readUInt16BE(0), 0x1234);
  return Buffer.from(await peer.bytes(head.readUInt16BE(2)), 'latin1');
}

const answered = (text: string): Buffer => Buffer.concat([sendHeaders(200), sendBody(text), endResponse()]);

const ajp = (port: number): string => `ajp://127.0.0.1:${port}`;

test('an upload waits for a container that does not ask, and goes on when it does', async (t) => {
  const size = 4 * 1_048_576;
  let go = (): void => {};
  const asked = new Promise<void>((resolve) => (go = resolve));
  let got = 0;
  const container = await origin(t, async (peer) => {
    await packet(peer);
    await asked;
    for (;;) {
      peer.send(getBody(8186));
      const piece = await packet(peer);
      if (piece.length === 0) break;
      for (let i = 2; i < piece.length; i++, got++) assert.equal(piece[i], got % 251, `byte ${got}`);
    }
    peer.send(answered('thanks'));
  });
  const line = await start(t, ajp(container.port));
  const peer = await line.connect();
  const body = Buffer.from(Uint8Array.from({ length: size }, (_, i) => i % 251));
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  peer.send(`${size.toString(16)}\r\n`);
  peer.send(body);
  peer.send('\r\n0\r\n\r\n');
  await eventually(() => container.connections.length === 1, 'the request');
  // What the kernel and one window hold has gone; the rest waits with the client.
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(peer.socket.writableLength > 0, 'the client is held back');
  go();
  assert.equal((await peer.answer()).body, 'thanks');
  assert.equal(got, size);
  const [logged] = await line.logged(1);
  assert.equal(logged.bytesIn, size);
});

test('a head larger than a packet is answered 431, asks nobody, and costs no connection', async (t) => {
  const container = await origin(t, async (peer) => {
    for (;;) peer.send(answered(forwardedOf(await packet(peer)).uri));
  });
  const line = await start(t, ajp(container.port));
  const peer = await line.connect();
  const get = (path: string, more = ''): void => peer.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`);
  get('/1');
  assert.equal((await peer.answer()).body, '/1');
  get('/2', `X: ${'x'.repeat(9000)}\r\n`);
  assert.equal((await peer.answer()).status, 431);
  get('/3');
  assert.equal((await peer.answer()).body, '/3');
  assert.equal(container.connections.length, 1);
  assert.equal((await line.logged(3))[1].error, 'head-too-large-for-origin');
  await line.settled();
});

test('a container that closes before its answer: what may be repeated is, elsewhere', async (t) => {
  const dying = await origin(t, async (peer) => {
    await packet(peer);
    peer.fin();
  });
  const living = await origin(t, async (peer) => {
    const { uri } = forwardedOf(await packet(peer));
    const body = await packet(peer);
    peer.send(answered(`${uri} ${body.latin1Slice(2)}`));
  });
  const line = await start(t, [ajp(dying.port), ajp(living.port)], { balance: 'first' });
  const peer = await line.connect();
  peer.send('PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
  assert.equal((await peer.answer()).body, '/x hello');
  assert.equal((await line.logged(1))[0].attempts, 2);
});

test('an answer before the upload is complete, and one that breaks off', async (t) => {
  const container = await origin(t, async (peer, nth) => {
    await packet(peer);
    if (nth === 0) peer.send(Buffer.concat([getBody(8186), sendHeaders(403), endResponse()]));
    else {
      peer.send(Buffer.concat([sendHeaders(200, [['Content-Length', '10']]), sendBody('half')]));
      peer.fin();
    }
  });
  const line = await start(t, ajp(container.port));
  const early = await line.connect();
  early.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  assert.equal((await early.answer()).status, 403);
  await eventually(() => line.first.connections === 0, 'a connection that waits for a body is closed');
  const cut = await line.connect();
  cut.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(await cut.end(), /\r\n\r\nhalf$/);
  assert.equal((await line.logged(2))[1].error, 'answer-incomplete');
});

test('a container that asks for nothing while it has the time to answer is given up', async (t) => {
  const container = await origin(t, async (peer) => void (await packet(peer)));
  const line = await start(t, ajp(container.port), { timeouts: { idle: '200ms', firstByte: '200ms' } });
  const peer = await line.connect();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  const answer = await peer.answer();
  assert.equal(answer.status, 504);
  assert.equal((await line.logged(1))[0].error, 'origin-stalled');
});

test('what an authorizer, the route and the upstream say of a request are attributes, and what the client says is not', async (t) => {
  const container = await origin(t, async (peer) => {
    peer.send(answered(JSON.stringify(forwardedOf(await packet(peer)).attributes)));
  });
  const said = ['Remote_User: anna', 'ROLE: buyer', 'NOTE: x'].map((one) => `Variable-${one}\r\n`).join('');
  const guard = await server(t, () => `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${said}\r\n`);
  const line = await start(
    t,
    ajp(container.port),
    { cgi: { env: { SITE: 'north', AREA: '1' } }, ajp: { attributes: ['ROLE'] } },
    { routes: [{ to: 'app', authorize: 'guard', cgi: { env: { SITE: 'south' } } }] },
    {},
    { guard: { origins: guard.port } },
  );
  const peer = await line.connect();
  peer.send('GET / HTTP/1.1\r\nHost: a\r\nVariable-REMOTE_USER: root\r\nREMOTE_USER: root\r\nNOTE: y\r\n\r\n');
  const { '0a AJP_REMOTE_PORT': port, ...told } = JSON.parse((await peer.answer()).body) as Record<string, string>;
  assert.match(port ?? '', /^\d+$/);
  assert.deepEqual(told, { '03': 'anna', '0a ROLE': 'buyer', '0a SITE': 'south', '0a AREA': '1' });
});
