/** The command as it runs: what it says when it cannot start, how it ends, and what signals do. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { root } from '../scripts/tools.ts';
import { type Program, QUIET, startNode } from './support/program.ts';
import { client, eventually, get, ok, origin, server, type Peer } from './support/scripted.ts';

const CLI = join(root, 'src', 'cli.ts');

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-serve-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function start(t: TestContext, ...words: string[]): Program {
  return startNode(t, [QUIET, CLI, ...words]);
}

/** `sluice proxy` on a free port, before this origin. */
async function proxying(
  t: TestContext,
  url: string,
  ...words: string[]
): Promise<{ program: Program; connect: () => Promise<Peer> }> {
  const program = start(t, 'proxy', '--from', '127.0.0.1:0', '--to', url, ...words);
  const [, port] = await program.until(/listening on http:\/\/127\.0\.0\.1:(\d+), passing to/);
  return { program, connect: () => client(t, Number(port)) };
}

/** A config file that runs on a free port. */
function write(folder: string, config: object): string {
  const file = join(folder, 'proxy.json');
  writeFileSync(file, JSON.stringify({ listen: '127.0.0.1:0', ...config }));
  return file;
}

/** Exit code and everything it said. */
async function outcome(program: Program): Promise<{ code: number | null; output: string }> {
  const code = await program.ended;
  const output = program.output();
  assert.doesNotMatch(output, /^ {4}at /m, 'no stack');
  return { code, output };
}

describe('what cannot start says why in one line', { concurrency: 2 }, () => {
  test('the port is taken', async (t) => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    t.after(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    const { code, output } = await outcome(start(t, 'proxy', '--from', `127.0.0.1:${port}`, '--to', '3000'));
    assert.equal(code, 1);
    assert.match(output, new RegExp(`^sluice: port ${port} is taken by another program; [^\n]*--from PORT[^\n]*\n$`));
  });

  test('an address that is not this machine’s', async (t) => {
    const { code, output } = await outcome(start(t, 'proxy', '--from', '192.0.2.1:8080', '--to', '3000'));
    assert.equal(code, 1);
    assert.equal(output, 'sluice: 192.0.2.1 is not an address of this machine\n');
  });

  test('a log file that cannot be opened', async (t) => {
    const folder = folderOf(t);
    for (const [access, says] of [
      [join(folder, 'no', 'such.log'), 'its folder does not exist'],
      [`${folder}/`, 'is a folder, not a file'],
    ] as const) {
      const file = write(folder, { upstreams: { app: { origins: [3000] } }, log: { access } });
      const { code, output } = await outcome(start(t, 'run', file));
      assert.equal(code, 1);
      assert.equal(output, `sluice: ${access}: ${says}\n`);
    }
  });

  test('a wrong config: all problems, each with its place, and their number', async (t) => {
    const file = join(folderOf(t), 'proxy.yaml');
    writeFileSync(file, 'listen: 99999\nupstream:\n  app: {}\nroutes:\n  - to: nosuch\n');
    for (const command of ['run', 'check']) {
      const { code, output } = await outcome(start(t, command, file));
      assert.equal(code, 2);
      assert.match(output, /proxy\.yaml:1:9/);
      assert.match(output, /proxy\.yaml:2:1/);
      assert.match(output, /proxy\.yaml:5:9/);
      assert.match(output, /\n\n\d problems; nothing was started\.\n$/);
    }
  });
});

