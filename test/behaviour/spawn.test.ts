import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { SpawnInput } from '../../src/spawn/children/options.ts';
import { checked, fetchOnce, namedOrigin, running, type Running, until, whoAnswers } from '../support/running.ts';
import { eventually } from '../support/scripted.ts';
import { alive, app, before, folder } from '../support/spawn.ts';

/** The pids of the children that are origins now. One that has just ended is one still, without a process. */
async function members({ control }: Running): Promise<number[]> {
  const [upstream] = await control.upstreams();
  return upstream?.origins.flatMap(({ child }) => child?.pid ?? []) ?? [];
}

function with_(line: Running, code: string): string[] {
  return line.said.filter((one) => one.split(' ')[1] === code);
}

/** So many children are ready. */
async function ready(line: Running, count: number): Promise<void> {
  await until(
    async () => (await members(line)).length === count,
    () => `${count} children: ${line.said.join('\n')}`,
  );
}

for (const listen of ['port', 'socket', 'fd0', 'systemd'] as const) {
  test(`a child that is told where to listen by ${listen}`, async (t) => {
    const line = await running(t, before(app(t, { listen, instances: { min: 2 } })));
    await ready(line, 2);
    const pids = (await members(line)).map(String).toSorted();
    await until(async () => (await whoAnswers(line.base, 12)).length === 2, 'both are asked');
    assert.deepEqual(await whoAnswers(line.base, 12), pids);
    const [upstream] = await line.control.upstreams();
    for (const { source, child, url, name } of upstream?.origins ?? []) {
      assert.equal(source, 'spawn');
      assert.equal(url, `spawn:${child?.name}`);
      assert.match(name, listen === 'port' ? /^127\.0\.0\.1:\d+$/ : /^unix:\/.*\/app\.[12]-\d+\.sock$/);
    }
    await line.sluice.close(0);
    assert.deepEqual(alive(t), []);
  });
}

test('with several threads as with one', async (t) => {
  const line = await running(t, { ...before(app(t, { instances: { min: 0, max: 2 } })), threads: 2 });
  assert.equal((await fetchOnce(`${line.base}/`)).status, 200);
  await ready(line, 1);
});

test('requests wait for the first child, and none is left when nobody comes', async (t) => {
  const spawn = app(t, { instances: { min: 0, max: 2 }, idleTimeout: '300ms', env: { DELAY: '300' } });
  const line = await running(t, before(spawn, {}, { maxConnections: 1 }));
  assert.deepEqual(alive(t), []);
  const answers = await Promise.all(Array.from({ length: 8 }, () => fetchOnce(`${line.base}/sleep/20`)));
  assert.deepEqual(
    answers.map(({ status }) => status),
    Array.from({ length: 8 }, () => 200),
  );
  assert.equal(new Set(answers.map(({ body }) => body)).size, 2, 'so many waited that two were started');
  await ready(line, 0);
  await eventually(() => alive(t).length === 0, 'they are gone');
  assert.equal((await fetchOnce(`${line.base}/`)).status, 200, 'and come again');
  assert.deepEqual(with_(line, 'child-crashed'), []);
});

test('a child that ends is replaced, and whoever waits meanwhile is served', async (t) => {
  const line = await running(t, before(app(t), {}, { maxConnections: 1 }));
  await ready(line, 1);
  const [first] = await members(line);
  assert.equal((await fetchOnce(`${line.base}/exit/7`)).status, 502);
  const answers = await Promise.all(Array.from({ length: 5 }, () => fetchOnce(`${line.base}/`)));
  for (const { status, body } of answers) {
    assert.equal(status, 200);
    assert.notEqual(body, String(first));
  }
  assert.match(with_(line, 'child-crashed')[0] ?? '', /app app\.1 \(pid \d+\) ended with code 7 after /);
});

