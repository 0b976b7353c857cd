import { type ChildProcess, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { type Clock, LONGEST_TIMER } from '../core/clock.ts';
import type { Program, ProgramOwner, Unstartable } from '../core/program.ts';
import type { Account } from './account.ts';
import { Pipes } from './pipes.ts';

/** Milliseconds for which what a program has started may still write to its standard error when itself it has ended. */
const LAST_WORDS = 1000;

/** What a program is started with. */
export interface Start {
  readonly file: string;
  /** A request has named the file. */
  readonly found: boolean;
  /** What a shell is to do before it becomes the program, see `wrapper`; '' when there is nothing. */
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  /** `null`: as sluice. */
  readonly account: Account | null;
  /** Something may be written to its standard input. Else that is empty: a pipe costs two descriptors and a socket. */
  readonly input: boolean;
  /** Milliseconds, as in `ProcessOptions`. */
  readonly finish: number;
  readonly kill: number;
}

/** Hears what becomes of programs. */
interface Keeper {
  /** Nobody waits for it any more, but it runs. */
  left(program: RunningProgram): void;
  /** It has ended, or never began. */
  over(program: RunningProgram): void;
}

/**
 * A program that runs, in a process group of its own. As with a connection, whoever has started it says when he is
 * through with it; unlike one it may not care.
 */
export class RunningProgram implements Program {
  readonly stream: Duplex | null;
  readonly #child: ChildProcess;
  readonly #start: Start;
  readonly #clock: Clock;
  readonly #keeper: Keeper;
  readonly #owner: ProgramOwner;
  #running: boolean;
  /** It has got TERM or KILL. */
  #hurried = false;
  #cancel: () => void = () => {};

  /** Throws some of what the system says when it wants no such process; the rest of that comes as `notStarted`. */
  constructor(start: Start, owner: ProgramOwner, clock: Clock, keeper: Keeper) {
    this.#start = start;
    this.#clock = clock;
    this.#keeper = keeper;
    this.#owner = owner;
    const [file, args] = start.script === '' ? [start.file, []] : ['/bin/sh', ['-c', start.script, start.file]];
    const child = spawn(file, args, {
      // RFC 3875 §7.2.
      cwd: dirname(start.file),
      env: { ...start.env },
      stdio: [start.input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      // A session, and so a process group, of its own: signals reach all that it has started.
      detached: true,
      ...start.account,
    });
    this.#child = child;
    this.#running = child.pid !== undefined;
    child.on('error', (error) => {
      // Errors of a running one are those of signals that did not reach it.
      if (child.pid === undefined) this.#neverBegan(error);
    });
    if (!this.#running) {
      this.stream = null;
      return;
    }
    this.stream = new Pipes(child.stdin, child.stdout as Readable);
    child.on('exit', (code, signal) => this.#exited(code, signal));
    child.stderr?.on('data', (bytes: Buffer) => owner.complained(bytes));
    child.stderr?.on('error', () => {});
    child.stderr?.on('close', () => owner.silent());
  }

  /** Its process group's number; 0: it never began. */
  get group(): number {
    return this.#child.pid ?? 0;
  }

  leave(hurry: boolean): void {
    if (!this.#running || this.#hurried) return;
    this.#cancel();
    this.#keeper.left(this);
    if (!hurry) return this.#after(this.#start.finish, () => this.leave(true));
    this.end(this.#start.kill);
  }

  /**
   * Ends it: TERM, unless it has got that already, and KILL after its `kill`.
   *
   * @param most milliseconds until KILL at most
   */
  end(most: number): void {
    if (!this.#running) return;
    this.#cancel();
    if (!this.#hurried) this.#signal('SIGTERM');
    this.#hurried = true;
    this.#after(Math.min(this.#start.kill, most), () => this.kill());
  }

  /** Ends it now. */
  kill(): void {
    if (!this.#running) return;
    this.#hurried = true;
    this.#cancel();
    this.#signal('SIGKILL');
  }

  #neverBegan(error: Error): void {
    this.#keeper.over(this);
    const { code, detail } = refusal(error, this.#start);
    this.#owner.notStarted(code, detail);
  }

  #exited(code: number | null, signal: string | null): void {
    this.#cancel();
    // Whatever it has started is to go with it. Its number is nobody else's yet: it has become free just now.
    if (this.#hurried) this.#signal('SIGKILL');
    this.#running = false;
    this.#keeper.over(this);
    const { stderr } = this.#child;
    const cancel = this.#clock.after(LAST_WORDS, () => stderr?.destroy(), 'idle');
    if (stderr?.destroyed === true) cancel();
    else stderr?.once('close', cancel);
    this.#owner.exited({ code, signal });
  }

  #after(ms: number, run: () => void): void {
    this.#cancel = ms === Infinity ? () => {} : this.#clock.after(Math.min(ms, LONGEST_TIMER), run);
  }

  #signal(name: NodeJS.Signals): void {
    try {
      process.kill(-(this.#child.pid as number), name);
    } catch {
      // The group is empty.
    }
  }
}

/** Why the system has started no process. */
export function refusal(error: NodeJS.ErrnoException, { file, found }: Pick<Start, 'file' | 'found'>): Unstartable {
  switch (error.code) {
    // Arguments and environment have a limit together, and each variable one of its own (execve(2)).
    case 'E2BIG':
      return { code: 'head-too-large-for-origin', detail: 'E2BIG' };
    // The file itself has been looked at.
    case 'ENOENT':
    case 'EACCES':
    case 'ENOEXEC': {
      const detail = `${error.code} ${file}: perhaps for the interpreter in its first line`;
      return { code: found ? 'script-forbidden' : 'program-missing', detail };
    }
    case 'EPERM':
      return { code: 'program-not-started', detail: 'EPERM: only root may run programs as another user' };
    default:
      return { code: 'program-not-started', detail: error.message };
  }
}
