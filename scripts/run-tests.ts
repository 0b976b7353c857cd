/** Runs files of tests in Node's own runner, two at a time; in CI those that fail are given a second try, and named. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { Counts, FailedFile, RunRecord } from '../test/support/record.ts';
import { root, run } from './tools.ts';

/** When more files fail than that, something is broken: it is not that tests are unsteady. */
const MOST_REPEATED = 3;

/**
 * @param flags for Node
 * @param again whether files that failed are run once more, alone, after all others; who passes then is named in the end
 * @returns the exit code
 */
export async function runTests(files: readonly string[], flags: readonly string[], again: boolean): Promise<number> {
  const begun = performance.now();
  const { code, record } = await once(files, flags, 2);
  const failed = Object.keys(record?.failed ?? {});
  if (code === 0 || !again || record === undefined || failed.length === 0) return code;
  if (failed.length > MOST_REPEATED) {
    console.log(`\n${failed.length} files failed: too many to be chance, so none is run again`);
    return code;
  }
  console.log(`\n== run again, alone: ${failed.map(place).join(' ')}\n`);
  const second = await once(failed, flags, 1);
  if (second.record === undefined) return second.code === 0 ? 1 : second.code;
  const steady = failed.filter((file) => !(file in (second.record?.failed ?? {})));
  for (const file of steady) tell(file, record.failed[file]);
  const first = failed.map((file) => record.failed[file].counts);
  // Of the tests that ran twice the second time counts.
  console.log(closing([[record.counts, 1], ...first.map((one): Part => [one, -1]), [second.record.counts, 1]], begun));
  return second.code;
}

async function once(
  files: readonly string[],
  flags: readonly string[],
  atOnce: number,
): Promise<{ code: number; record: RunRecord | undefined }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tests-'));
  const path = join(folder, 'record.json');
  const { code } = await run(
    'node',
    [
      '--test',
      `--test-concurrency=${atOnce}`,
      '--test-timeout=240000',
      '--test-reporter=./test/support/reporter.ts',
      '--test-reporter-destination=stdout',
      '--test-reporter=./test/support/record.ts',
      `--test-reporter-destination=${path}`,
      '--import=./test/support/watchdog.ts',
      ...flags,
      ...files,
    ],
    'show',
  );
  let record: RunRecord | undefined;
  try {
    record = JSON.parse(readFileSync(path, 'utf8')) as RunRecord;
  } catch {
    // The runner itself has ended early, and its exit code says so.
  }
  rmSync(folder, { recursive: true, force: true });
  return { code, record };
}

function tell(file: string, { failures }: FailedFile): void {
  console.log(`\nunsteady: ${place(file)} failed once and passed alone. Mend it, it will fail again:`);
  console.log(failures.join('').replaceAll(/^/gm, '  '));
}

function place(file: string): string {
  return relative(root, file).replaceAll('\\', '/');
}

type Part = readonly [counts: Counts, times: 1 | -1];

/** The closing lines of Node's runner, for both runs together. */
function closing(parts: readonly Part[], begun: number): string {
  const sum = (name: keyof Counts): number => parts.reduce((all, [counts, times]) => all + times * counts[name], 0);
  const lines = [
    `tests ${sum('tests')}`,
    `suites ${sum('suites')}`,
    `pass ${sum('passed')}`,
    `fail ${sum('failed')}`,
    `cancelled ${sum('cancelled')}`,
    `skipped ${sum('skipped')}`,
    `todo ${sum('todo')}`,
    `duration_ms ${(performance.now() - begun).toFixed(3)}`,
  ];
  return `\nfirst and second run together\n${lines.map((line) => `ℹ ${line}`).join('\n')}`;
}
