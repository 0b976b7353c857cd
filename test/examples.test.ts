/**
 * Every folder of examples/ as its README tells it: what stands under "Run" is started, what follows `$` is typed, and has to
 * print what stands below it, where `…` is anything. Ports and socket paths are exchanged for free ones in a copy.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { root } from '../scripts/tools.ts';
import { blocks, steps } from './support/markdown.ts';
import { skipUnless } from './support/peer.ts';
import { QUIET } from './support/program.ts';

const PORTS = [3001, 3002, 3003, 8080, 8081];
const folders = readdirSync(join(root, 'examples'), { withFileTypes: true }).filter((entry) => entry.isDirectory());

describe('examples', { concurrency: 3 }, () => {
  for (const { name } of folders) {
    test(name, async (t) => {
      if (process.platform !== 'linux') return t.skip('the commands print what they print on Linux');
      if (skipUnless(t, 'bash') === undefined || skipUnless(t, 'curl') === undefined) return;
      const stage = await copy(t);
      const readme = readFileSync(join(stage, 'examples', name, 'README.md'), 'utf8');
      const run = blocks(readme).find(({ language }) => language === 'sh');
      assert.ok(run !== undefined, 'a README has a block of commands under Run');
      for (const line of run.text.trim().split('\n')) await start(t, stage, line);
      const session = blocks(readme).filter(({ language }) => language === 'console');
      assert.ok(session.length > 0, 'a README has something to try');
      for (const { command, expected } of session.flatMap(({ text }) => steps(text))) {
        const printed = await type(t, stage, command);
        assert.match(printed, expected, `$ ${command}\n${printed}`);
      }
    });
  }

  test('the index names every folder', () => {
    const index = readFileSync(join(root, 'examples', 'README.md'), 'utf8');
    for (const { name } of folders) assert.match(index, new RegExp(`\\[${name}\\]\\(${name}\\)`));
  });
});

/** A copy of the folder with ports of its own, where `npm run sluice` is a call of Node. */
async function copy(t: TestContext): Promise<string> {
  const stage = mkdtempSync(join(tmpdir(), 'sluice-examples-'));
  t.after(() => rmSync(stage, { recursive: true, force: true, maxRetries: 5 }));
  cpSync(join(root, 'examples'), join(stage, 'examples'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(stage, 'node_modules'));
  const ports = new Map<string, string>();
  for (const port of PORTS) ports.set(String(port), String(await freePort()));
  for (const path of readdirSync(join(stage, 'examples'), { recursive: true, encoding: 'utf8' })) {
    const file = join(stage, 'examples', path);
    if (!statSync(file).isFile()) continue;
    const text = readFileSync(file, 'utf8')
      .replaceAll(/(?<=[\s:'])(?:30|80)\d\d\b/g, (port) => ports.get(port) ?? port)
      .replaceAll('/tmp/sluice-example', join(stage, 'example'))
      .replaceAll('../../src/', `${root}src/`)
      .replaceAll('npm run sluice --', `node ${join(root, 'src', 'cli.ts')}`);
    writeFileSync(file, text);
  }
  return stage;
}

const taken = new Set<number>();

/** A port that no outgoing connection gets: below the range that systems take those from. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    if (taken.has(port)) continue;
    taken.add(port);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

/** Starts a program that goes on, and waits until it says that it listens. */
async function start(t: TestContext, stage: string, line: string): Promise<void> {
  const { output, group, ended } = shell(t, stage, `exec ${line}`);
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (/listens on|listening on/.test(output())) resolve();
    };
    group.stdout.on('data', look);
    group.stderr.on('data', look);
    void ended.then(() => reject(new Error(`${line} ended: ${output()}`)));
  });
}

/** Runs a command to its end and answers what it printed. What it leaves in the background ends with the test. */
async function type(t: TestContext, stage: string, line: string): Promise<string> {
  // What is long enough for a reader may be too short for a machine that does other things, too.
  const patient = line.replace(/^sleep (\d+)$/, (_, seconds: string) => `sleep ${3 * Number(seconds)}`);
  const { output, group, ended } = shell(t, stage, patient);
  await once(group, 'exit');
  // The rest of the pipe; a program in the background may keep it open.
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 500))]);
  return output()
    .replaceAll('\r\n', '\n')
    .replaceAll(/^\w+ listens on .*\n/gm, '');
}

function shell(t: TestContext, stage: string, line: string) {
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const path = [dirname(process.execPath), join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter);
  const group = spawn('bash', ['-c', line], {
    cwd: stage,
    env: { ...environment, PATH: path, LC_ALL: 'C', NODE_OPTIONS: QUIET },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let text = '';
  const take = (chunk: Buffer): void => void (text += chunk.toString());
  group.stdout.on('data', take);
  group.stderr.on('data', take);
  const ended = once(group, 'close');
  t.after(async () => {
    try {
      process.kill(-(group.pid as number), 'SIGKILL');
    } catch {
      // All of it has ended already.
    }
    await ended;
  });
  return { output: (): string => text, group, ended };
}
