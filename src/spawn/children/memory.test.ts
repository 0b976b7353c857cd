import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { memoryOf } from './memory.ts';

test('the memory of all processes of a group, and of no other', async (t) => {
  const script = `const { spawn } = require('child_process');
    const inner = spawn(process.execPath, ['-e', 'globalThis.a = Buffer.alloc(50e6, 1); console.log("here"); setInterval(() => {}, 1e3)'], { stdio: 'inherit' });
    inner.on('exit', () => process.exit());`;
  const child = spawn(process.execPath, ['-e', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const group = child.pid ?? 0;
  assert.ok(group > 1);
  t.after(() => process.kill(-group, 'SIGKILL'));
  await once(child.stdout, 'data');
  const sizes = await memoryOf(new Set([group, 999_999_999]));
  const bytes = sizes.get(group) ?? 0;
  assert.ok(bytes > 100e6, `${bytes} bytes for two processes of Node, one with 50 MB more`);
  assert.deepEqual([...sizes.keys()], [group]);
});
