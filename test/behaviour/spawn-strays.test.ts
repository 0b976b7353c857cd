/** What children start outside of their process groups goes with them, however they end, and however sluice does. Linux only. */
import assert from 'node:assert/strict';
import { spawn as start } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { startNode } from '../support/program.ts';
import { fetchOnce, running, until } from '../support/running.ts';
import { eventually } from '../support/scripted.ts';
import { alive, app, before, folder } from '../support/spawn.ts';

const SOFT = 'while :; do sleep 1; done';
const STUBBORN = `trap '' TERM HUP; ${SOFT}`;

describe('sessions of their own', process.platform === 'linux' ? {} : { skip: 'not Linux' }, () => {
  for (const [name, DAEMON] of Object.entries({ willing: SOFT, unwilling: STUBBORN })) {
    test(`a child ends, and a daemon of its with it, a ${name} one; that of its neighbour stays`, async (t) => {
      const spawn = app(t, { instances: { min: 2 }, killDelay: '300ms', env: { DAEMON } });
      const line = await running(t, before(spawn));
      // Two applications, two daemons, each of which may be asleep in a process of its own.
      await eventually(() => alive(t).length >= 4, 'all are there');
      let pids: number[] = [];
      await until(async () => {
        const [upstream] = await line.control.upstreams();
        pids = upstream?.origins.flatMap(({ child }) => child?.pid ?? []) ?? [];
        return pids.length === 2;
      }, 'both are ready');
      const [first = 0, second = 0] = pids;
      assert.ok(first > 1 && second > 1);
      process.kill(first, 'SIGKILL');
      await eventually(() => line.said.some((one) => one.includes('outside of its group')), 'it is said');
      const said = line.said.find((one) => one.includes('outside of its group')) ?? '';
      const daemons = (said.match(/: pid (.*)$/)?.[1] ?? '').split(', ').map(Number);
      assert.match(said, new RegExp(`^info child-left app app\\.\\d \\(pid ${first}\\) has left processes outside`));
      await eventually(() => !alive(t).some((pid) => daemons.includes(pid)), 'it is gone');
      assert.ok(alive(t).includes(second), 'the other child is there');
      assert.equal((await fetchOnce(line.base)).status, 200);
      await eventually(() => alive(t).length >= 4, 'the neighbour has its daemon still, and there is another pair');
      await line.sluice.close(0);
      await eventually(() => alive(t).length === 0, 'nothing is left');
    });
  }

  test('sluice is killed, and daemons go as well', async (t) => {
    const spawn = app(t, { env: { DAEMON: STUBBORN } });
    const file = join(folder(t), 'sluice.json');
    writeFileSync(file, JSON.stringify({ ...before(spawn), log: { access: 'off' } }));
    const sluice = startNode(t, ['src/cli.ts', 'run', file]);
    await sluice.until(/children add origin/);
    await eventually(() => alive(t).length >= 2, 'both are there');
    sluice.signal('SIGKILL');
    await sluice.ended;
    await eventually(() => alive(t).length === 0, 'nothing is left');
  });

  test('a daemon whose environment is another one is left alone', async (t) => {
    const spawn = app(t, { env: { DAEMON: `exec env -u SLUICE_CHILD sh -c '${SOFT}'` } });
    const line = await running(t, before(spawn));
    await eventually(() => alive(t).length >= 2, 'both are there');
    t.after(() => {
      for (const pid of alive(t)) process.kill(pid, 'SIGKILL');
    });
    await line.sluice.close(0);
    // Time for the keeper to look and for its TERM to arrive: its own end is what can be waited for.
    await new Promise((resolve) => start('sleep', ['1']).once('exit', resolve));
    assert.ok(alive(t).length >= 1);
  });
});
