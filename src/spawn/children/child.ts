import type { Clock } from '../../core/clock.ts';
import { originName, type OriginAddress } from '../../core/origin.ts';
import { showDuration } from '../../core/units.ts';
import type { Messages } from '../../observe/messages.ts';
import type { Launched, Launcher } from './launch.ts';
import type { SpawnOptions } from './options.ts';
import type { Probe } from './ready.ts';
import { SHELL_CANNOT, Unfit } from './unfit.ts';

/**
 * `starting` is launched, or will be in a moment · `ready` takes requests · `draining` finishes what it has · `ending` has got TERM, or
 * its first process is gone and others are left · `ended` nothing is left of it.
 */
export type ChildState = 'starting' | 'ready' | 'draining' | 'ending' | 'ended';

/** Why a child is replaced by another. */
export const REASONS = ['crash', 'requests', 'age', 'memory', 'operator', 'watch', 'config'] as const;
export type Reason = (typeof REASONS)[number];

/** What a child needs to live. */
export interface Nursery {
  readonly clock: Clock;
  readonly launcher: Launcher;
  readonly probe: Probe;
  readonly say: Messages['say'];
  /** A child is in another state. */
  turned(child: Child, from: ChildState): void;
}

/** What a child waits for. */
type Waits = 'ready' | 'timeout' | 'kill' | 'group';

/** Milliseconds between two looks whether it is ready: the first, and the longest. */
const LOOK = 10;
const LOOK_MOST = 250;

/** Milliseconds for which a child has to live on after it looked ready: its end may be on its way. */
const SETTLE = 20;

/** Milliseconds between two looks whether processes of its group are left. */
const LEFT = 50;

/** Milliseconds after KILL for which is waited until nothing is left. A zombie that nobody collects stays for ever. */
const GONE = 2000;

/** One process that sluice starts, with all that it starts, from the first to the last. */
export class Child {
  readonly name: string;
  /** What it was started with; `killDelay` and the like may have changed since. */
  options: SpawnOptions;
  /** Clock time of its start, and since when it is ready; 0: not yet. */
  readonly since: number;
  readySince = 0;
  /** Why it is to be replaced; `null`: it is not. */
  outdated: Exclude<Reason, 'crash'> | null = null;
  /** No data plane sends it anything new. */
  isOut = false;
  /** It ended without being asked to. */
  crashed = false;
  /** It could not be started, and the next one will not soon be either. What is to be said of that its pool says. */
  unfit = false;
  /** How it ended, for people. */
  why = '';
  readonly #nursery: Nursery;
  #state: ChildState = 'starting';
  #launched: Launched | null = null;
  #stop = new AbortController();
  readonly #timers = new Map<Waits, () => void>();
  /** Milliseconds between TERM and KILL. */
  #delay: number;
  #killed = false;
  #lastLine = '';

  constructor(name: string, options: SpawnOptions, nursery: Nursery) {
    this.name = name;
    this.options = options;
    this.#nursery = nursery;
    this.since = nursery.clock.now();
    this.#delay = options.killDelay;
    void this.#launch();
  }

  get state(): ChildState {
    return this.#state;
  }

  /** 0: it is not there yet, or could not be started. */
  get pid(): number {
    return this.#launched?.pid ?? 0;
  }

  /** `null` as long as it is not known. */
  get address(): OriginAddress | null {
    return this.#launched?.address ?? null;
  }

  /** Clock time since which it is in its state. */
  turnedAt = 0;

  /** `app.1 (pid 4711)`, for logs. */
  get shown(): string {
    return this.pid === 0 ? this.name : `${this.name} (pid ${this.pid})`;
  }

