/**
 * A reporter for Node's test runner: one line per test file and for each failure and skip, then all about the failures,
 * and the runner's own closing lines at the end.
 */
import { styleText } from 'node:util';
import type { TestEvent } from 'node:test/reporters';
import { FailureTexts, isTold, placeOf } from './failure-texts.ts';

/** Lines a single file may print before the rest is cut. */
const PRINTED = 100;

export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const texts = new FailureTexts();
  const printed = new Map<string | undefined, number>();
  const failures: string[] = [];
  const closing: string[] = [];

  for await (const event of events) {
    switch (event.type) {
      case 'test:start': {
        texts.started(event.data);
        break;
      }
      case 'test:pass': {
        const { skip, todo } = event.data;
        if (skip !== undefined) yield `  skipped: ${texts.titleOf(event.data)}${reason(skip)}\n`;
        else if (todo !== undefined) yield `  todo: ${texts.titleOf(event.data)}${reason(todo)}\n`;
        break;
      }
      case 'test:fail': {
        if (event.data.todo !== undefined) {
          yield `  todo: ${texts.titleOf(event.data)}${reason(event.data.todo)}\n`;
        } else if (isTold(event.data)) {
          failures.push(texts.of(event.data));
          yield `  ${styleText('red', `✖ ${texts.titleOf(event.data)}`)}\n`;
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
          yield `  (what else ${placeOf(event.data.file)} prints is left out)\n`;
        break;
      }
      case 'test:summary': {
        const { file, counts, duration_ms: took, success } = event.data;
        if (file === undefined) break;
        const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
        const verdict = success ? styleText('green', 'ok  ') : styleText('red', 'FAIL');
        yield `${verdict} ${placeOf(file)} (${counts.tests} tests${skipped}, ${(took / 1000).toFixed(1)} s)\n`;
        break;
      }
      case 'test:diagnostic': {
        if (event.data.file === undefined) closing.push(`ℹ ${event.data.message}\n`);
        else yield `  ${event.data.message}\n`;
        break;
      }
      case 'test:coverage': {
        for (const file of event.data.summary.files) {
          yield `${file.coveredLinePercent.toFixed(1).padStart(6)} % of lines  ${placeOf(file.path)}\n`;
        }
        break;
      }
      default:
    }
  }

  yield failures.join('');
  yield `\n${closing.join('')}`;
}

function reason(value: string | boolean): string {
  return typeof value === 'string' && value !== '' ? ` (${value})` : '';
}
