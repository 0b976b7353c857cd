import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../core/clock.ts';
import { eventually } from '../../../test/support/scripted.ts';
import { Keeper } from './keeper.ts';
import { MARK } from './strays.ts';

/** A shell in a group of its own that says when it is there. */
async function group(t: TestContext, script: string, env: Record<string, string> = {}): Promise<number> {
  const child = spawn('/bin/sh', ['-c', `${script} echo here; while :; do sleep 1; done`], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...env },
  });
  const pid = child.pid ?? 0;
  t.after(() => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // As it should be.
    }
    child.stdout.destroy();
  });
  await once(child.stdout, 'data');
  return pid;
}

function lives(pid: number): boolean {
  try {
    return process.kill(-pid, 0);
  } catch {
    return false;
  }
}

function keeper(t: TestContext, mark = ''): { keeper: Keeper; said: string[] } {
  const said: string[] = [];
  const made = new Keeper(systemClock, (...words) => void said.push(words.join(' ')), mark, 5);
  t.after(() => made.close());
  return { keeper: made, said };
}

test('when its pipe ends, groups that are left are ended, by KILL those that ignore TERM', async (t) => {
  const { keeper: one, said } = keeper(t);
  const [soft, hard, spared] = [await group(t, ''), await group(t, "trap '' TERM;"), await group(t, '')];
  const tell = (line: string): boolean => one.pipe.write(line);
  for (const pid of [soft, hard, spared]) tell(`+ ${pid}\n`);
  tell(`- ${spared}\n`);
  one.close();
  await eventually(() => !lives(soft) && !lives(hard), 'both are gone');
  assert.equal(lives(spared), true);
  assert.deepEqual(said, []);
});

test(
  'what has the mark and no group goes as well, and nobody else',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const run = `${process.pid}-${t.name.length}-${Math.random()}`;
    const { keeper: one } = keeper(t, `${MARK}=${run}.`);
    const mark = (text: string): Record<string, string> => ({ [MARK]: text });
    const member = await group(t, '', mark(`${run}.1`));
    const strays = [await group(t, '', mark(`${run}.1`)), await group(t, "trap '' TERM;", mark(`${run}.22`))];
    const spared = [await group(t, '', mark(`${run}1.1`)), await group(t, '', mark('x')), await group(t, '')];
    one.pipe.write(`+ ${member}\n`);
    one.close();
    await eventually(() => ![member, ...strays].some(lives), 'they are gone');
    assert.ok(spared.every(lives));
  },
);

test('folders go when only sockets are in them', async (t) => {
  const { keeper: one } = keeper(t);
  const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'sluice keeper-')));
  t.after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
  writeFileSync(join(folders[0] ?? '', 'a.sock'), '');
  writeFileSync(join(folders[1] ?? '', 'precious.txt'), '');
  assert.ok(one.pipe.writable);
  for (const folder of folders) one.addFolder(folder);
  one.close();
  await eventually(() => !existsSync(folders[0] ?? ''), 'the folder is gone');
  assert.equal(existsSync(join(folders[1] ?? '', 'precious.txt')), true);
});

test('a keeper that is killed is replaced, and the next one knows of the children', async (t) => {
  const { keeper: one, said } = keeper(t);
  const child = await group(t, '');
  one.pipe.write(`+ ${child}\n`);
  one.add(child);
  const first = one.pid;
  process.kill(first, 'SIGKILL');
  await eventually(() => one.pid !== 0 && one.pid !== first, 'there is another one');
  assert.equal(lives(child), true);
  assert.match(said.join('\n'), /^error keeper .*\(SIGKILL\)$/);
  one.close();
  await eventually(() => !lives(child), 'the child is ended by the second');
});