  /** Takes nothing new. The pool ends it when it has nothing left. */
  drain(): void {
    if (this.#state === 'ready') this.#turn('draining');
  }

  /**
   * Ends it: TERM, and KILL when it is there still after a while.
   *
   * @param delay milliseconds between the two; default its `killDelay`
   */
  end(delay: number = this.options.killDelay): void {
    const launched = this.#launched;
    if (this.#state === 'ended') return;
    if (this.#state !== 'ending') {
      this.#delay = delay;
      this.#turn('ending');
      // A launch that is under way is waited for: what comes of it is ended then.
      if (launched !== null) this.#terminate(launched);
    } else if (delay < this.#delay) {
      this.#delay = delay;
      if (launched !== null && !this.#killed) this.#killLater(launched);
    }
  }

  async #launch(): Promise<void> {
    const { launcher } = this.#nursery;
    const { name, options } = this;
    try {
      const launched = await launcher.launch(
        { name, options },
        {
          heard: (line) => this.#heard(line),
          said: (line) => this.#say('info', 'child-says', line),
          left: (what) => this.#say('info', 'child-left', what),
          exited: (how, code) => this.#exited(how, code),
        },
      );
      this.#launched = launched;
    } catch (error) {
      this.#crash(`cannot be started: ${(error as Error).message}`, error instanceof Unfit);
      return this.#turn('ended');
    }
    if (this.#state === 'ending') return this.#terminate(this.#launched);
    const { timeout, line } = options.ready;
    this.#after('timeout', timeout, () => this.#late());
    if (line === undefined) void this.#look(LOOK);
  }

  /** Looks whether it is ready, until it is. */
  async #look(pause: number): Promise<void> {
    const { probe } = this.#nursery;
    const { ready, listen } = this.options;
    const handed = listen === 'fd0' || listen === 'systemd';
    const { signal } = this.#stop;
    const found = await probe(this.address as OriginAddress, { http: ready.http, handed }, signal);
    if (this.#state !== 'starting') return;
    if (found) this.#after('ready', SETTLE, () => this.#ready());
    else this.#after('ready', pause, () => void this.#look(Math.min(pause * 2, LOOK_MOST)));
  }

  #heard(line: string): void {
    this.#lastLine = line;
    const wanted = this.options.ready.line;
    if (this.#state === 'starting' && wanted !== undefined && line.includes(wanted)) {
      this.#after('ready', SETTLE, () => this.#ready());
    }
  }

  #ready(): void {
    if (this.#state !== 'starting' || this.#launched === null) return;
    this.#clear();
    this.readySince = this.#nursery.clock.now();
    this.#turn('ready');
    const took = showDuration(this.readySince - this.since);
    this.#say('info', 'child-ready', `is ready after ${took}`);
  }

  /** Where it was to listen, for who has an application that listens elsewhere. */
  #told(): string {
    if (this.address === null) return '';
    const by = { port: 'PORT', socket: 'SOCKET', fd0: 'descriptor 0', systemd: 'LISTEN_FDS' }[this.options.listen];
    return ` on ${originName(this.address)}, which ${by} has told it`;
  }

  /** It was not ready in time. */
  #late(): void {
    if (this.#state !== 'starting') return;
    const { http, line, timeout } = this.options.ready;
    const wanted =
      http !== undefined
        ? `an answer of 2xx or 3xx to GET ${http}`
        : line !== undefined
          ? `a line with ${JSON.stringify(line)}`
          : `taking a connection${this.#told()}`;
    this.#crash(`was not ready within ${showDuration(timeout)} (ready is ${wanted})`);
    this.end();
  }

  #exited(how: string, code: number | null): void {
    const launched = this.#launched as Launched;
    if (this.#state === 'ended') return;
    const before = this.#state;
    if (before === 'starting' || before === 'ready') {
      const age = showDuration(this.#nursery.clock.now() - this.since);
      if (before === 'ready') this.#crash(`${how} after ${age}`);
      else this.#crash(`${how} before it was ready`, SHELL_CANNOT.includes(code));
    } else {
      this.why ||= how;
      this.#say('info', 'child-ended', how);
    }
    if (!launched.lives()) return this.#gone(launched);
    // The others of its group are nobody's any more. When it was to end they have got TERM already.
    if (before === 'ending') return;
    this.#say('info', 'child-left', 'has left processes behind, which are ended');
    this.end();
  }

  #crash(why: string, unfit = false): void {
    this.crashed = true;
    this.unfit = unfit;
    const said = this.#lastLine === '' ? '' : `; it said last: ${this.#lastLine}`;
    this.why = unfit ? `${why}${said}` : why;
    if (!unfit) this.#say('error', 'child-crashed', `${why}${said}`);
  }

  /** TERM now, KILL after a while, and looks until nothing is left. */
  #terminate(launched: Launched): void {
    this.#clear();
    launched.signal('SIGTERM');
    this.#killLater(launched);
    this.#wait(launched);
  }

  #killLater(launched: Launched): void {
    this.#after('kill', this.#delay, () => {
      this.#killed = true;
      this.#say('warn', 'child-killed', `is there ${showDuration(this.#delay)} after TERM: it gets KILL`);
      launched.signal('SIGKILL');
      this.#after('kill', GONE, () => this.#gone(launched));
    });
  }

  #wait(launched: Launched): void {
    this.#after('group', LEFT, () => {
      if (!launched.lives()) return this.#gone(launched);
      // What was forked while the others were killed.
      if (this.#killed) launched.signal('SIGKILL');
      this.#wait(launched);
    });
  }

  #gone(launched: Launched): void {
    this.#clear();
    launched.forget();
    this.#turn('ended');
  }

  #turn(state: ChildState): void {
    const from = this.#state;
    if (from === state) return;
    this.#state = state;
    this.turnedAt = this.#nursery.clock.now();
    if (state !== 'starting') this.#stop.abort();
    this.#nursery.turned(this, from);
  }

  #after(what: Waits, ms: number, run: () => void): void {
    if (this.#state === 'ended') return;
    this.#timers.get(what)?.();
    // A program that has nothing else to do waits for the end of what it has started.
    const idle = what === 'kill' || what === 'group' ? undefined : 'idle';
    this.#timers.set(what, this.#nursery.clock.after(ms, run, idle));
  }

  #clear(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  #say(level: 'info' | 'warn' | 'error', code: string, message: string): void {
    const colon = code === 'child-says' ? ':' : '';
    this.#nursery.say(level, code, `${this.shown}${colon} ${message}`);
  }
}
