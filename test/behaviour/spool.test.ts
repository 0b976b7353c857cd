/** Chunked uploads to origins that want to know the length first, here over SCGI. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { start } from '../support/line.ts';
import { origin, type Peer } from '../support/scripted.ts';

interface Told {
  readonly variables: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Reads one SCGI request. */
async function told(peer: Peer): Promise<Told> {
  const size = Number((await peer.until(':')).slice(0, -1));
  const words = (await peer.bytes(size + 1)).slice(0, -2).split('\0');
  const variables = Object.fromEntries(words.flatMap((name, i) => (i % 2 === 0 ? [[name, words[i + 1]]] : [])));
  return { variables, body: await peer.bytes(Number(variables['CONTENT_LENGTH'])) };
}

const HEAD = 'HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const TEXT = 'abcdefghij'.repeat(20_000);
const chunked = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-spool-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('a body is sent with its length, from memory and from a file, and leaves nothing behind', async (t) => {
  const bodies: Told[] = [];
  const app = await origin(t, async (peer) => {
    bodies.push(await told(peer));
    peer.send('Content-Type: text/plain\n\nok');
    peer.fin();
  });
  for (const memory of ['1MiB', 1000]) {
    const path = folder(t);
    const line = await start(t, `scgi://127.0.0.1:${app.port}`, { spool: { memory, folder: path } });
    const peer = await line.connect();
    for (const text of [TEXT, '', 'x']) {
      peer.send(`POST /a?b=c ${HEAD}${text === '' ? '0\r\n\r\n' : chunked(text)}`);
      assert.equal((await peer.answer()).body, 'ok');
      const last = bodies.at(-1);
      assert.equal(last?.variables['CONTENT_LENGTH'], String(text.length));
      assert.equal(last?.variables['HTTP_TRANSFER_ENCODING'], undefined);
      assert.equal(last?.body, text);
    }
    assert.deepEqual(readdirSync(path), []);
    await line.logged(3);
    await line.settled();
  }
});

test('from a file it is sent to the second origin when the first dies in the middle', async (t) => {
  const dying = await origin(t, async (peer) => {
    await peer.bytes(50_000);
    peer.reset();
  });
  const living = await origin(t, async (peer) => {
    const { body } = await told(peer);
    peer.send(`Content-Length: 4\n\n${body === TEXT ? 'same' : 'else'}`);
  });
  const urls = [dying, living].map(({ port }) => `scgi://127.0.0.1:${port}`);
  const line = await start(t, urls, { balance: 'first', spool: { memory: 0, folder: folder(t) } });
  const peer = await line.connect();
  peer.send(`PUT / ${HEAD}${chunked(TEXT)}`);
  assert.equal((await peer.answer()).body, 'same');
  assert.equal((await line.logged(1))[0].attempts, 2);
});

test('no room, too large, nothing to be gathered: each is said, and no origin asked', async (t) => {
  const app = await origin(t, async (peer) => assert.equal(await peer.end(), '', 'nothing is sent'));
  for (const [spool, status, error] of [
    [{ memory: 10, folder: '/nonexistent' }, 507, 'spool-failed'],
    [{ size: 1000 }, 413, 'spool-full'],
    [{ size: 0 }, 411, 'length-required'],
  ] as const) {
    const line = await start(t, `scgi://127.0.0.1:${app.port}`, { spool });
    const peer = await line.connect();
    peer.send(`POST / ${HEAD}${chunked(TEXT)}`);
    assert.equal((await peer.answer()).status, status);
    assert.equal((await line.logged(1))[0].error, error);
    await line.settled();
  }
});

test('a client that waits for 100 Continue need not wait long, and one that leaves takes its file along', async (t) => {
  const app = await origin(t, async (peer) => {
    await told(peer);
    peer.send('Content-Length: 0\n\n');
  });
  const line = await start(t, `scgi://127.0.0.1:${app.port}`, { spool: { memory: 0, folder: folder(t) } });
  const peer = await line.connect();
  peer.send(`POST / ${HEAD.replace('Host', 'Expect: 100-continue\r\nHost')}`);
  assert.equal((await peer.answer()).status, 100);
  peer.send(chunked('hello'));
  assert.equal((await peer.answer()).status, 200);
  const gone = await line.connect();
  gone.send(`POST / ${HEAD}3\r\nabc\r\n`);
  await gone.silence(50);
  gone.reset();
  assert.equal((await line.logged(2))[1].error, 'client-gone');
  await line.settled();
});
