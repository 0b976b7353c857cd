/** A reporter for scripts/run-tests.ts, not for people: in the end, the run's counts and its failed files, as JSON. */
import type { TestEvent } from 'node:test/reporters';
import { FailureTexts, isTold } from './failure-texts.ts';

/** Their types leave `failed` out. */
export type Counts = Extract<TestEvent, { type: 'test:summary' }>['data']['counts'] & { readonly failed: number };

export interface FailedFile {
  readonly counts: Counts;
  /** What failed in it, as text. */
  readonly failures: string[];
}

export interface RunRecord {
  readonly counts: Counts;
  /** By absolute path. */
  readonly failed: { [file: string]: FailedFile };
}

/** Of a file that ended before it could tell: as Node counts it, it is one test. */
const ITSELF: Counts = { tests: 1, suites: 0, passed: 0, failed: 1, cancelled: 0, skipped: 0, todo: 0, topLevel: 1 };

export default async function* record(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const texts = new FailureTexts();
  const failures = new Map<string, string[]>();
  const counted = new Map<string, Counts>();
  let all: Counts | undefined;
  for await (const event of events) {
    if (event.type === 'test:start') texts.started(event.data);
    else if (event.type === 'test:fail' && event.data.file !== undefined && event.data.todo === undefined) {
      const list = failures.get(event.data.file) ?? [];
      failures.set(event.data.file, list);
      if (isTold(event.data)) list.push(texts.of(event.data));
    } else if (event.type === 'test:summary') {
      if (event.data.file === undefined) all = event.data.counts as Counts;
      else counted.set(event.data.file, event.data.counts as Counts);
    }
  }
  const failed = [...failures].map(([file, list]): [string, FailedFile] => [
    file,
    { counts: counted.get(file) ?? ITSELF, failures: list },
  ]);
  yield JSON.stringify({ counts: all ?? ITSELF, failed: Object.fromEntries(failed) } satisfies RunRecord);
}
