/** Failed tests as people read them: suites and name, place, and what was thrown. Sees the events of a run, in their order. */
import { relative } from 'node:path';
import { inspect, styleText } from 'node:util';
import type { TestEvent } from 'node:test/reporters';

export type Failure = Extract<TestEvent, { type: 'test:fail' }>['data'];

export class FailureTexts {
  /** The names of the suites and tests around the one being reported, by file. */
  readonly #names = new Map<string | undefined, string[]>();

  started(data: Extract<TestEvent, { type: 'test:start' }>['data']): void {
    const path = this.#names.get(data.file) ?? [];
    path.length = data.nesting;
    path.push(data.name);
    this.#names.set(data.file, path);
  }

  titleOf(data: { name: string; nesting: number; file?: string | undefined }): string {
    return [...(this.#names.get(data.file) ?? []).slice(0, data.nesting), data.name].join(' › ');
  }

  of(data: Failure): string {
    const { error } = data.details;
    const cause = error.cause ?? error;
    const where = data.line === undefined ? placeOf(data.file) : `${placeOf(data.file)}:${data.line}:${data.column}`;
    const text = typeof cause === 'string' ? cause : inspect(cause, { depth: 6, colors: false });
    return `\n${styleText('red', `✖ ${this.titleOf(data)}`)}\n  at ${where}\n${text.replaceAll(/^/gm, '  ')}\n`;
  }
}

/** Whether it is to be told: not what was expected to fail, nor a suite that failed only because a test in it did. */
export function isTold(data: Failure): boolean {
  return data.todo === undefined && (data.details.error as { failureType?: string }).failureType !== 'subtestsFailed';
}

export function placeOf(file: string | undefined): string {
  return file === undefined ? '(no file)' : relative(process.cwd(), file).replaceAll('\\', '/');
}
