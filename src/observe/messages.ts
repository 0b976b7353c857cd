import type { Clock } from '../core/clock.ts';

export type Level = 'error' | 'warn' | 'info' | 'debug';

const RANK: Record<Level, number> = { error: 0, warn: 1, info: 2, debug: 3 };

/** What sluice has to say about itself: one line each, `time level code message`. Codes are stable. */
export interface Messages {
  say(level: Level, code: string, message: string): void;
}

/** @param write takes a complete line */
export function messages(level: Level, clock: Clock, write: (line: string) => void): Messages {
  const most = RANK[level];
  return {
    say(of, code, message) {
      if (RANK[of] > most) return;
      const oneLine = message.replace(/[^\x20-\x7e\u00a0-\uffff]+/g, ' ');
      write(`${new Date(clock.wall()).toISOString()} ${of} ${code} ${Buffer.from(oneLine).latin1Slice()}\n`);
    },
  };
}
