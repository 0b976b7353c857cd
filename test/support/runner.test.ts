/** The parts of our test runner that must not fail silently: watchdog, reporter and second tries, each on small files of tests. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { root, run, type Ran } from '../../scripts/tools.ts';

/** Runs one file of tests the way `npm test` does, with a short patience. */
async function runTests(t: TestContext, source: string): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-runner-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'sample.test.mjs');
  writeFileSync(file, source);
  process.env['SLUICE_TEST_GRACE_MS'] = '1500';
  t.after(() => delete process.env['SLUICE_TEST_GRACE_MS']);
  return run('node', [
    '--test',
    '--test-reporter=./test/support/reporter.ts',
    '--import=./test/support/watchdog.ts',
    file,
  ]);
}

test('a server left open fails the file, and its kind is named', async (t) => {
  const { code, output } = await runTests(
    t,
    `import { test } from 'node:test';
     import { createServer } from 'node:net';
     test('leaks', (t, done) => { createServer().listen(0, '127.0.0.1', done); });`,
  );
  assert.equal(code, 1, output);
  assert.match(output, /watchdog: the tests of .*sample\.test\.mjs ended 1\.5 s ago/);
  assert.match(output, /TCPServerWrap/);
  assert.match(output, /ℹ fail 1\n/);
});

test('a file whose tests outlast the patience, with pauses between them, passes', async (t) => {
  const { code, output } = await runTests(
    t,
    `import { test } from 'node:test';
     import { setTimeout } from 'node:timers/promises';
     await test('first', () => {});
     await setTimeout(50);
     await test('long', () => setTimeout(2500));
     await test('last', () => {});`,
  );
  assert.equal(code, 0, output);
  assert.match(output, /ℹ pass 3\n/);
});

test('a failure is told with its suite, its place and its difference; skips with their reason; the totals come last', async (t) => {
  const { code, output } = await runTests(
    t,
    `import assert from 'node:assert/strict';
     import { describe, test } from 'node:test';
     describe('outer', () => {
       test('fine', () => {});
       test('broken', () => assert.equal(1, 2));
       test('absent', (t) => t.skip('no such thing'));
     });`,
  );
  assert.equal(code, 1, output);
  assert.match(output, /✖ outer › broken\n {2}at .*sample\.test\.mjs:5:8\n/);
  assert.match(output, /1 !== 2/);
  assert.match(output, /skipped: outer › absent \(no such thing\)\n/);
  assert.match(output, /\nℹ tests 3\n(ℹ .*\n)*ℹ pass 1\nℹ fail 1\n(ℹ .*\n)*ℹ skipped 1\n(ℹ .*\n)*$/);
});

test('a file that cannot be loaded fails', async (t) => {
  const { code, output } = await runTests(t, `import 'no-such-package';`);
  assert.equal(code, 1, output);
  assert.match(output, /ERR_MODULE_NOT_FOUND/);
  assert.match(output, /ℹ fail 1\n/);
});

/** The three kinds of files there are: one that fails until it has run, one that always does, and one that never does. */
const KINDS = {
  fine: `import { test } from 'node:test';
    test('fine', () => {});
    test('skipped', (t) => t.skip());`,
  chance: `import { test } from 'node:test';
    import { existsSync, writeFileSync } from 'node:fs';
    test('fine, too', () => {});
    test('chance', () => {
      const before = existsSync(import.meta.filename + '.ran');
      writeFileSync(import.meta.filename + '.ran', before ? 'twice' : 'once');
      if (!before) throw new Error('bad luck');
    });`,
  broken: `import { test } from 'node:test';
    test('broken', () => { throw new Error('no luck'); });`,
} as const;

/** Runs files as `npm test` does, in CI (`again`) or not. */
async function tried(
  t: TestContext,
  kinds: readonly (keyof typeof KINDS)[],
  again: boolean,
): Promise<Ran & { readonly files: readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-runner-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const files = kinds.map((kind, i) => join(folder, `${kind}${i}.test.mjs`));
  for (const [i, file] of files.entries()) writeFileSync(file, KINDS[kinds[i]]);
  return { ...(await all(files, again)), files };
}

function all(files: readonly string[], again: boolean): Promise<Ran> {
  const module = pathToFileURL(join(root, 'scripts', 'run-tests.ts')).href;
  const script = `import { runTests } from ${JSON.stringify(module)};
    process.exitCode = await runTests(${JSON.stringify(files)}, [], ${again});`;
  return run('node', ['--input-type=module', '--eval', script]);
}

/** The closing lines that came last. */
function closing(output: string): string {
  return output.slice(output.lastIndexOf('ℹ tests')).replace(/\nℹ duration_ms \d[^]*$/, '');
}

test('in CI a file that failed is run once more, alone; one that passes then is named, with what failed', async (t) => {
  const { code, output, files } = await tried(t, ['fine', 'chance'], true);
  assert.equal(code, 0, output);
  assert.match(output, /ℹ fail 1\n[^]*== run again, alone: \S*chance1\.test\.mjs\n/);
  assert.match(output, /\nunsteady: \S*chance1\.test\.mjs failed once and passed alone\.[^]*✖ chance\n[^]*bad luck/);
  assert.equal(
    closing(output),
    'ℹ tests 4\nℹ suites 0\nℹ pass 3\nℹ fail 0\nℹ cancelled 0\nℹ skipped 1\nℹ todo 0',
    output,
  );
  assert.equal(readFileSync(`${files[1]}.ran`, 'utf8'), 'twice');
});

test('a second failure fails the run, and only who passed then is called unsteady', async (t) => {
  const { code, output } = await tried(t, ['broken', 'chance'], true);
  assert.equal(code, 1, output);
  assert.deepEqual(output.match(/^unsteady: .*$/gm)?.length, 1, output);
  assert.match(output, /^unsteady: \S*chance1/m);
  assert.match(closing(output), /^ℹ tests 3\nℹ suites 0\nℹ pass 2\nℹ fail 1\n/, output);
});

test('what cannot even be loaded counts as one test, twice as well', async (t) => {
  const { code, output, files } = await tried(t, ['fine', 'chance'], true);
  assert.equal(code, 0, output);
  writeFileSync(files[0], `import 'no-such-package';`);
  const second = await all(files, true);
  assert.equal(second.code, 1, second.output);
  assert.doesNotMatch(second.output, /^unsteady/m);
  assert.match(closing(second.output), /^ℹ tests 3\nℹ suites 0\nℹ pass 2\nℹ fail 1\n/, second.output);
});

test('elsewhere nothing is run again; nor is it when so many failed that it is not chance', async (t) => {
  const outside = await tried(t, ['chance', 'fine'], false);
  assert.equal(outside.code, 1, outside.output);
  assert.doesNotMatch(outside.output, /again|unsteady/);
  assert.equal(readFileSync(`${outside.files[0]}.ran`, 'utf8'), 'once');
  const many = await tried(t, ['chance', 'broken', 'broken', 'broken'], true);
  assert.equal(many.code, 1, many.output);
  assert.match(many.output, /\n4 files failed: too many to be chance, so none is run again\n/);
  assert.equal(readFileSync(`${many.files[0]}.ran`, 'utf8'), 'once');
});
