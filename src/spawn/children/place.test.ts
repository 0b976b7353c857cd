import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../core/clock.ts';
import { Folders, freePort, listenAt } from './place.ts';

test('a port that is taken, or was given out, is not given', async (t) => {
  const first = await freePort(systemClock, new Set());
  assert.ok(first >= 20_000 && first < 30_000, 'outside of what systems give to whoever asks');
  const server = createServer().listen(first, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const dice = [first, first + 1, first + 2].map((port) => (port - 20_000 + 0.5) / 10_000);
  const clock = { ...systemClock, random: () => dice.shift() ?? Math.random() };
  const next = await freePort(clock, new Set([first + 1]));
  assert.notEqual(next, first);
  assert.notEqual(next, first + 1);
});

test('when no port is free that is said', async () => {
  await assert.rejects(
    freePort({ ...systemClock, random: () => 0 }, new Set([20_000])),
    /no port of 127\.0\.0\.1 from 20000 to 29999 is free/,
  );
});

test('a socket that is let go of keeps its path, and nobody answers there', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-place-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a.sock');
  const handed = await listenAt(path);
  assert.ok(handed.fd > 2);
  assert.deepEqual(readdirSync(folder), ['a.sock']);
  handed.release();
  assert.equal(existsSync(path), true);
  const peer = connect(path);
  const [error] = (await once(peer, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
  await assert.rejects(listenAt(join(folder, 'gone/a.sock')), /ENOENT|EACCES/);
});

test('folders: private, one for each account, told of, and gone at the end', () => {
  const made: string[] = [];
  const folders = new Folders((path) => void made.push(path));
  const one = folders.socket('app.1', null);
  const two = folders.socket('app.2', null);
  assert.equal(join(one, '..'), join(two, '..'));
  assert.notEqual(folders.socket('app.1', null), one, 'names of children are not unique, paths are');
  assert.deepEqual(made, [join(one, '..')]);
  assert.equal(statSync(made[0] ?? '').mode & 0o777, 0o700);
  if (process.getuid?.() === 0) {
    const other = folders.socket('app.3', { uid: 65_534, gid: 65_534 });
    assert.notEqual(join(other, '..'), made[0]);
    assert.equal(statSync(join(other, '..')).uid, 65_534);
  }
  assert.throws(() => folders.socket('x'.repeat(100), null), /longer than 103 bytes: set TMPDIR/);
  folders.close();
  for (const path of made) assert.equal(existsSync(path), false);
});
