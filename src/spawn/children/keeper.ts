import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { Messages } from '../../observe/messages.ts';
import { MARK } from './strays.ts';

/**
 * What the keeper does, for every POSIX shell. It reads lines: `+ PID` a group of processes is there, `- PID` it is gone,
 * `d PATH` a folder of sockets. When the pipe ends, sluice has ended, however it has: then the groups that are left get TERM
 * and, those that stay, KILL. Then the same for what has left its group, which Linux tells by the mark in its environment.
 * Signals to the terminal's foreground do not reach it, because it has a session of its own.
 */
const SCRIPT = `
trap '' HUP INT QUIT TERM
groups=' '
folders=
while read -r what one; do
  case $what in
    +) groups="$groups$one " ;;
    -) left=' '
       for group in $groups; do [ "$group" = "$one" ] || left="$left$group "; done
       groups=$left ;;
    d) folders="$folders$one
" ;;
  esac
done
for group in $groups; do kill -s TERM -- "-$group"; done
pause() { sleep 0.1 || { sleep 1; tenths=$((tenths - 9)); }; tenths=$((tenths - 1)); }
tenths=$1
while [ "$tenths" -gt 0 ]; do
  left=
  for group in $groups; do if kill -s 0 -- "-$group"; then left="$left $group"; fi; done
  groups=$left
  [ -n "$groups" ] || break
  pause
done
for group in $groups; do kill -s KILL -- "-$group"; done
strays() { [ -z "$2" ] || grep -slF -e "$2" /proc/[0-9]*/environ | cut -d / -f 3; }
left=$(strays "$@")
if [ -n "$left" ]; then
  kill -s TERM $left
  tenths=$1
  while [ "$tenths" -gt 0 ] && [ -n "$(strays "$@")" ]; do pause; done
  kill -s KILL $(strays "$@")
fi
printf '%s' "$folders" | while read -r folder; do
  rm -f -- "$folder"/*.sock
  rmdir -- "$folder"
done
`;

/** Milliseconds after which another keeper is tried when none could be started. */
const AGAIN = 1000;

/** Tenths of a second between TERM and KILL. Nobody waits for answers of these children any more. */
const DELAY = 50;

/**
 * A process that outlives sluice for as long as it takes to end sluice's children. It is there while there are children,
 * and is started anew when it dies.
 */
export class Keeper {
  readonly #clock: Clock;
  readonly #say: Messages['say'];
  readonly #groups = new Set<number>();
  readonly #folders = new Set<string>();
  readonly #delay: number;
  readonly #mark: string;
  #process: ChildProcess | null = null;
  #closed = false;

  /**
   * @param mark what all that children have started has in its environment, and nobody else; '' for none
   * @param delay tenths of a second between TERM and KILL
   */
  constructor(clock: Clock, say: Messages['say'], mark: string = '', delay: number = DELAY) {
    this.#mark = mark;
    this.#clock = clock;
    this.#say = say;
    this.#delay = delay;
  }

  /** Its process id, for tests; 0: it is not there. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /**
   * The pipe to it. Whoever starts a child hands it on, so that the child's launcher announces itself and only then lets go of
   * it: should sluice die at the same moment, the keeper reads to the end of what launchers had to say. Throws when there
   * is no keeper and none can be started.
   */
  get pipe(): Writable {
    const { pid, stdin } = (this.#process ??= this.#start());
    if (pid === undefined || stdin === null) throw new Error('/bin/sh cannot be started');
    return stdin;
  }

  /** Has a process, if there can be one, before something is started that does not announce itself. */
  begin(): void {
    if (this.#closed || this.#process !== null) return;
    try {
      this.#process = this.#start();
    } catch (error) {
      this.#say('error', 'keeper', `nobody ends programs should sluice be killed: ${(error as Error).message}`);
    }
  }

  /** A group is there that does not announce itself. When there is no keeper it is told to the next one. */
  announce(group: number): void {
    this.add(group);
    this.#tell(`+ ${group}`);
  }

  /** A group has been announced: it is to be announced again to another keeper. */
  add(group: number): void {
    this.#groups.add(group);
  }

  /** A group is gone. */
  remove(group: number): void {
    this.#groups.delete(group);
    this.#tell(`- ${group}`);
  }

  /** A folder that is to go with sluice, when only sockets are in it. */
  addFolder(path: string): void {
    // A line is what ends at a line's end.
    if (path.includes('\n')) return;
    this.#folders.add(path);
    this.#tell(`d ${path}`);
  }

  /** It ends, and takes with it what is left. */
  close(): void {
    this.#closed = true;
    this.#process?.stdin?.end();
  }

  #again(): void {
    if (!this.#closed && this.#groups.size > 0) this.#process ??= this.#start();
  }

  #tell(line: string): void {
    this.#process?.stdin?.write(`${line}\n`);
  }

  #start(): ChildProcess {
    const args = ['-c', SCRIPT, 'sluice-keeper', String(this.#delay), this.#mark];
    // Without the mark of another sluice, whose child this one is: it has its work to do when sluice has ended.
    const env = { ...process.env, [MARK]: undefined };
    const keeper = spawn('/bin/sh', args, { cwd: '/', env, detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    const gone = (why: string): void => {
      if (this.#process !== keeper) return;
      this.#process = null;
      if (this.#closed) return;
      this.#say('error', 'keeper', `the process that ends the children should sluice be killed has gone (${why})`);
      if (keeper.pid !== undefined) this.#again();
      else this.#clock.after(AGAIN, () => this.#again(), 'idle');
    };
    keeper.on('error', (error) => gone(error.message));
    keeper.on('exit', (code, signal) => gone(signal ?? `code ${code}`));
    // What cannot be written any more is told to its successor.
    keeper.stdin?.on('error', () => {});
    keeper.unref();
    // An embedding program ends when it has nothing else to do.
    (keeper.stdin as unknown as { unref?: () => void } | null)?.unref?.();
    for (const folder of this.#folders) keeper.stdin?.write(`d ${folder}\n`);
    for (const group of this.#groups) keeper.stdin?.write(`+ ${group}\n`);
    return keeper;
  }
}
