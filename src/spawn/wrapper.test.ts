import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { processSchema } from './options.ts';
import { wrapper } from './wrapper.ts';

const none = processSchema.parse({});

test('no shell for nothing', () => {
  assert.equal(wrapper(none), '');
  assert.equal(
    wrapper(processSchema.parse({ memory: '1MiB', umask: '022' })),
    'umask 022 && ulimit -v 1024 && exec "$0"',
  );
});

test('a limit that cannot be set keeps the program from running', () => {
  const script = wrapper(processSchema.parse({ files: 1_000_000 }));
  const { status, stdout } = spawnSync('/bin/sh', ['-c', `ulimit -n 20 && ${script}`, '/bin/pwd'], {
    encoding: 'utf8',
  });
  assert.notEqual(status, 0);
  assert.equal(stdout, '');
});

test('any bytes arrive in the environment, and none is run', { skip: process.platform === 'win32' }, () => {
  // Without NUL, which no variable holds.
  const value = fc
    .array(fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constantFrom(...Buffer.from('\\\'"$`%\n01'))), {
      maxLength: 40,
    })
    .map((bytes) => Buffer.from(bytes).latin1Slice());
  fc.assert(
    fc.property(value, value, (one, two) => {
      const script = wrapper(none, [
        ['ONE', one],
        ['TWO', two],
      ]);
      const { stdout } = spawnSync('/bin/sh', ['-c', script, '/usr/bin/env'], { env: {}, encoding: 'latin1' });
      const lines = `\n${stdout}`;
      assert.ok(lines.includes(`\nONE=${one}\n`), JSON.stringify([one, stdout]));
      assert.ok(lines.includes(`\nTWO=${two}\n`), JSON.stringify([two, stdout]));
    }),
    { numRuns: 60 },
  );
});
