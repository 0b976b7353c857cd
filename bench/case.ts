import type { OriginName } from './origins/index.ts';

/** The process a case measures: a subject, or the origin itself. */
export interface Target {
  readonly pid: number;
  readonly port: number;
  /** The port of the origin behind it. */
  readonly origin: number;
}

/** What one round of one case found for one subject. */
export interface Round {
  readonly figures: Readonly<Record<string, number>>;
  /** Anything that went wrong, in words. A round with errors never enters a median. */
  readonly errors: readonly string[];
}

export interface Column {
  readonly key: string;
  readonly title: string;
  readonly digits: number;
}

export interface Case {
  /** What `--only` calls it. */
  readonly name: string;
  readonly title: string;
  /** `fast` answers GETs (nginx when there is one), `bodies` reads request bodies and is ours; others by their protocol. */
  readonly origin: OriginName;
  /** A new process for every round, for what only a process without a past can show. */
  readonly fresh: boolean;
  /** Also measured against the origin directly, to show what the load generator adds by itself. */
  readonly direct: boolean;
  readonly columns: readonly Column[];
  /** Why it cannot be measured here (and what to install), or undefined when it can. */
  missing(): string | undefined;
  /** The figure that is compared with nginx and HAProxy. */
  readonly ratio: string;
  /** Brings caches, pools and the JIT to where a long-running server has them. */
  warm(target: Target): Promise<void>;
  measure(target: Target, seconds: number): Promise<Round>;
}