describe('the command runs', { concurrency: 2 }, () => {
  test('the shorthand takes the next port when 8080 is taken', async (t) => {
    const app = await server(t, () => ok('hello'));
    let program: Program;
    let listening: string;
    for (;;) {
      const taken = createServer();
      t.after(() => void taken.close());
      // Somebody else may have it already: as good, unless he leaves just now.
      const held = await new Promise((resolve) =>
        taken.once('error', () => resolve(false)).listen(8080, () => resolve(true)),
      );
      program = start(t, String(app.port));
      [, listening] = await program.until(/listening on http:\/\/localhost:(\d+)/);
      if (held === true || listening !== '8080') break;
      await program.end();
    }
    const [, told] = await program.until(/sluice: 8080 is taken, so it is (\d+)\n/);
    assert.equal(told, listening);
    const peer = await client(t, Number(told));
    peer.send(get());
    assert.equal((await peer.answer()).body, 'hello');
    assert.equal(await program.end(), 0);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} lets what is in hand end, takes nothing new, and ends with 0`, async (t) => {
      let finish = (): void => {};
      const held = new Promise<void>((resolve) => (finish = resolve));
      const app = await server(t, async () => {
        await held;
        return ok('finished');
      });
      const { program, connect } = await proxying(t, app.url);
      const busy = await connect();
      const idle = await connect();
      busy.send(get('/busy'));
      await eventually(() => app.requests.length === 1, 'the request is at the origin');
      program.signal(signal);
      await program.until(new RegExp(`${signal}, finishing what is in hand`));
      await idle.end();
      await assert.rejects(connect(), { code: 'ECONNREFUSED' });
      finish();
      const answer = await busy.answer();
      assert.equal(answer.body, 'finished');
      assert.equal(answer.field('connection'), 'close');
      assert.equal(await program.ended, 0);
      assert.match(program.output(), /"GET \/busy HTTP\/1\.1" 200 8 /, 'the line of the log is written before the end');
    });
  }

  test('a second signal ends at once, with 1', async (t) => {
    const app = await origin(t, () => {});
    const { program, connect } = await proxying(t, app.url);
    const peer = await connect();
    peer.send(get());
    await eventually(() => app.connections.length === 1, 'the request is at the origin');
    program.signal('SIGTERM');
    await program.until(/finishing what is in hand/);
    program.signal('SIGINT');
    assert.equal(await program.ended, 1);
    assert.match(program.output(), /sluice: SIGINT again, ending now\n/);
  });

  test('SIGUSR1 opens the logs anew: before in the old file, after in the new one', async (t) => {
    if (process.platform === 'win32') return t.skip('there is no SIGUSR1');
    const folder = folderOf(t);
    const app = await server(t, () => ok());
    const access = join(folder, 'access.log');
    const file = write(folder, { upstreams: { app: { origins: [app.url] } }, log: { access } });
    const program = start(t, 'run', file);
    const [, port] = await program.until(/listening on http:\/\/127\.0\.0\.1:(\d+)/);
    const peer = await client(t, Number(port));
    peer.send(get('/before'));
    await peer.answer();
    renameSync(access, `${access}.1`);
    program.signal('SIGUSR1');
    await eventually(() => existsSync(access), 'the new file');
    peer.send(get('/after'));
    await peer.answer();
    assert.equal(await program.end(), 0);
    const targets = (path: string): string[] =>
      [...readFileSync(path, 'latin1').matchAll(/"GET (\S+)/g)].map(([, one]) => one);
    assert.deepEqual(targets(`${access}.1`), ['/before']);
    assert.deepEqual(targets(access), ['/after']);
  });

  test('a defect that nobody caught ends neither the process nor other requests', async (t) => {
    const app = await server(t, () => ok('hello'));
    const folder = folderOf(t);
    const preload = join(folder, 'defect.mjs');
    writeFileSync(preload, `process.on('SIGUSR2', () => { throw new Error('planted'); });`);
    const program = startNode(t, [
      QUIET,
      `--import=${preload}`,
      CLI,
      'proxy',
      '--from',
      '127.0.0.1:0',
      '--to',
      app.url,
    ]);
    const [, port] = await program.until(/listening on http:\/\/127\.0\.0\.1:(\d+)/);
    program.signal('SIGUSR2');
    await program.until(/error internal Error: planted/);
    const peer = await client(t, Number(port));
    peer.send(get());
    assert.equal((await peer.answer()).body, 'hello');
    assert.equal(await program.end(), 0);
  });
});

test('an old Node gets one clear line', (t) => {
  const old = '/usr/bin/node';
  if (!existsSync(old)) return t.skip(`there is no ${old}`);
  const version = execFileSync(old, ['--version'], { encoding: 'utf8' }).trim();
  if (Number(version.slice(1).split('.')[0]) >= 22) return t.skip(`${old} is ${version}, which is not old`);
  const { status, stdout, stderr } = spawnSync(old, [join(root, 'bin', 'sluice.js'), '--help'], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.equal(stderr, `sluice needs Node 22.22 or newer; this is Node ${version.slice(1)} (${old})\n`);
});
