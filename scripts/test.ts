/**
 * `npm test`: every test under src/, test/ and bench/, in Node's own runner, two files at a time.
 * `npm test -- pool codec/http1`: only the files whose path holds one of these words.
 * `npm test -- --test-name-pattern=retry`: what starts with a dash goes to Node.
 */
import { globSync } from 'node:fs';
import { runTests } from './run-tests.ts';
import { root } from './tools.ts';

const given = process.argv.slice(2);
const flags = given.filter((word) => word.startsWith('-'));
const words = given.filter((word) => !word.startsWith('-'));

const all = globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'], {
  cwd: root,
  exclude: ['**/node_modules/**'],
})
  .map((path) => path.replaceAll('\\', '/'))
  .toSorted();
const files = words.length === 0 ? all : all.filter((path) => words.some((word) => path.includes(word)));
if (files.length === 0) {
  console.error(words.length === 0 ? 'there are no tests' : `no test file's path holds ${words.join(' or ')}`);
  process.exit(1);
}

process.exitCode = await runTests(files, flags, !['', '0', 'false'].includes(process.env['CI'] ?? ''));
