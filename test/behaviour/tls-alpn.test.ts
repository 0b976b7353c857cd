/** What an origin chooses by ALPN is spoken. */
import assert from 'node:assert/strict';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import type { UpstreamInput } from '../../src/config/index.ts';
import { authority } from '../support/certificates.ts';
import { start } from '../support/line.ts';
import { get, ok, post } from '../support/scripted.ts';
import { secureOrigin, secureServer } from '../support/secure.ts';

test('HTTP/1.1 is offered, and nothing else unless asked for', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const offered: string[][] = [];
  const app = await secureServer(t, ca.issue('app'), () => ok(), {
    ALPNCallback: ({ protocols }) => {
      offered.push(protocols);
      return protocols[0];
    },
  });
  for (const tls of [{}, { alpn: ['http/1.1'] }]) {
    const line = await start(t, [app.url], { tls: { ca: ca.cert, ...tls } });
    const peer = await line.connect();
    peer.send(get());
    assert.equal((await peer.answer()).body, 'ok');
  }
  assert.deepEqual(offered, [['http/1.1'], ['http/1.1']]);
});

test('an origin that speaks nothing of what is offered', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const app = await secureOrigin(t, ca.issue('app'), () => {}, { ALPNProtocols: ['spdy/3'] });
  const line = await start(t, [app.url], { tls: { ca: ca.cert }, eject: { on: [] } });
  const peer = await line.connect();
  peer.send(get());
  assert.equal((await peer.answer()).status, 502);
  const [logged] = await line.logged(1);
  assert.deepEqual([logged?.error, logged?.detail], ['tls-refused', 'alert no_application_protocol']);
});

/** Three requests at a time: what is answered, and by how many connections. */
async function three(t: TestContext, url: string, tls: UpstreamInput['tls']): Promise<[string[], number]> {
  const line = await start(t, [url], { tls, eject: { on: [] } });
  const peers = await Promise.all([1, 2, 3].map(() => line.connect()));
  for (const peer of peers) peer.send(post('x'.repeat(100_000)));
  const answers = await Promise.all(peers.map((peer) => peer.answer()));
  const { connections } = line.first;
  await line.sluice.close(0);
  return [answers.map(({ status, body }) => `${status} ${body.trim().replace(/ \(.*/, '')}`), connections];
}

test('with HTTP/2 in the offer the origin decides', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const leaf = ca.issue('app');
  const server = createSecureServer({ ...leaf.pem, allowHTTP1: true }, (request, response) => {
    let length = 0;
    request.on('data', (piece: Buffer) => (length += piece.length));
    request.on('end', () => response.end(`${request.httpVersion} ${length}`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const both = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const old = await secureServer(t, leaf, ({ body }) => ok(`old ${body.length}`));
  const trust = { ca: ca.cert };
  const thrice = (text: string): string[] => [text, text, text];
  assert.deepEqual(await three(t, `https://${both}`, trust), [thrice('200 1.1 100000'), 3]);
  assert.deepEqual(await three(t, `https://${both}`, { ...trust, alpn: ['h2', 'http/1.1'] }), [
    thrice('200 2.0 100000'),
    1,
  ]);
  assert.deepEqual(await three(t, old.url, { ...trust, alpn: ['h2', 'http/1.1'] }), [thrice('200 old 100000'), 3]);
  const none = [thrice('502 502 Bad Gateway: tls-no-protocol'), 0];
  assert.deepEqual(await three(t, old.url, { ...trust, alpn: ['h2'] }), none);
  assert.deepEqual(await three(t, old.url.replace('https:', 'h2:'), trust), none);
});