test('reloads: unchanged children stay, changed ones are replaced while requests go on, removed ones end', async (t) => {
  const spawn = app(t, { instances: { min: 2 }, env: { TEXT: 'old' } });
  const line = await running(t, before(spawn));
  const reload = (input: object): Promise<unknown> =>
    line.control.reload(JSON.stringify({ log: { access: 'off' }, ...input }));
  await ready(line, 2);
  const first = await members(line);
  await reload({ ...before(spawn), limits: { fields: 50 } });
  assert.deepEqual(await members(line), first);

  const long = fetchOnce(`${line.base}/sleep/1500`);
  let stop = false;
  const statuses = new Set<unknown>();
  const load = (async () => {
    while (!stop) statuses.add((await fetchOnce(`${line.base}/mark`)).status);
  })();
  await reload(before({ ...spawn, env: { ...spawn.env, TEXT: 'new' } }));
  await until(async () => {
    const now = await members(line);
    return now.length === 2 && now.every((pid) => !first.includes(pid));
  }, 'all are new');
  stop = true;
  await load;
  assert.deepEqual([...statuses], [200]);
  assert.deepEqual(await whoAnswers(line.base.concat('/mark/').slice(0, -1)), ['new']);
  assert.ok(first.includes(Number((await long).body)), 'what an old one had in hand was finished');
  await reload({ listen: '127.0.0.1:0', upstreams: { other: { origins: 9 } } });
  await eventually(() => alive(t).length === 0, 'nothing is left');
  assert.deepEqual(with_(line, 'child-crashed'), []);
});

for (const listen of ['fd0', 'socket'] as const) {
  test(`children of the same name in two upstreams are two, by ${listen}`, async (t) => {
    const given = (TEXT: string): SpawnInput => app(t, { name: 'app', listen, instances: { min: 1 }, env: { TEXT } });
    const line = await running(t, {
      listen: '127.0.0.1:0',
      upstreams: { a: { origins: [{ spawn: given('of a') }] }, b: { origins: [{ spawn: given('of b') }] } },
      routes: [
        { match: { path: '/mark/a' }, to: 'a' },
        { match: { path: '/mark/b' }, to: 'b' },
      ],
    });
    for (const name of ['a', 'b', 'a', 'b']) {
      const { status, body } = await fetchOnce(`${line.base}/mark/${name}`);
      assert.deepEqual([status, body], [200, `of ${name}`]);
    }
    assert.deepEqual(with_(line, 'child-crashed'), []);
  });
}

test('a spawn that a reload removes and another brings back does not lose its socket to the old child', async (t) => {
  const spawn = app(t, { name: 'app', listen: 'fd0', instances: { min: 1 } });
  const upstream = { keepAlive: { idle: 0 } };
  const line = await running(t, before(spawn, upstream));
  await ready(line, 1);
  const [old] = await members(line);
  const long = fetchOnce(`${line.base}/sleep/1000`);
  await until(async () => (await line.control.upstreams())[0]?.origins[0]?.inFlight === 1, 'it has the request');
  await line.sluice.reload(
    checked({ listen: '127.0.0.1:0', upstreams: { app: { ...upstream, origins: '127.0.0.1:1' } } }),
  );
  await line.sluice.reload(checked(before(spawn, upstream)));
  await until(async () => (await members(line)).some((pid) => pid !== old), 'there is another child');
  assert.equal((await long).body, String(old));
  await eventually(() => !alive(t).includes(old ?? 0), 'the old one is gone');
  const [young] = await members(line);
  for (let i = 0; i < 3; i++) assert.equal((await fetchOnce(`${line.base}/`)).body, String(young));
});

test('a restart replaces all children, one after the other', async (t) => {
  const line = await running(t, before(app(t, { instances: { min: 2 } })));
  await ready(line, 2);
  const first = await members(line);
  const [pool] = await line.control.restart('app');
  assert.equal(pool?.restarts['operator'], 2);
  await until(async () => {
    const now = await members(line);
    assert.ok(now.length >= 2, 'never fewer');
    return now.length === 2 && now.every((pid) => !first.includes(pid));
  }, 'all are new');
  await assert.rejects(line.control.restart('nosuch'), /there is no upstream "nosuch"/);
  await line.control.reload(JSON.stringify({ listen: '127.0.0.1:0', upstreams: { app: { origins: 9 } } }));
  await assert.rejects(line.control.restart('app'), /nothing to restart/);
});

