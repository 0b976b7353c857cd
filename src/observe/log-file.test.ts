import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { eventually, sleep } from '../../test/support/scripted.ts';
import { systemClock } from '../core/clock.ts';
import { LogFile } from './log-file.ts';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function lines(path: string): string[] {
  const text = readFileSync(path, 'latin1');
  assert.ok(text === '' || text.endsWith('\n'), 'the last line is whole');
  return text.split('\n').slice(0, -1);
}

const unexpected = (error: Error): void => assert.fail(error);

/** Lines that are told apart, of about 100 bytes. */
const nth = (n: number): string => `${String(n).padStart(8, '0')} ${'x'.repeat(90)}\n`;
const numbers = (found: readonly string[]): number[] => found.map((line) => Number(line.slice(0, 8)));

describe('log file', () => {
  test('lines wait for a quarter of a second, and leave together', async (t) => {
    const path = join(folderOf(t), 'a.log');
    const clock = manualClock();
    const file = new LogFile(path, clock, unexpected);
    file.line('one\n');
    clock.advance(200);
    file.line('two\n');
    assert.deepEqual(lines(path), []);
    assert.equal(clock.waiting, 1);
    clock.advance(50);
    await eventually(() => lines(path).length === 2, 'both lines');
    assert.equal(clock.waiting, 0);
    file.line('three\n');
    clock.advance(250);
    await eventually(() => lines(path).length === 3, 'the third line');
    await file.close();
    assert.deepEqual(lines(path), ['one', 'two', 'three']);
  });

  test('a full batch is written at once, without the clock', async (t) => {
    const path = join(folderOf(t), 'a.log');
    const file = new LogFile(path, manualClock(), unexpected);
    for (let n = 0; n < 700; n++) file.line(nth(n));
    await eventually(() => lines(path).length >= 600, 'the batch');
    await file.close();
    assert.equal(lines(path).length, 700);
  });

  test('a line that waits behind a write needs no other line to push it out', async (t) => {
    const path = join(folderOf(t), 'a.log');
    const clock = manualClock();
    const file = new LogFile(path, clock, unexpected);
    for (let n = 0; n < 700; n++) file.line(nth(n));
    // The write of the batch is under way; patience ends before it does.
    clock.advance(1000);
    await eventually(() => lines(path).length === 700, 'all lines');
    await file.close();
  });

  test('flush writes now; close writes what is left, once, and later lines go nowhere', async (t) => {
    const path = join(folderOf(t), 'a.log');
    const file = new LogFile(path, manualClock(), unexpected);
    file.line('one\n');
    file.flush();
    assert.deepEqual(lines(path), ['one']);
    file.line('two\n');
    await file.close();
    assert.deepEqual(lines(path), ['one', 'two']);
    await file.close();
    // The descriptor's number belongs to somebody else now.
    const other = join(folderOf(t), 'other');
    const descriptor = openSync(other, 'w');
    file.line('three\n');
    file.flush();
    file.reopen();
    closeSync(descriptor);
    assert.equal(readFileSync(other, 'latin1'), '');
    assert.deepEqual(lines(path), ['one', 'two']);
  });

  test('it appends, and keeps bytes as they are', async (t) => {
    const path = join(folderOf(t), 'a.log');
    for (const text of ['one \u00ff\n', 'two\n']) {
      const file = new LogFile(path, manualClock(), unexpected);
      file.line(text);
      await file.close();
    }
    assert.deepEqual(readFileSync(path), Buffer.from('one \xff\ntwo\n', 'latin1'));
  });

  test('rotated while writes are in progress: nothing lost, nothing twice, in order, no torn line', async (t) => {
    const folder = folderOf(t);
    const path = join(folder, 'a.log');
    const file = new LogFile(path, systemClock, unexpected);
    const total = 60_000;
    let moved = 0;
    for (let n = 0; n < total; n++) {
      file.line(nth(n));
      // Just after a batch was started, in the middle of one, and twice in a row.
      if (n % 6_557 === 6_000) {
        renameSync(path, join(folder, `a.log.${moved++}`));
        file.reopen();
        if (moved % 3 === 0) file.reopen();
      }
      if (n % 1000 === 0) await new Promise(setImmediate);
    }
    await file.close();
    assert.ok(moved >= 8);
    const all: number[] = [];
    for (let i = 0; i <= moved; i++) {
      const found = numbers(lines(i === moved ? path : join(folder, `a.log.${i}`)));
      assert.ok(found.length > 0);
      all.push(...found);
    }
    assert.equal(all.length, total);
    assert.deepEqual(
      all,
      Array.from({ length: total }, (_, n) => n),
    );
  });

  test('what waits when the file is reopened is written to the old one', async (t) => {
    const path = join(folderOf(t), 'a.log');
    const file = new LogFile(path, manualClock(), unexpected);
    file.line('before\n');
    renameSync(path, `${path}.1`);
    file.reopen();
    file.line('after\n');
    await file.close();
    assert.deepEqual([lines(`${path}.1`), lines(path)], [['before'], ['after']]);
  });

  test('reopened where it cannot be: told, and written on to the old file', async (t) => {
    const folder = folderOf(t);
    mkdirSync(join(folder, 'logs'));
    const path = join(folder, 'logs', 'a.log');
    const failures: string[] = [];
    const file = new LogFile(path, manualClock(), (error) => failures.push(error.code ?? ''));
    file.line('one\n');
    renameSync(join(folder, 'logs'), join(folder, 'moved'));
    file.reopen();
    file.line('two\n');
    await file.close();
    assert.deepEqual(failures, ['ENOENT']);
    assert.deepEqual(lines(join(folder, 'moved', 'a.log')), ['one', 'two']);
  });

  test('a file that cannot be opened is the caller’s to tell', (t) => {
    assert.throws(() => new LogFile(join(folderOf(t), 'no', 'such'), manualClock(), unexpected), { code: 'ENOENT' });
  });

  test('a full disk is told once, not once per write', async (t) => {
    if (process.platform !== 'linux') return t.skip('/dev/full is Linux’s');
    const failures: string[] = [];
    const clock = manualClock();
    const file = new LogFile('/dev/full', clock, (error) => failures.push(error.code ?? ''));
    file.line('one\n');
    clock.advance(250);
    await eventually(() => failures.length === 1, 'the failure');
    file.line('two\n');
    file.flush();
    file.line('three\n');
    await file.close();
    assert.deepEqual(failures, ['ENOSPC']);
  });

  test('a pipe that is full for a while gets every line, whole and in order', async (t) => {
    const total = 6000;
    // Whoever asks for process.stdout makes the pipe non-blocking, for everybody who writes to it.
    const script = `
      import { systemClock } from '${new URL('../core/clock.ts', import.meta.url).href}';
      import { LogFile } from '${new URL('log-file.ts', import.meta.url).href}';
      process.stdout.on('error', () => {});
      const file = new LogFile('stdout', systemClock, (error) => console.error(error));
      for (let n = 0; n < ${total}; n++) {
        file.line(String(n).padStart(8, '0') + ' ' + 'x'.repeat(90) + '\\n');
        if (n % 500 === 0) await new Promise(setImmediate);
      }
      await file.close();
      process.exit(0);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.after(() => child.kill('SIGKILL'));
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const ended = once(child, 'close');
    let text = '';
    let reads = 0;
    for await (const chunk of child.stdout) {
      text += (chunk as Buffer).latin1Slice();
      if (++reads < 8) await sleep(40);
    }
    assert.deepEqual(await ended, [0, null], errors);
    assert.equal(errors, '');
    assert.deepEqual(
      numbers(text.split('\n').slice(0, -1)),
      Array.from({ length: total }, (_, n) => n),
    );
  });
});
