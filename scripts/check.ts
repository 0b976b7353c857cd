/**
 * `npm run check [step…]`: every check that is not a test of behaviour, each step by name, all of them even when one fails.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, type Ran } from './tools.ts';

const steps: Record<string, () => Promise<Ran>> = {
  types: () => run('tsc', ['--noEmit']),
  lint: () => run('oxlint', ['--type-aware', '--deny-warnings']),
  format: () => run('oxfmt', ['--check']),
  unused: () => run('knip', ['--no-progress', '--no-config-hints']),
  architecture: () => run('node', ['--test', '--test-reporter=spec', 'test/architecture.test.ts']),
  docs: () => run('node', ['scripts/docs.ts', '--check']),
  lockfile: async () => {
    const addresses = lockedAddresses();
    return addresses.code === 0 ? run('node', ['scripts/lock.ts', '--check']) : addresses;
  },
};

/** npm writes the address each package came from into the lock file unless told not to; ours must work from any registry. */
function lockedAddresses(): Ran {
  const bad = globSync(['package-lock.json', 'bench/package-lock.json'], { cwd: root }).flatMap((file) => {
    const lines = readFileSync(join(root, file), 'utf8').split('\n');
    return lines.flatMap((line, at) =>
      /"resolved": "[a-z+]+:/.test(line) ? [`${file}:${at + 1}: ${line.trim()}`] : [],
    );
  });
  if (bad.length === 0) return { code: 0, output: '' };
  const cure = 'Remove these lines: npm install --omit-lockfile-registry-resolved writes none.';
  return { code: 1, output: `${bad.join('\n')}\n${cure}\n` };
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(steps, name));
if (unknown.length > 0) {
  console.error(`no such check: ${unknown.join(', ')}; there are ${Object.keys(steps).join(', ')}`);
  process.exit(2);
}

const failed: string[] = [];
for (const [name, step] of Object.entries(steps)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const begun = performance.now();
  const { code, output } = await step();
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  if (code !== 0) failed.push(name);
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
  if (code !== 0) console.log(output.replaceAll(/^/gm, '     ').trimEnd());
}
if (failed.length > 0) {
  console.log(`\n${failed.length} failed: ${failed.join(', ')}. One alone: npm run check ${failed[0]}`);
  process.exitCode = 1;
}