test('a change of what is watched replaces the children, once for many changes', async (t) => {
  const watched = folder(t);
  mkdirSync(join(watched, 'lib'));
  writeFileSync(join(watched, 'lib/a.txt'), '1');
  const line = await running(t, before(app(t, { cwd: watched, watch: ['lib'] })));
  await ready(line, 1);
  const [first] = await members(line);
  // The watcher needs a moment until it sees changes.
  let changes = 0;
  const again = setInterval(() => {
    if (with_(line, 'child-watch').length === 0) writeFileSync(join(watched, 'lib/a.txt'), String(changes++));
  }, 500);
  t.after(() => clearInterval(again));
  await until(async () => {
    const [now] = await members(line);
    return now !== undefined && now !== first;
  }, 'another one');
  assert.match(with_(line, 'child-watch')[0] ?? '', /app app: what it watches has changed$/);
});

test('children are replaced after so many requests, and no request fails', async (t) => {
  const line = await running(t, before(app(t, { maxRequests: 5 })));
  await ready(line, 1);
  for (let i = 0; i < 60; i++) assert.equal((await fetchOnce(`${line.base}/`)).status, 200);
  const [upstream] = await line.control.upstreams();
  assert.ok((upstream?.pools[0]?.restarts['requests'] ?? 0) >= 1);
  assert.equal(upstream?.pools[0]?.crashes, 0);
});

test('a child that has more memory than it may is replaced', async (t) => {
  // Every program has more than this.
  const line = await running(t, before(app(t, { maxMemory: '1MiB' })));
  await ready(line, 1);
  const [first] = await members(line);
  await until(async () => {
    const [now] = await members(line);
    return now !== undefined && now !== first;
  }, 'another one');
  const [upstream] = await line.control.upstreams();
  assert.ok((upstream?.pools[0]?.restarts['memory'] ?? 0) >= 1);
  assert.equal(upstream?.pools[0]?.crashes, 0);
});

test('with two threads those who wait in either are told that no child can be started', async (t) => {
  const spawn = { command: 'nosuch-program', instances: { min: 0, max: 1 }, crash: { first: '300ms', limit: 3 } };
  const line = await running(t, { ...before(spawn), threads: 2 });
  const got = await Promise.all(Array.from({ length: 16 }, () => fetchOnce(`${line.base}/`)));
  for (const { status, body } of got) {
    assert.equal(status, 503);
    assert.match(body, /children-stopped/);
  }
});

test('a command that is missing is waited for a moment, and found again by a reload', async (t) => {
  const path = join(folder(t), 'app');
  const line = await running(
    t,
    before({ ...app(t), command: path, instances: { min: 0, max: 1 } }, { queue: { timeout: '10m' } }),
  );
  assert.equal((await fetchOnce(`${line.base}/`)).status, 503);
  await eventually(() => with_(line, 'config/missing-program').length === 1, 'it is said at the start');
  assert.match(
    with_(line, 'config/missing-program')[0] ?? '',
    /^warn .* upstreams\.app\.origins\.spawn\.command: \/.*app does not exist; /,
  );
  symlinkSync(process.execPath, path);
  await line.sluice.reload(line.sluice.given);
  assert.equal((await fetchOnce(`${line.base}/`)).status, 200);
  assert.equal(with_(line, 'config/missing-program').length, 1);
});

test('ready by HTTP, and by a line', async (t) => {
  for (const how of [{ http: '/up' }, { line: 'listening' }]) {
    const line = await running(t, before(app(t, { ready: how, env: { DELAY: '200' } })));
    assert.equal((await fetchOnce(`${line.base}/`)).status, 200);
    await line.sluice.close(0);
  }
});

