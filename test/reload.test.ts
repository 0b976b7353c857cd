/** `sluice run` reads its config again: on SIGHUP, and by itself with `--watch`. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { eventually } from './support/scripted.ts';

interface Process {
  readonly folder: string;
  url(): string;
  log(): string;
  kill(signal: NodeJS.Signals): void;
}

const config = (answer: string): string => `listen: 127.0.0.1:0
routes: [{ respond: { status: 200, body: ${answer} } }]
log: { access: off, error: sluice.log }
`;

async function started(t: TestContext, file: string, ...flags: string[]): Promise<Process> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-reload-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  if (file.includes('/')) {
    // As Kubernetes mounts a ConfigMap: the file is a link through a link to a folder that is swapped whole.
    mkdirSync(join(folder, 'v1'));
    writeFileSync(join(folder, 'v1/sluice.yaml'), config('one'));
    symlinkSync('v1', join(folder, 'data'));
    symlinkSync('data/sluice.yaml', join(folder, 'sluice.yaml'));
  } else writeFileSync(join(folder, file), config('one'));
  const cli = new URL('../src/cli.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [cli, 'run', 'sluice.yaml', ...flags], { cwd: folder });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (said += part));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await eventually(() => said.includes('listening on'), `it listens: ${said}`);
  return {
    folder,
    url: () => /http:\S+\d/.exec(said)?.[0] ?? '',
    log: () => readFileSync(join(folder, 'sluice.log'), 'utf8'),
    kill: (signal) => void child.kill(signal),
  };
}

async function answers(running: Process, expected: string): Promise<void> {
  assert.equal(await (await fetch(running.url())).text(), expected);
}

/** As editors do: another file takes the name. */
function replace(running: Process, text: string): void {
  writeFileSync(join(running.folder, 'fresh'), text);
  renameSync(join(running.folder, 'fresh'), join(running.folder, 'sluice.yaml'));
}

test('SIGHUP reads the config again; a wrong one changes nothing and says where it is wrong', async (t) => {
  const running = await started(t, 'sluice.yaml');
  await answers(running, 'one');
  replace(running, config('two'));
  running.kill('SIGHUP');
  await eventually(() => running.log().includes('reload done'), 'the reload is over');
  assert.match(running.log(), /info reload add route #1/);
  await answers(running, 'two');
  replace(running, config('three').replace('status: 200', 'statsu: 200'));
  running.kill('SIGHUP');
  await eventually(() => running.log().includes('reload-refused'), 'the reload is refused');
  assert.match(running.log(), /error config\/unknown-key sluice\.yaml:2:\d+: .*statsu.*status/);
  await answers(running, 'two');
});

test('--watch sees a replaced file, one that is gone for a moment, and a swapped ConfigMap', async (t) => {
  const running = await started(t, 'sluice.yaml', '--watch');
  replace(running, config('two'));
  await eventually(() => running.log().includes('reload done'), 'the reload is over');
  await answers(running, 'two');
  renameSync(join(running.folder, 'sluice.yaml'), join(running.folder, 'elsewhere'));
  writeFileSync(join(running.folder, 'sluice.yaml'), config('three'));
  await eventually(() => running.log().split('reload done').length === 3, 'the second reload is over');
  await answers(running, 'three');

  const mounted = await started(t, 'data/sluice.yaml', '--watch');
  await answers(mounted, 'one');
  mkdirSync(join(mounted.folder, 'v2'));
  writeFileSync(join(mounted.folder, 'v2/sluice.yaml'), config('two'));
  symlinkSync('v2', join(mounted.folder, 'fresh'));
  renameSync(join(mounted.folder, 'fresh'), join(mounted.folder, 'data'));
  await eventually(() => mounted.log().includes('reload done'), 'the swap has been seen');
  await answers(mounted, 'two');
});

test('without --watch nothing is read again by itself', async (t) => {
  const running = await started(t, 'sluice.yaml');
  replace(running, config('two'));
  await new Promise((resolve) => setTimeout(resolve, 500));
  await answers(running, 'one');
  assert.equal(running.log().includes('reload'), false);
});
