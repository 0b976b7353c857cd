import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { type Clock, LONGEST_TIMER } from '../../core/clock.ts';

/**
 * The variable that marks what a child has started. It is inherited, also by who makes a session of its own, and Linux shows
 * the environment that a process began with (proc(5)): that it has this one is certain to come from its child.
 */
export const MARK = 'SLUICE_CHILD';

/** Milliseconds between two looks: children that end together are one. */
const LOOK = 250;

/** Milliseconds after KILL for which is looked. */
const GONE = 2000;

/** What a child that has ended may have left. */
interface Left {
  readonly said: (line: string) => void;
  /** Clock time for KILL. */
  readonly deadline: number;
  /** Who has got TERM. */
  readonly asked: Set<number>;
}

/**
 * Ends what children leave outside of their groups, once they have ended themselves: daemons, sessions of their own. Linux only.
 * What cannot be seen stays: processes that have dropped the variable, written over it, or become somebody else's.
 */
export class Strays {
  readonly #clock: Clock;
  /** By the values of their marks. */
  readonly #left = new Map<string, Left>();
  #cancel: (() => void) | null = null;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A child has ended with all of its group.
   * @param delay milliseconds between TERM and KILL
   */
  endOf(mark: string, delay: number, said: (line: string) => void): void {
    if (process.platform !== 'linux' || this.#closed) return;
    const deadline = this.#clock.now() + Math.min(delay, LONGEST_TIMER);
    this.#left.set(mark, { said, deadline, asked: new Set() });
    this.#later();
  }

  /** Nobody is looked for any more. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #later(): void {
    this.#cancel ??= this.#clock.after(LOOK, () => void this.#look(), 'idle');
  }

  async #look(): Promise<void> {
    const wanted = new Set(this.#left.keys());
    const found = await marked(wanted);
    if (this.#closed) return;
    for (const mark of wanted) this.#end(mark, found.get(mark) ?? []);
    this.#cancel = null;
    if (this.#left.size > 0) this.#later();
  }

  #end(mark: string, pids: readonly number[]): void {
    const left = this.#left.get(mark);
    if (left === undefined) return;
    const over = this.#clock.now() - left.deadline;
    if (pids.length === 0 || over > GONE) {
      this.#left.delete(mark);
      return;
    }
    const fresh = pids.filter((pid) => !left.asked.has(pid));
    if (fresh.length > 0)
      left.said(`has left processes outside of its group, which are ended: pid ${fresh.join(', ')}`);
    for (const pid of fresh) {
      left.asked.add(pid);
      signal(pid, mark, 'SIGTERM');
    }
    if (over >= 0) for (const pid of pids) signal(pid, mark, 'SIGKILL');
  }
}

/** The processes that have one of these marks, by it. */
async function marked(marks: ReadonlySet<string>): Promise<ReadonlyMap<string, readonly number[]>> {
  const found = new Map<string, number[]>();
  const entries = await readdir('/proc').catch(() => []);
  for (const entry of entries) {
    if (!/^\d+$/.test(entry)) continue;
    // One after the other: nobody is in a hurry, and others want the threads that read.
    const mark = markIn(await readFile(`/proc/${entry}/environ`, 'latin1').catch(() => ''));
    if (marks.has(mark)) found.set(mark, [...(found.get(mark) ?? []), Number(entry)]);
  }
  return found;
}

/** @param environ as the system shows it: each variable ends with a NUL */
function markIn(environ: string): string {
  const at = `\0${environ}`.indexOf(`\0${MARK}=`);
  return at < 0 ? '' : (environ.slice(at + MARK.length + 1).split('\0', 1)[0] ?? '');
}

/** Its number may be another process's by now, so it is looked at once more. */
function signal(pid: number, mark: string, name: NodeJS.Signals): void {
  try {
    if (markIn(readFileSync(`/proc/${pid}/environ`, 'latin1')) === mark) process.kill(pid, name);
  } catch {
    // It is gone.
  }
}
