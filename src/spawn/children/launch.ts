import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { OriginAddress } from '../../core/origin.ts';
import type { Messages } from '../../observe/messages.ts';
import { type Account, accountAskedFor } from '../account.ts';
import { environmentOf, filled, findCommand, type Told } from './command.ts';
import { Keeper } from './keeper.ts';
import { Lines } from './lines.ts';
import type { SpawnOptions } from './options.ts';
import { Folders, freePort, type Handed, listenAt } from './place.ts';
import { MARK, Strays } from './strays.ts';
import { isUnfit, Unfit } from './unfit.ts';

/** What is to be started. */
export interface Order {
  /** The child's name: `app.3`. */
  readonly name: string;
  readonly options: SpawnOptions;
}

/** Who hears a child. */
export interface Ears {
  /** It has written a line. All of them come here, also those that are too many for the log. */
  readonly heard: (line: string) => void;
  /** A line for the log. */
  readonly said: (line: string) => void;
  /** What it has left behind, for the log; comes after its end. */
  readonly left: (what: string) => void;
  /** Its first process is gone; `how` as in "ended with code 1", `null` without one. Comes once, after `launch` has resolved. */
  readonly exited: (how: string, code: number | null) => void;
}

/** A child that runs. */
export interface Launched {
  readonly pid: number;
  /** Where it listens, or will. */
  readonly address: OriginAddress;
  /** Signals all processes of its group; that there are none any more is no error. */
  signal(name: 'SIGTERM' | 'SIGKILL'): void;
  /** Whether a process of its group is left. */
  lives(): boolean;
  /** Its group is gone, or never will be: nobody is to end it any more. */
  forget(): void;
}

/** What starts children. */
export interface Launcher {
  /** Rejects with the cause when it cannot, with `Unfit` when it will not soon be able to: then nothing is left of it. */
  launch(order: Order, ears: Ears): Promise<Launched>;
}

/**
 * Runs in the child before the program does: tells the keeper of the process (whose number is that of its group), lets go of
 * the pipe to it, and becomes the program. For systemd's way the listening socket comes as standard input, because there
 * libuv makes it blocking, as systemd hands it over; from there it goes where it belongs.
 */
const ANNOUNCE = `printf '+ %s\\n' "$$" >&3 && exec 3>&-`;
const LAUNCHERS = {
  plain: `${ANNOUNCE} && exec "$@"`,
  systemd: `${ANNOUNCE} && exec 3<&0 </dev/null && export LISTEN_PID="$$" LISTEN_FDS=1 && exec "$@"`,
} as const;

/** Starts real processes. */
export class ProcessLauncher implements Launcher {
  readonly #clock: Clock;
  readonly #keeper: Keeper;
  readonly #folders: Folders;
  /** Ports that children were told to listen on, also before they do. */
  readonly #ports = new Set<number>();
  readonly #strays: Strays;
  /** Begins the marks of all children: nobody else's have it. */
  readonly #run = randomUUID();
  #children = 0;
  #closed = false;

  constructor(clock: Clock, say: Messages['say']) {
    this.#clock = clock;
    this.#keeper = new Keeper(clock, say, `${MARK}=${this.#run}.`);
    this.#strays = new Strays(clock);
    this.#folders = new Folders((path) => this.#keeper.addFolder(path));
  }

  /** The keeper's process id, for tests; 0 without one. */
  get keeper(): number {
    return this.#keeper.pid;
  }

