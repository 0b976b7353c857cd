import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { type Level, messages } from './messages.ts';

const LEVELS: readonly Level[] = ['error', 'warn', 'info', 'debug'];

describe('messages', () => {
  test('each level has itself and all that is more important', () => {
    for (const [index, level] of LEVELS.entries()) {
      const lines: string[] = [];
      const { say } = messages(level, manualClock(), (line) => lines.push(line));
      for (const one of LEVELS) say(one, 'code', 'text');
      assert.deepEqual(
        lines,
        LEVELS.slice(0, index + 1).map((one) => `2026-11-21T10:00:00.000Z ${one} code text\n`),
      );
    }
  });

  test('one line each, whatever is said; stacks too', () => {
    const lines: string[] = [];
    const { say } = messages('debug', manualClock(), (line) => lines.push(line));
    say('error', 'internal', 'Error: x\n    at y\r\n\u001b[31m\u0000z\u007f\u0085end');
    assert.deepEqual(lines, ['2026-11-21T10:00:00.000Z error internal Error: x     at y [31m z end\n']);
  });

  test('letters beyond ASCII are written as UTF-8', () => {
    const lines: string[] = [];
    messages('debug', manualClock(), (line) => lines.push(line)).say('info', 'code', 'größe €');
    assert.ok(Buffer.from(lines.join(''), 'latin1').toString('utf8').endsWith('größe €\n'));
  });
});
