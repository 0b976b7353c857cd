/**
 * A reporter for Node's test runner: one line per test file and for each failure and skip, then all about the failures,
 * and the runner's own closing lines at the end.
 */
import { relative } from 'node:path';
import { inspect, styleText } from 'node:util';
import type { TestEvent } from 'node:test/reporters';

type Failure = Extract<TestEvent, { type: 'test:fail' }>['data'];

/** Lines a single file may print before the rest is cut. */
const PRINTED = 100;

export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  /** The names of the suites and tests around the one being reported, by file. */
  const names = new Map<string | undefined, string[]>();
  const printed = new Map<string | undefined, number>();
  const failures: string[] = [];
  const closing: string[] = [];

  for await (const event of events) {
    switch (event.type) {
      case 'test:start': {
        const path = names.get(event.data.file) ?? [];
        path.length = event.data.nesting;
        path.push(event.data.name);
        names.set(event.data.file, path);
        break;
      }
      case 'test:pass': {
        const { skip, todo } = event.data;
        if (skip !== undefined) yield `  skipped: ${title(event.data)}${reason(skip)}\n`;
        else if (todo !== undefined) yield `  todo: ${title(event.data)}${reason(todo)}\n`;
        break;
      }
      case 'test:fail': {
        if (event.data.todo !== undefined) {
          yield `  todo: ${title(event.data)}${reason(event.data.todo)}\n`;
        } else if (!onlyParent(event.data)) {
          failures.push(failure(event.data));
          yield `  ${styleText('red', `✖ ${title(event.data)}`)}\n`;
        }
        break;
      }
      case 'test:stdout':
      case 'test:stderr': {
        const lines = event.data.message.split('\n').length - 1;
        const before = printed.get(event.data.file) ?? 0;
        printed.set(event.data.file, before + lines);
        if (before < PRINTED) yield event.data.message;
        if (before < PRINTED && before + lines >= PRINTED)
          yield `  (what else ${place(event.data.file)} prints is left out)\n`;
        break;
      }
      case 'test:summary': {
        const { file, counts, duration_ms: took, success } = event.data;
        if (file === undefined) break;
        const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
        const verdict = success ? styleText('green', 'ok  ') : styleText('red', 'FAIL');
        yield `${verdict} ${place(file)} (${counts.tests} tests${skipped}, ${(took / 1000).toFixed(1)} s)\n`;
        break;
      }
      case 'test:diagnostic': {
        if (event.data.file === undefined) closing.push(`ℹ ${event.data.message}\n`);
        else yield `  ${event.data.message}\n`;
        break;
      }
      case 'test:coverage': {
        for (const file of event.data.summary.files) {
          yield `${file.coveredLinePercent.toFixed(1).padStart(6)} % of lines  ${place(file.path)}\n`;
        }
        break;
      }
      default:
    }
  }

  yield failures.join('');
  yield `\n${closing.join('')}`;

  function title(data: { name: string; nesting: number; file?: string | undefined }): string {
    return [...(names.get(data.file) ?? []).slice(0, data.nesting), data.name].join(' › ');
  }

  function failure(data: Failure): string {
    const { error } = data.details;
    const cause = error.cause ?? error;
    const where = data.line === undefined ? place(data.file) : `${place(data.file)}:${data.line}:${data.column}`;
    const text = typeof cause === 'string' ? cause : inspect(cause, { depth: 6, colors: false });
    return `\n${styleText('red', `✖ ${title(data)}`)}\n  at ${where}\n${text.replaceAll(/^/gm, '  ')}\n`;
  }
}

/** A suite or test that failed only because one inside it did: that one has been told. */
function onlyParent(data: Failure): boolean {
  return (data.details.error as { failureType?: string }).failureType === 'subtestsFailed';
}

function reason(value: string | boolean): string {
  return typeof value === 'string' && value !== '' ? ` (${value})` : '';
}

function place(file: string | undefined): string {
  return file === undefined ? '(no file)' : relative(process.cwd(), file).replaceAll('\\', '/');
}
