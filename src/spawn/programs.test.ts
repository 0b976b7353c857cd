import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { eventually } from '../../test/support/scripted.ts';
import { runs, scripts } from '../../test/support/scripts.ts';
import { systemClock } from '../core/clock.ts';
import type { Program, ProgramOwner } from '../core/program.ts';
import { type ProcessOptions, processSchema } from './options.ts';
import { Programs } from './programs.ts';

const linux = process.platform === 'linux' ? {} : { skip: 'not Linux' };

/** Writes down what it hears. */
class Owner implements ProgramOwner {
  readonly events: string[] = [];
  said = '';

  notStarted(code: string, detail: string): void {
    this.events.push(`${code} ${detail}`);
  }

  complained(bytes: Buffer): void {
    this.said += bytes.toString();
  }

  exited({ code, signal }: { code: number | null; signal: string | null }): void {
    this.events.push(`exited ${code ?? signal}`);
  }

  silent(): void {
    this.events.push('silent');
  }
}

function programs(t: TestContext): Programs {
  const made = new Programs(systemClock, () => {});
  t.after(() => {
    made.hurry();
    return made.close();
  });
  return made;
}

function launch(all: Programs, program: string, options: Partial<ProcessOptions> = {}, owner = new Owner()): Program {
  const launched = all.launch(
    { ...processSchema.parse({}), ...options },
    { program, below: '', env: [], input: true },
    owner,
  );
  assert.ok(!('code' in launched), JSON.stringify(launched));
  launched.stream?.on('error', () => {}).resume();
  return launched;
}

test('input, output and complaints; each end is told once', linux, async (t) => {
  const all = programs(t);
  const owner = new Owner();
  const file = scripts(t).add('x', 'cat', 'echo complaint >&2', 'exit 4');
  const { stream } = launch(all, file, {}, owner);
  let text = '';
  let ended = false;
  stream?.on('data', (bytes: Buffer) => (text += bytes.toString()));
  stream?.on('end', () => (ended = true));
  stream?.end('hello');
  await eventually(
    () => ended && owner.events.length === 2,
    () => owner.events.join(),
  );
  assert.deepEqual(
    [text, owner.said, owner.events.toSorted(), all.count],
    ['hello', 'complaint\n', ['exited 4', 'silent'], 0],
  );
});

test(
  'without anything to write, the input is empty, and what is written all the same goes nowhere',
  linux,
  async (t) => {
    const all = programs(t);
    const file = scripts(t).add('x', 'cat', 'ls -l /proc/self/fd/0');
    const command = { program: file, below: '', env: [], input: false };
    const launched = all.launch(processSchema.parse({}), command, new Owner());
    assert.ok(!('code' in launched), JSON.stringify(launched));
    const { stream } = launched;
    let text = '';
    let ended = false;
    stream?.on('data', (bytes: Buffer) => (text += bytes.toString()));
    stream?.on('end', () => (ended = true));
    stream?.cork();
    stream?.write('one');
    stream?.write('two');
    stream?.uncork();
    stream?.end('hello');
    await eventually(() => ended && all.count === 0, text);
    assert.match(text, /^[^\n]* -> \/dev\/null\n$/);
  },
);

test('of those that nobody waits for only so many are left, and the oldest go', linux, async (t) => {
  const all = programs(t);
  const { add, folder, read } = scripts(t);
  const file = add('x', `echo $$ >> ${folder}/pids`, "trap '' TERM", 'while :; do sleep 1; done');
  // Never by themselves, and never because of the clock.
  const options = { finish: Infinity, kill: 1_000_000 };
  const pids = (): number[] => read('pids').split('\n').filter(Boolean).map(Number);
  for (let i = 0; i < 36; i++) {
    const program = launch(all, file, options);
    await eventually(() => pids().length === i + 1, 'it has begun');
    program.leave(i % 2 === 0);
  }
  await eventually(
    () => all.count === 32,
    () => `${all.count} are left`,
  );
  assert.deepEqual(pids().map(runs), [
    ...Array.from({ length: 4 }, () => false),
    ...Array.from({ length: 32 }, () => true),
  ]);
  const before = pids();
  all.hurry();
  await all.close();
  assert.equal(all.count, 0);
  await eventually(() => !before.some(runs), 'all have ended');
});

test('being asked to close, programs may clean up', linux, async (t) => {
  const all = programs(t);
  const { add, folder, read } = scripts(t);
  const lines = [
    `trap 'echo clean > ${folder}/done; exit' TERM`,
    `echo > ${folder}/begun`,
    'while :; do sleep 0.01; done',
  ];
  launch(all, add('x', ...lines));
  await eventually(() => read('begun') !== '', 'it has begun');
  await all.close();
  assert.equal(read('done'), 'clean\n');
});

test(
  'being asked to close, no program has longer than a few seconds, and none when that is hurried',
  linux,
  async (t) => {
    for (const hurried of [false, true]) {
      const all = programs(t);
      const { add, folder, read } = scripts(t);
      const lines = [
        `trap 'echo asked >> ${folder}/log' TERM`,
        `echo >> ${folder}/log`,
        'while :; do sleep 0.01; done',
      ];
      const program = launch(all, add('x', ...lines), { kill: 1_000_000 });
      await eventually(() => read('log') !== '', 'it has begun');
      // Somebody has been through with it before, and left it all the time it may take.
      program.leave(true);
      await eventually(() => read('log').includes('asked'), 'it has got TERM');
      const closed = all.close();
      if (hurried) all.hurry();
      await closed;
      assert.equal(all.count, 0);
    }
  },
);

test('no more files: said, nothing runs, and it goes on when there are some', linux, (t) => {
  const file = scripts(t).add('x', 'exit 0');
  const here = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
  const code = `
    import { openSync, closeSync } from 'node:fs';
    const { Programs } = await import(${here('programs.ts')});
    const { processSchema } = await import(${here('options.ts')});
    const { systemClock } = await import(${here('../core/clock.ts')});
    const all = new Programs(systemClock, () => {});
    const options = processSchema.parse({});
    const start = () => new Promise((resolve) => {
      const owner = { notStarted: (...all) => resolve(all.join(' ')), complained() {}, silent() {}, exited: ({ code }) => resolve('exited ' + code) };
      const launched = all.launch(options, { program: ${JSON.stringify(file)}, below: '', env: [], input: true }, owner);
      if ('code' in launched) resolve(launched.code + ' ' + launched.detail);
      launched.stream?.resume();
    });
    const held = [];
    try { for (;;) held.push(openSync('/dev/null')); } catch {}
    const without = await start();
    for (const one of held) closeSync(one);
    console.log(without + ', ' + all.count + ', ' + await start());
  `;
  const limited = 'ulimit -n 64 && exec "$0" --input-type=module -e "$1"';
  const { stdout, stderr } = spawnSync('/bin/sh', ['-c', limited, process.execPath, code], { encoding: 'utf8' });
  assert.match(stdout, /^program-not-started .*EMFILE.*, 0, exited 0\n$/, stderr);
});
