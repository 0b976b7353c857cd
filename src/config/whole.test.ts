import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { load } from './load.ts';
import { readWhole } from './whole.ts';

function fileOf(t: TestContext, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-whole-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, name);
}

/** Calls `change` after each read of a part, as a program that writes meanwhile. */
async function meanwhile(t: TestContext, file: string, change: (part: number) => void): Promise<void> {
  const handle = await open(file, 'r');
  const prototype = Object.getPrototypeOf(handle) as { read: (...args: unknown[]) => Promise<unknown> };
  await handle.close();
  const read = prototype.read;
  let part = 0;
  t.mock.method(prototype, 'read', async function (this: unknown, ...args: unknown[]) {
    const made = await read.apply(this, args);
    change(++part);
    return made;
  });
}

test('what is written while it is read is read again, and the half is never taken', async (t) => {
  const file = fileOf(t, 'a.yaml');
  writeFileSync(file, 'upstreams: {}\n');
  await meanwhile(t, file, (part) => part === 1 && appendFileSync(file, 'routes: [{ respond: { status: 204 } }]\n'));
  const read = await readWhole(file);
  assert.ok('text' in read);
  assert.match(read.text, /204/);
});

test('what never comes to rest is refused', async (t) => {
  const file = fileOf(t, 'a.yaml');
  writeFileSync(file, 'upstreams: {}\n');
  await meanwhile(t, file, (part) => utimesSync(file, part, part));
  const { problems } = await load(file);
  assert.match(problems?.[0].message ?? '', /^it changes while it is read: /);
});

test('what is too large for a config is not read to its end', async (t) => {
  const file = fileOf(t, 'a.json');
  writeFileSync(file, '{}');
  truncateSync(file, 1024 ** 4);
  const { problems } = await load(file);
  assert.equal(problems?.[0].code, 'config/unreadable');
  assert.match(problems?.[0].message ?? '', /a config has at most 16 MiB/);
});
