import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { eventually } from '../../test/support/scripted.ts';
import type { Front } from '../core/exchange.ts';
import { TemporaryFile } from '../files/temporary.ts';
import type { Link } from '../upstream/link.ts';
import { Spool, type SpoolFile } from './spool.ts';

interface Made {
  readonly spool: Spool;
  /** `resume` of the client's body, and what came of the gathering. */
  readonly said: string[];
}

function made(memory: number, size: number, file: () => SpoolFile): Made {
  const said: string[] = [];
  const front = { resumeBody: () => said.push('resume') } as unknown as Front;
  const spool = new Spool(
    { memory, size, folder: '' },
    front,
    file,
    (code, detail) => said.push(code === '' ? 'gathered' : `${code} ${detail}`),
    (detail) => said.push(`lost ${detail}`),
  );
  return { spool, said };
}

/** An origin that takes so many pieces before it asks for a pause. */
class Taker {
  bytes = '';
  ended = 0;
  patience: number;

  constructor(patience = Infinity) {
    this.patience = patience;
  }

  get channel(): Link {
    return this as unknown as Link;
  }

  requestBody(buffer: Buffer, start: number, end: number): void {
    this.bytes += buffer.latin1Slice(start, end);
    this.patience--;
  }

  requestFlush(): boolean {
    return this.patience > 0;
  }

  requestEnd(): void {
    this.ended++;
  }
}

/** As a connection does: reads, each followed by a flush, in memory that is used again. */
function give(spool: Spool, text: string, piece: number): boolean {
  const memory = Buffer.alloc(piece);
  let taken = true;
  for (let at = 0; at < text.length; at += piece) {
    const length = memory.write(text.slice(at, at + piece), 'latin1');
    spool.body(memory, 0, length);
    memory.fill(0x58, length);
    taken = spool.flush();
    memory.fill(0x58);
  }
  return taken;
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-spool-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const never = (): SpoolFile => assert.fail('no file is needed');
const TEXT = Array.from({ length: 30_000 }, (_, i) => String.fromCharCode(65 + (i % 26))).join('');

test('a short body stays in memory, and can be sent twice', () => {
  const { spool, said } = made(100, 1000, never);
  assert.ok(give(spool, 'hello world', 4));
  assert.deepEqual(said, []);
  spool.end();
  assert.ok(spool.flush());
  assert.deepEqual(said, ['gathered']);
  assert.equal(spool.length, 11);
  for (const patience of [Infinity, 1]) {
    const taker = new Taker(patience);
    spool.use(taker.channel);
    for (let i = 0; i < 5; i++) spool.resume();
    assert.deepEqual([taker.bytes, taker.ended, spool.ended], ['hello world', 1, true]);
  }
});

test('a long one goes to a file that has no name, and comes back', async (t) => {
  const path = folder(t);
  const { spool, said } = made(10_000, 100_000, () => new TemporaryFile(path));
  t.after(() => spool.close());
  assert.equal(give(spool, TEXT, 700), false, 'the client waits for the disk');
  spool.end();
  assert.equal(spool.flush(), false);
  await eventually(() => said.includes('gathered'), 'the disk');
  assert.deepEqual(readdirSync(path), []);
  assert.equal(spool.length, TEXT.length);
  // One that leaves in the middle of a read, and the next one.
  const first = new Taker();
  spool.use(first.channel);
  spool.resume();
  spool.use(null);
  const second = new Taker(3);
  spool.use(second.channel);
  spool.resume();
  await eventually(() => {
    second.patience = 1;
    spool.resume();
    return second.ended === 1;
  }, 'the body');
  assert.equal(second.bytes, TEXT);
  assert.ok(TEXT.startsWith(first.bytes) && first.ended === 0);
});

test('a short piece behind one that was too long for the memory stays behind it', async (t) => {
  const path = folder(t);
  const { spool, said } = made(10, 100, () => new TemporaryFile(path));
  t.after(() => spool.close());
  for (const piece of ['aaaa', 'bbbbbbbbb', 'cc', 'd']) spool.body(Buffer.from(piece), 0, piece.length);
  spool.flush();
  spool.end();
  spool.flush();
  await eventually(() => said.includes('gathered'), 'the disk');
  const taker = new Taker();
  spool.use(taker.channel);
  spool.resume();
  await eventually(() => taker.ended === 1, 'the body');
  assert.equal(taker.bytes, 'aaaabbbbbbbbbccd');
});

test('more than its size is refused, at the end of the read', () => {
  const { spool, said } = made(100, 20, never);
  const bytes = Buffer.from('x'.repeat(15));
  spool.body(bytes, 0, 15);
  spool.body(bytes, 0, 15);
  assert.deepEqual(said, []);
  spool.flush();
  assert.deepEqual(said, ['spool-full more than spool.size, 20 bytes']);
  spool.end();
  spool.flush();
  assert.equal(said.length, 1);
});

test('a folder that cannot be written to, and a disk that is full', async () => {
  const missing = made(0, 1000, () => new TemporaryFile('/nonexistent/folder'));
  give(missing.spool, 'abc', 1);
  await eventually(() => missing.said.length > 0, 'the disk');
  assert.deepEqual(missing.said, ['spool-failed ENOENT']);

  let closed = 0;
  const full = made(0, 1000, () => ({
    write: (_bytes, _position, done) => setImmediate(done, Object.assign(new Error('full'), { code: 'ENOSPC' })),
    read: () => assert.fail(),
    close: () => closed++,
  }));
  give(full.spool, 'abc', 1);
  full.spool.end();
  await eventually(() => full.said.length > 0, 'the disk');
  assert.deepEqual([full.said, closed], [['spool-failed ENOSPC'], 1]);
});

test('a client that leaves while the disk writes: nothing is said, the file is closed', async (t) => {
  const path = folder(t);
  const { spool, said } = made(0, 1000, () => new TemporaryFile(path));
  give(spool, 'abc', 1);
  spool.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([said, readdirSync(path)], [[], []]);
});

test('a file that is shorter than it was', async () => {
  const { spool, said } = made(0, 1000, () => ({
    write: (_bytes, _position, done) => setImmediate(done, null),
    read: (_into, _position, done) => setImmediate(done, null, 0),
    close() {},
  }));
  give(spool, 'abc', 3);
  spool.end();
  await eventually(() => said.includes('gathered'), 'the disk');
  spool.use(new Taker().channel);
  spool.resume();
  await eventually(() => said.some((one) => one.startsWith('lost')), 'the disk');
});