  async launch(order: Order, ears: Ears): Promise<Launched> {
    const { options } = order;
    await findCommand(options);
    const account = await accountOf(options);
    // First the keeper, so that it hears of the folder as well.
    const { pipe } = this.#keeper;
    const { listen, protocol } = options;
    const handed = listen === 'fd0' || listen === 'systemd';
    const port = listen === 'port' ? await freePort(this.#clock, this.#ports) : undefined;
    const path = port === undefined ? this.#folders.socket(order.name, account) : undefined;
    if (port !== undefined) this.#ports.add(port);
    const address: OriginAddress =
      path === undefined
        ? { scheme: protocol, host: '127.0.0.1', port: port ?? 0 }
        : { scheme: protocol, host: 'localhost', port: 0, path };
    const freed = (): void => {
      if (port !== undefined) this.#ports.delete(port);
      if (path !== undefined) rmSync(path, { force: true });
    };
    let socket: Handed | null = null;
    try {
      if (handed && path !== undefined) socket = await listenAt(path);
      if (this.#closed) throw new Error('sluice is shutting down');
      const told: Told = handed
        ? {}
        : { ...(port === undefined ? {} : { port }), ...(path === undefined ? {} : { socket: path }) };
      const stdio = [socket?.fd ?? 'ignore', 'pipe', 'pipe', pipe] as StdioOptions;
      const mark = `${this.#run}.${++this.#children}`;
      const args = options.args.map((one) => filled(one, told));
      const child = spawn(
        '/bin/sh',
        ['-c', LAUNCHERS[listen === 'systemd' ? 'systemd' : 'plain'], 'sluice', options.command, ...args],
        {
          cwd: resolve(options.cwd ?? '.'),
          env: { ...environmentOf(options, told), [MARK]: mark },
          // A session and a group of its own: signals reach all of its processes, and the terminal's do not reach it.
          detached: true,
          stdio,
          ...account,
        },
      );
      await started(child);
      return this.#launched(child, address, ears, () => {
        freed();
        this.#strays.endOf(mark, options.killDelay, ears.left);
      });
    } catch (error) {
      freed();
      throw error;
    } finally {
      socket?.release();
    }
  }

  /** No more are started. Whatever of them is left is ended by the keeper. */
  close(): void {
    this.#closed = true;
    this.#strays.close();
    this.#keeper.close();
    this.#folders.close();
  }

  #launched(child: ChildProcess, address: OriginAddress, ears: Ears, freed: () => void): Launched {
    const pid = child.pid ?? 0;
    this.#keeper.add(pid);
    const lines = new Lines(this.#clock, ears.said, ears.heard);
    for (const stream of [child.stdout, child.stderr]) if (stream !== null) lines.read(stream);
    child.once('exit', (code, signal) => {
      // What it said last is read before: it may tell why.
      this.#clock.soon(() => ears.exited(signal === null ? `ended with code ${code}` : `was ended by ${signal}`, code));
    });
    child.on('error', (error) => ears.said(error.message));
    return {
      pid,
      address,
      signal: (name) => void tryKill(pid, name),
      lives: () => tryKill(pid, 0),
      forget: () => {
        this.#keeper.remove(pid);
        lines.close();
        child.stdout?.destroy();
        child.stderr?.destroy();
        freed();
      },
    };
  }
}

/** Who a child is to run as; `null`: as sluice. Rejects with what is wrong: there is no such user or group, or sluice is not root. */
async function accountOf({ user, group }: SpawnOptions): Promise<Account | null> {
  if (user === undefined && group === undefined) return null;
  if (process.getuid?.() !== 0) {
    throw new Unfit('`user` and `group`: only root can start a process as somebody else');
  }
  const account = await accountAskedFor(String(user ?? ''), String(group ?? ''));
  if (typeof account === 'string') throw new Unfit(account);
  return account;
}

/** Rejects when there could be no process: too many of them, no memory, no file descriptors, a folder that its user may not enter. */
function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve_, reject) => {
    child.once('spawn', resolve_);
    child.once('error', (error: NodeJS.ErrnoException) => {
      const why = `no process could be started: ${error.code ?? error.message}`;
      reject(isUnfit(error.code) ? new Unfit(why) : new Error(why));
    });
  });
}

/** Signals a group; false when nobody is left in it. */
function tryKill(group: number, signal: 'SIGTERM' | 'SIGKILL' | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch (error) {
    // Somebody else's is somebody.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
