import { readFileSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';
import type { Command, Program, ProgramOwner, Unstartable } from '../core/program.ts';
import type { Messages } from '../observe/messages.ts';
import { type Account, accountOf } from './account.ts';
import { Keeper } from './children/keeper.ts';
import { fileOf } from './file.ts';
import type { ProcessOptions } from './options.ts';
import { refusal, RunningProgram } from './program.ts';
import { wrapper } from './wrapper.ts';

/**
 * Programs that nobody waits for any more. They have no slot, so something else has to bound them, or clients that ask
 * and leave could have any number of programs that take their time to end. The oldest is killed when there is one more.
 */
const MOST_LEFT = 32;

/**
 * Milliseconds between TERM and KILL, at most, when sluice ends. Far below those after which a thread that does not end counts
 * as hung and is terminated (threads/remote.ts), which would leave nobody to send KILL.
 */
const CLOSING = 3000;

/** For when sluice itself has none. */
const PATH = '/usr/local/bin:/usr/bin:/bin';

/** What is the same for all programs with these options. */
interface Prepared {
  /** Or why there is none. */
  readonly account: Account | null | string;
  readonly env: Readonly<Record<string, string>>;
  readonly script: string;
}

/** The programs that a thread has started, one for each request. */
export class Programs {
  readonly #clock: Clock;
  readonly #running = new Set<RunningProgram>();
  /** Those of them that nobody waits for, longest first. */
  readonly #left = new Set<RunningProgram>();
  readonly #prepared = new WeakMap<ProcessOptions, Prepared>();
  /** Nobody is to stay behind, however this process comes to its end. */
  readonly #killAll = (): void => this.#running.forEach((one) => one.kill());
  /** For what does not run `exit`: kill -9 of sluice, and the end of its main thread or of this one by `terminate`. */
  readonly #keeper: Keeper;
  #ended: (() => void) | null = null;
  #atOnce = false;

  constructor(clock: Clock, say: Messages['say']) {
    this.#clock = clock;
    this.#keeper = new Keeper(clock, say);
  }

  /** How many run now. */
  get count(): number {
    return this.#running.size;
  }

  launch(options: ProcessOptions, command: Command, owner: ProgramOwner): Program | Unstartable {
    const { account, env: base, script } = this.#prepare(options);
    if (typeof account === 'string') return { code: 'program-not-started', detail: account };
    const file = fileOf(command, account !== null);
    if (typeof file !== 'string') return file;
    const { env, odd } = environmentOf(base, command);
    const start = {
      file,
      found: command.below !== '',
      script: odd.length === 0 ? script : wrapper(options, odd),
      env,
      account,
      input: command.input,
      finish: options.finish,
      kill: options.kill,
    };
    // Before the program: sluice may be killed while the two are started.
    this.#keeper.begin();
    try {
      const program = new RunningProgram(start, owner, this.#clock, {
        left: (one) => this.#leave(one),
        over: (one) => this.#forget(one),
      });
      if (this.#running.size === 0) process.on('exit', this.#killAll);
      this.#running.add(program);
      if (program.group !== 0) this.#keeper.announce(program.group);
      return program;
    } catch (error) {
      return refusal(error as NodeJS.ErrnoException, start);
    }
  }

  /** When programs are ended by `close` they are not asked first; also those that have been already. */
  hurry(): void {
    this.#atOnce = true;
    if (this.#ended !== null) this.#killAll();
  }

  /** Ends all programs and resolves when they have ended. */
  async close(): Promise<void> {
    if (this.#running.size > 0) {
      const ended = new Promise<void>((resolve) => (this.#ended = resolve));
      if (this.#atOnce) this.#killAll();
      else for (const one of [...this.#running]) one.end(CLOSING);
      await ended;
    }
    this.#keeper.close();
  }

  #leave(program: RunningProgram): void {
    this.#left.add(program);
    for (const oldest of this.#left) {
      if (this.#left.size <= MOST_LEFT) return;
      this.#left.delete(oldest);
      oldest.kill();
    }
  }

  #forget(program: RunningProgram): void {
    this.#left.delete(program);
    if (!this.#running.delete(program)) return;
    if (program.group !== 0) this.#keeper.remove(program.group);
    if (this.#running.size > 0) return;
    process.off('exit', this.#killAll);
    this.#ended?.();
  }

  #prepare(options: ProcessOptions): Prepared {
    let made = this.#prepared.get(options);
    if (made === undefined) {
      const { user, group, pass } = options;
      // Nothing else is asked: who knows the user may be far away, and the thread serves requests.
      const account =
        user === '' && group === '' ? null : accountOf(user, group, read('/etc/passwd'), read('/etc/group'));
      const own = pass.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const]));
      const env = { PATH: process.env['PATH'] ?? PATH, ...Object.fromEntries(own) };
      made = { account, env, script: wrapper(options) };
      this.#prepared.set(options, made);
    }
    return made;
  }
}

/** Variables that are UTF-8, and those that are not. */
function environmentOf(
  base: Readonly<Record<string, string>>,
  command: Command,
): { readonly env: Record<string, string>; readonly odd: (readonly [name: string, value: string])[] } {
  const env: Record<string, string> = { ...base };
  const odd: (readonly [string, string])[] = [];
  for (const [name, value] of command.env) {
    // oxlint-disable-next-line no-control-regex
    const text = /^[\x00-\x7f]*$/.test(value) ? value : Buffer.from(value, 'latin1').toString();
    if (text === value || Buffer.from(text).latin1Slice() === value) env[name] = text;
    else {
      delete env[name];
      odd.push([name, value]);
    }
  }
  return { env, odd };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
