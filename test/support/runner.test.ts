/** The parts of our test runner that must not fail silently: the watchdog and the reporter, each on a small file of tests. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { run, type Ran } from '../../scripts/tools.ts';

/** Runs one file of tests the way `npm test` does, with a short patience. */
async function runTests(t: TestContext, source: string): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-runner-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'sample.test.mjs');
  writeFileSync(file, source);
  process.env['SLUICE_TEST_GRACE_MS'] = '300';
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
  assert.match(output, /watchdog: the tests of .*sample\.test\.mjs ended 0\.3 s ago/);
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
     await test('long', () => setTimeout(600));
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