test('metrics, plans and the config in force know of children; values of their environment are not shown', async (t) => {
  const spawn = app(t, { env: { TEXT: 's3cret-value' } });
  const line = await running(t, before(spawn));
  await ready(line, 1);
  const metrics = await line.control.metrics();
  assert.match(metrics, /^sluice_children\{upstream="app",pool="app",state="ready"\} 1$/m);
  assert.match(metrics, /^sluice_child_starts_total\{upstream="app",pool="app"\} 1$/m);
  const shown = JSON.stringify(await line.control.config());
  assert.ok(shown.includes('"TEXT":"***"') && !shown.includes('s3cret-value'));
  const { changes } = await line.control.plan(
    JSON.stringify({ ...before({ ...spawn, env: {} }), log: { access: 'off' } }),
  );
  assert.deepEqual(
    changes.map(({ action, what, name, options }) => [action, what, name, options]),
    [['change', 'upstream', 'app', 'spawn']],
  );
});

/** Children that cannot live, what is said of it, and what those get who wait. */
function broken(
  name: string,
  spawn: (t: TestContext) => SpawnInput | Promise<SpawnInput>,
  cause: RegExp,
  unfit = false,
): void {
  test(`no child can be started: ${name}`, async (t) => {
    const crash = { first: '20ms', most: '20ms', limit: unfit ? 1000 : 3 };
    const line = await running(t, before({ ...(await spawn(t)), crash, instances: { min: 0, max: 1 } }));
    const got = await Promise.all([1, 2, 3].map(() => fetchOnce(`${line.base}/`)));
    for (const { status, body } of got) {
      assert.equal(status, 503);
      assert.match(body, /children-stopped/);
    }
    const causes = with_(line, unfit ? 'children-stopped' : 'child-crashed');
    assert.equal(causes.length, unfit ? 1 : 3, causes.join('\n'));
    for (const one of causes) assert.match(one, cause);
    assert.equal(with_(line, 'children-stopped').length, 1);
    assert.equal((await fetchOnce(`${line.base}/`)).status, 503, 'later ones are answered at once');
    await line.sluice.close(0);
    assert.deepEqual(alive(t), []);
  });
}

broken(
  'the command is missing',
  () => ({ command: 'nosuch-program' }),
  /no child can be started: its command nosuch-program is not in any folder of PATH/,
  true,
);
broken(
  'the command is not executable',
  (t) => {
    const path = join(folder(t), 'app');
    writeFileSync(path, '#!/bin/sh\n');
    chmodSync(path, 0o644);
    return { command: path };
  },
  /no child can be started: its command .*\/app is not executable; /,
  true,
);
broken(
  'its interpreter is missing',
  (t) => {
    const path = join(folder(t), 'app');
    writeFileSync(path, '#!/nosuch/interpreter\n', { mode: 0o755 });
    return { command: path };
  },
  /no child can be started: ended with code 127 before it was ready; it said last: .*not found/i,
  true,
);
broken(
  'its folder is missing',
  (t) => ({ ...app(t), cwd: join(folder(t), 'gone') }),
  /no child can be started: its cwd .*\/gone does not exist; /,
  true,
);
broken(
  'there is no such user',
  (t) => ({ ...app(t), user: 'no-such-user' }),
  /no child can be started: (?:no user no-such-user|`user` and `group`: only root)/,
  true,
);
broken(
  'it ends at once with code 0',
  (t) => app(t, { args: ['-e', 'console.log("done")'] }),
  /ended with code 0 before it was ready; it said last: done$/,
);
broken(
  'it throws',
  (t) => app(t, { args: ['-e', 'throw new Error("no database")'] }),
  /ended with code 1 before it was ready; it said last: /,
);
broken(
  'it is never ready',
  (t) => app(t, { args: ['-e', 'setInterval(() => {}, 1000)'], ready: { timeout: '300ms' } }),
  /was not ready within 300ms \(ready is taking a connection on 127\.0\.0\.1:\d+, which PORT has told it\)$/,
);
broken(
  'it never takes a connection of the socket it got',
  (t) => app(t, { listen: 'fd0', args: ['-e', 'setInterval(() => {}, 1000)'], ready: { timeout: '300ms' } }),
  /was not ready within 300ms/,
);
broken(
  'somebody else has its port',
  async (t) => {
    const { address } = await namedOrigin(t, 'somebody');
    return app(t, { env: { PORT: address.replace(/.*:/, '') }, ready: { line: 'listening' } });
  },
  /ended with code 1 before it was ready; it said last: /,
);

