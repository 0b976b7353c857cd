/** Clients that speak HTTP/2 in ways of their own: curl, nghttp and h2load of nghttp2, and Node's. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { skipUnless } from '../support/peer.ts';
import { nodeOrigin } from './origins.ts';
import { folder, residentBytes, run, startSluice, type SluiceProcess, until } from './stage.ts';

const MIB = 1_048_576;

async function stage(t: TestContext, keepAlive = { requests: 1000 }): Promise<SluiceProcess> {
  const origin = await nodeOrigin(t, folder(t));
  return startSluice(t, { upstreams: { app: { origins: origin.url } }, keepAlive });
}

test('curl: GET, HEAD, bodies both ways, interim answers, trailers, and what is cut', async (t) => {
  const curl = skipUnless(t, 'curl');
  if (curl === undefined) return;
  const sluice = await stage(t);
  const path = folder(t);
  const ask = (...args: string[]): ReturnType<typeof run> => run(t, curl, ['-sS', '--http2-prior-knowledge', ...args]);
  const shown = await ask('-D', '-', `${sluice.url}/echo?x=%41`, '-H', 'X-A: 1', '-H', 'X-A: 2');
  assert.match(shown.text, /^HTTP\/2 200/);
  const { version, raw } = JSON.parse(shown.text.slice(shown.text.indexOf('{'))) as { version: string; raw: string[] };
  assert.equal(version, '1.1');
  assert.deepEqual(
    raw.filter((_, i) => raw[i - 1]?.toLowerCase() === 'x-a'),
    ['1', '2'],
  );
  assert.match((await ask('-I', `${sluice.url}/zeros?bytes=1000`)).text, /content-length: 1000/i);
  const body = randomBytes(10 * MIB);
  const file = join(path, 'body');
  writeFileSync(file, body);
  for (const how of [[], ['-H', 'Content-Length:'], ['-H', 'Expect: 100-continue']]) {
    const mirrored = await ask('-X', 'POST', '--data-binary', `@${file}`, ...how, `${sluice.url}/mirror`);
    assert.ok(mirrored.stdout.equals(body), `${how.join(' ')}: ${mirrored.stdout.length} bytes`);
  }
  const hints = await ask('-D', '-', `${sluice.url}/hints`);
  assert.match(hints.text, /^HTTP\/2 103[\s\S]*link: <\/a.css>[\s\S]*HTTP\/2 200[\s\S]*after hints$/);
  assert.match((await ask('-D', '-', `${sluice.url}/trailers`)).text, /body/);
  for (const how of ['', '?chunked']) {
    const cut = await ask(`${sluice.url}/cut${how}`);
    assert.equal(cut.code, 92, `a stream that was not finished cleanly: ${cut.stderr}`);
    assert.equal(cut.text, 'half');
  }
  const early = await ask('-X', 'POST', '--data-binary', `@${file}`, '-w', '%{http_code}', `${sluice.url}/early`);
  assert.match(early.text, /^early403$/);
  await until('the log', () => sluice.access().length === 10);
  assert.equal(sluice.failures().length, 2, 'the two that were cut');
});

test('nghttp: many in parallel, uploads, priorities, an HPACK table of another size', async (t) => {
  const nghttp = skipUnless(t, 'nghttp');
  if (nghttp === undefined) return;
  const sluice = await stage(t);
  const path = folder(t);
  const file = join(path, 'body');
  writeFileSync(file, randomBytes(3 * MIB));
  for (const how of [
    [],
    ['--header-table-size=0'],
    ['--encoder-header-table-size=0', '--padding=200'],
    ['--window-bits=10'],
  ]) {
    const mirrored = await run(t, nghttp, ['-d', file, ...how, `${sluice.url}/mirror`]);
    assert.ok(
      mirrored.stdout.equals(readFileSync(file)),
      `${how.join(' ')}: ${mirrored.stdout.length} bytes ${mirrored.stderr}`,
    );
  }
  const many = await run(t, nghttp, ['-n', '-s', '-m', '80', '--no-dep', `${sluice.url}/zeros?bytes=20000`]);
  assert.equal(many.text.match(/ 200 /g)?.length, 80, many.text);
  assert.deepEqual(sluice.failures(), []);
});

test('h2load: ten thousand requests, a hundred at a time on each of ten connections', async (t) => {
  const h2load = skipUnless(t, 'h2load');
  if (h2load === undefined) return;
  const sluice = await stage(t, { requests: 100_000 });
  const ran = await run(t, h2load, ['-n', '10000', '-c', '10', '-m', '100', `${sluice.url}/name`]);
  assert.match(ran.text, /10000 succeeded, 0 failed, 0 errored, 0 timeout/, ran.text);
  assert.match(ran.text, /status codes: 10000 2xx/, ran.text);
  assert.deepEqual(sluice.failures(), []);
});

function session(t: TestContext, sluice: SluiceProcess): ClientHttp2Session {
  const made = connect(sluice.url);
  made.on('error', () => {});
  t.after(() => made.destroy());
  return made;
}

async function drained(stream: ClientHttp2Stream): Promise<number> {
  let bytes = 0;
  stream.on('data', (piece: Buffer) => (bytes += piece.length));
  await new Promise((resolve, reject) => stream.once('close', resolve).once('error', reject));
  return bytes;
}

test("Node's client: a long answer to a slow reader, and a long upload to a slow origin; the memory stays where it was", async (t) => {
  const sluice = await stage(t);
  if (residentBytes(process.pid) === 0) return t.skip('no /proc to read memory from');
  const client = session(t, sluice);
  assert.equal(await drained(client.request({ ':path': `/zeros?bytes=${64 * MIB}` }).end()), 64 * MIB);
  const before = residentBytes(sluice.pid);
  const slow = client.request({ ':path': `/zeros?bytes=${128 * MIB}` });
  slow.once('data', () => slow.pause());
  const upload = client.request({ ':path': `/sink?rate=${4 * MIB}`, ':method': 'POST' });
  let uploaded = 0;
  const piece = Buffer.alloc(MIB);
  const more = (): void => {
    while (uploaded < 16) {
      uploaded++;
      if (!upload.write(piece)) return void upload.once('drain', more);
    }
    upload.end();
  };
  more();
  await sleep(1500);
  const growth = residentBytes(sluice.pid) - before;
  assert.ok(growth < 24 * MIB, `grew by ${Math.round(growth / MIB)} MiB`);
  // Others on the same connection do not wait for these.
  assert.equal(await drained(client.request({ ':path': '/name' }).end()), 4);
  slow.resume();
  let got = 0;
  slow.on('data', (bytes: Buffer) => (got += bytes.length));
  await new Promise((resolve) => slow.once('close', resolve));
  assert.ok(got > 127 * MIB);
  await drained(upload);
  assert.deepEqual(sluice.failures(), []);
});
