/** Running this repository's own tools from node_modules/.bin, the same way on every platform. */
import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const bin = join(root, 'node_modules', '.bin');
const windows = process.platform === 'win32';

export interface Ran {
  readonly code: number;
  /** stdout and stderr as they came; empty when `show` let them through. */
  readonly output: string;
}

/**
 * Runs `program args…` in the repository; `show` lets it write to our own output instead of collecting it.
 * `node` is the Node that runs us, so `some/other/node scripts/test.ts` tests on that one.
 */
export function run(program: string, args: readonly string[], how?: 'show'): Promise<Ran> {
  return new Promise((resolve) => {
    // Without this NODE_TEST_CONTEXT a test runner started by a test would answer in the outer runner's wire format.
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const node = program === 'node';
    const child = spawn(node ? process.execPath : program, args, {
      cwd: root,
      env: { ...environment, PATH: bin + delimiter + (process.env['PATH'] ?? '') },
      shell: windows && !node, // npm's bins are .cmd files there
      stdio: how === 'show' ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const take = (chunk: Buffer): void => void (output += chunk.toString());
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.on('error', (error) => resolve({ code: 127, output: `${program}: ${error.message}\n` }));
    child.on('close', (code, signal) => {
      resolve({ code: code ?? 1, output: signal === null ? output : `${output}${program} ended by ${signal}\n` });
    });
  });
}