test('a child that ignores TERM is killed; processes that children have started go with them', async (t) => {
  const spawn = app(t, { killDelay: '300ms', env: { STUBBORN: '1', FORK: '1' } });
  const line = await running(t, before(spawn));
  await ready(line, 1);
  const both = alive(t);
  if (process.platform === 'linux') assert.equal(both.length, 2);
  const [first] = await members(line);
  await line.control.restart('app');
  await until(async () => {
    const [now] = await members(line);
    return now !== undefined && now !== first;
  }, 'another one');
  await eventually(() => !alive(t).some((pid) => both.includes(pid)), 'the first two are gone');
  assert.match(with_(line, 'child-killed')[0] ?? '', /app app\.1 \(pid \d+\) is there 300ms after TERM: it gets KILL$/);

  // A first process that dies leaves the other one behind.
  const [second = 0] = await members(line);
  const left = alive(t);
  assert.ok(second > 1);
  process.kill(second, 'SIGKILL');
  await eventually(() => !alive(t).some((pid) => left.includes(pid)), 'what was left is gone');
  assert.match(with_(line, 'child-left').join('\n'), new RegExp(`pid ${second}\\) has left processes behind`));
  await line.sluice.close(0);
  assert.deepEqual(alive(t), []);
});

test('a child that floods its output keeps working, and the log is not flooded', async (t) => {
  const flood = app(t, {});
  const script = `setInterval(() => process.stdout.write('spam\\n'.repeat(20000)), 10); require(${JSON.stringify([flood.args].flat()[0])})`;
  const line = await running(t, before({ ...flood, args: ['-e', script] }));
  for (let i = 0; i < 20; i++) assert.equal((await fetchOnce(`${line.base}/sleep/20`)).status, 200);
  await eventually(
    () => with_(line, 'child-says').some((one) => /… \d+ more lines, which were left out$/.test(one)),
    'what was left out is said',
  );
  assert.ok(with_(line, 'child-says').length < 20_000);
});

test('folders of sockets are gone after the end', async (t) => {
  const line = await running(t, before(app(t, { listen: 'socket' })));
  await ready(line, 1);
  const [upstream] = await line.control.upstreams();
  const path = upstream?.origins[0]?.name.slice('unix:'.length) ?? '';
  assert.ok(existsSync(path));
  assert.ok(readdirSync(tmpdir()).some((name) => path.includes(name)));
  await line.sluice.close(0);
  assert.equal(existsSync(join(path, '..')), false);
});

test('a sluice that is closed while children are starting leaves none', async (t) => {
  for (const wait of [0, 30, 100]) {
    const line = await running(t, before(app(t, { instances: { min: 3 } })));
    await new Promise((resolve) => setTimeout(resolve, wait));
    await line.sluice.close(0);
    assert.deepEqual(alive(t), []);
  }
});

test('a second, impatient close hurries children, whether they have got TERM already or not', async (t) => {
  for (const busy of [true, false]) {
    const line = await running(t, before(app(t, { instances: { min: 1 }, killDelay: '10m', env: { STUBBORN: '1' } })));
    await ready(line, 1);
    if (busy) {
      void fetchOnce(`${line.base}/sleep/600000`);
      await until(async () => (await line.control.upstreams())[0]?.origins[0]?.inFlight === 1, 'it has a request');
    }
    const first = line.sluice.close(busy ? 600_000 : 1000);
    // It says so when it gets TERM.
    if (!busy) await eventually(() => with_(line, 'child-says').some((one) => one.endsWith(': no')), 'it has got TERM');
    await line.sluice.close(0);
    await first;
    assert.deepEqual(alive(t), []);
  }
});
