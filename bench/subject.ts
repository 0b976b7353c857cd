import type { Origin } from './origins/origin.ts';
import type { Protocol } from './protocol.ts';

/** What one contender of the benchmark looks like to the rest of it; each lives in its own file in `subjects/`. */

/** Where a subject is to run: everything it needs to write its own configuration. */
export interface SubjectEnv {
  /** A directory of its own, removed after the run. */
  readonly dir: string;
  readonly origin: Origin;
  /** The file its access log must go to. */
  readonly accessLog: string;
}

export interface RunningSubject {
  readonly pid: number;
  readonly port: number;
  /** True as long as the process has not ended by itself. */
  alive(): boolean;
  /** Its last words on stderr. */
  complaint(): string;
  stop(): Promise<void>;
}

export interface Subject {
  readonly name: string;
  /** How it is set up, in a few words; printed under the results. */
  readonly about: string;
  /** What it can speak to origins. */
  readonly speaks: readonly Protocol[];
  /** Comes with bench/package.json instead of the system's packages. */
  readonly fromNpm?: boolean;
  /** Why it cannot run here (and how to get it), or undefined when it can. */
  missing(): string | undefined;
  version(): string;
  start(env: SubjectEnv): Promise<RunningSubject>;
}
