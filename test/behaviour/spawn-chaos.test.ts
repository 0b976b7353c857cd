/**
 * Everything that starts processes goes wrong: children are killed at random under load, there are no file descriptors, and
 * sluice itself is killed. With SLUICE_FULL=1 a thousand children are killed.
 */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { skipUnless } from '../support/peer.ts';
import { startNode } from '../support/program.ts';
import { fetchOnce, running, until } from '../support/running.ts';
import { alive, app, before, folder } from '../support/spawn.ts';

const full = process.env['SLUICE_FULL'] === '1';

for (const threads of [1, 2]) {
  const kills = (full ? 1000 : 40) / threads;
  test(`${kills} children are killed at random, ${threads} thread(s): no request that waits is lost, and nothing is left`, async (t) => {
    // Whoever kills a child in its first second makes it look as if it could not live.
    const spawn = app(t, { instances: { min: 4 }, crash: { first: '10ms', most: '50ms', limit: 'off' } });
    const upstream = { retries: { count: 10, budget: 1 }, queue: { timeout: '60s' } };
    const line = await running(t, { ...before(spawn, upstream, { maxConnections: 2 }), threads });
    // One that has just ended is an origin for a moment still, but no process: and 0 would be this one.
    const members = async (): Promise<number[]> =>
      (await line.control.upstreams())[0]?.origins.flatMap(({ child }) => child?.pid ?? []).filter((pid) => pid > 1) ??
      [];
    await until(async () => (await members()).length === 4, 'all are ready');

    let stop = false;
    const statuses = new Map<string, number>();
    // Three times as many as there are slots: most of them wait.
    const clients = Array.from({ length: 24 }, async () => {
      const agent = new Agent({ keepAlive: true });
      while (!stop) {
        const { status, body } = await fetchOnce(`${line.base}/sleep/5`, agent);
        const shown = status === 200 ? '200' : `${status} ${body}`;
        statuses.set(shown, (statuses.get(shown) ?? 0) + 1);
      }
      agent.destroy();
    });
    const killed = new Set<number>();
    while (killed.size < kills) {
      const there = (await members()).filter((pid) => !killed.has(pid));
      const victim = there[Math.floor(Math.random() * there.length)];
      if (there.length < 2 || victim === undefined) {
        await sleep(10);
        continue;
      }
      killed.add(victim);
      process.kill(victim, 'SIGKILL');
      await sleep(Math.random() * 20);
    }
    await until(async () => (await members()).filter((pid) => !killed.has(pid)).length === 4, 'all are back');
    stop = true;
    await Promise.all(clients);
    assert.deepEqual([...statuses.keys()], ['200'], JSON.stringify([...statuses]));
    assert.ok((statuses.get('200') ?? 0) > kills);

    const crashes = line.said.filter((one) => one.startsWith('error child-crashed'));
    for (const pid of killed) {
      const about = crashes.filter((one) => one.includes(`(pid ${pid}) was ended by SIGKILL`));
      assert.equal(about.length, 1, `one line about ${pid}`);
    }
    const [view] = await line.control.upstreams();
    assert.equal(view?.pools[0]?.crashes, kills);
    await line.sluice.close(0);
    assert.deepEqual(alive(t), []);
  });
}

test('sluice is killed at any moment: nothing of it is left, whatever its children ignore', async (t) => {
  if (process.platform !== 'linux') return t.skip('needs /proc to find processes');
  const spawn = app(t, { instances: { min: 3 }, listen: 'socket', env: { STUBBORN: '1', FORK: '1' } });
  const file = join(folder(t), 'sluice.json');
  writeFileSync(file, JSON.stringify({ ...before(spawn), log: { access: 'off' } }));
  // The last one is killed when all of them are there.
  for (const moment of [...Array.from({ length: full ? 20 : 3 }, () => Math.random() * 400), Infinity]) {
    const sluice = startNode(t, ['src/cli.ts', 'run', file]);
    if (moment < Infinity) {
      await sluice.until(/listening on/);
      await sleep(moment);
    } else {
      await sluice.until(/children add origin(?:[^]*children add origin){2}/);
      assert.ok(alive(t).length >= 6);
    }
    const [, path] = /add origin app unix:(\S+)\/app/.exec(sluice.output()) ?? [];
    sluice.signal('SIGKILL');
    await sluice.ended;
    await until(
      () => Promise.resolve(alive(t).length === 0),
      () => `after ${moment} ms ${alive(t).length} processes are left`,
    );
    if (path === undefined) continue;
    await until(() => Promise.resolve(!readdirSync(join(path, '..')).includes(path.replace(/.*\//, ''))), 'no folder');
  }
});

test('sluice gets a second signal and ends at once: nothing of it is left', async (t) => {
  const spawn = app(t, { instances: { min: 2 }, killDelay: '1m', env: { STUBBORN: '1' } });
  const file = join(folder(t), 'sluice.json');
  writeFileSync(file, JSON.stringify({ ...before(spawn), log: { access: 'off' } }));
  const sluice = startNode(t, ['src/cli.ts', 'run', file]);
  await sluice.until(/children add origin[^]*children add origin/);
  sluice.signal('SIGTERM');
  await sluice.until(/SIGTERM, finishing/);
  sluice.signal('SIGTERM');
  assert.equal(await sluice.ended, 1);
  await until(() => Promise.resolve(alive(t).length === 0), 'nothing is left');
});

test('no file descriptor is left for a child: the cause is named, and it is tried again', async (t) => {
  const prlimit = process.platform === 'linux' ? skipUnless(t, 'prlimit') : undefined;
  if (prlimit === undefined) return;
  const spawn = app(t, {
    instances: { min: 0, max: 1 },
    idleTimeout: '200ms',
    crash: { first: '100ms', most: '100ms', limit: 'off' },
  });
  const file = join(folder(t), 'sluice.json');
  writeFileSync(file, JSON.stringify({ ...before(spawn), log: { access: 'off' } }));
  const sluice = startNode(t, ['src/cli.ts', 'run', file]);
  const [, base = ''] = await sluice.until(/listening on (http:\S+),/);
  assert.equal((await fetchOnce(base)).status, 200);
  await sluice.until(/remove origin/);
  await sluice.until(/child-ended/);
  const pid = Number(spawnSync('pgrep', ['-f', `sluice run ${file}`]).stdout.toString());
  const limit = (count: string): void => {
    assert.equal(spawnSync(prlimit, ['--pid', String(pid), `--nofile=${count}`]).status, 0);
  };
  const open = readdirSync(`/proc/${pid}/fd`)
    .filter((fd) => canRead(`/proc/${pid}/fd/${fd}`))
    .map(Number);
  const soft = /open files\s+(\d+)/.exec(spawnSync('cat', [`/proc/${pid}/limits`]).stdout.toString())?.[1] ?? '1024';
  // One more than there are: for the connection of who asks.
  limit(`${lowestFree(open) + 1}:`);
  const waiting = fetchOnce(base);
  await sluice.until(/child-crashed app app\.\d+ cannot be started: [^\n]*(?:EMFILE|too many open files)/i);
  limit(`${soft}:`);
  assert.equal((await waiting).status, 200, 'whoever waits meanwhile is served');
});

function canRead(path: string): boolean {
  try {
    readlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

/** A limit on descriptors is one on their numbers. */
function lowestFree(open: readonly number[]): number {
  for (let fd = 0; ; fd++) if (!open.includes(fd)) return fd;
}
