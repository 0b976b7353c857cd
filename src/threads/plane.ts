import type { Config } from '../config/config.ts';
import type { RecordView } from '../control/views.ts';
import type { BoardMap } from '../control/boards.ts';
import type { Waiting } from '../upstream/backlog.ts';
import type { Bound, Place, Turned } from '../data-plane.ts';
import type { Messages } from '../observe/messages.ts';

/** By listener, in the config's order: the port that another thread has bound; missing when none has. */
export type Ports = readonly (number | undefined)[];

/** A data plane as the control plane drives it, whichever thread it is in. `src/data-plane.ts` tells what each does. */
export interface Plane {
  open(ports: Ports): Promise<Bound>;
  prepare(config: Config, boards: BoardMap, ports: Ports): Promise<Bound>;
  commit(): void | Promise<void>;
  abort(): Promise<void>;
  reopenLogs(): void | Promise<void>;
  close(grace: number, handover?: boolean): Promise<void>;
  waiting(upstream: string, most: number): Waiting[] | Promise<Waiting[]>;
  records(most: number): RecordView[] | Promise<RecordView[]>;
}

/** What a thread is started with. */
export interface ThreadStart {
  readonly config: Config;
  readonly boards: BoardMap;
  readonly place: Place;
}

/** What is asked of a thread. */
export interface Call {
  readonly id: number;
  readonly call: keyof Plane;
  readonly args: readonly unknown[];
}

/** What a thread says: a result, or a line for sluice's own log. */
export type Saying =
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly failure: Failure }
  | { readonly kind: 'say'; readonly words: Parameters<Messages['say']> }
  | { readonly kind: 'turned'; readonly turn: Parameters<Turned> };

/** An error on its way between threads: cloning one keeps its text only, and the code is what decides. */
export interface Failure {
  readonly message: string;
  readonly stack: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
}

export function toFailure(error: unknown): Failure {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined, details: {} };
  const details = Object.fromEntries(
    Object.entries(error).filter(([, value]) => typeof value === 'string' || typeof value === 'number'),
  );
  return { message: error.message, stack: error.stack, details };
}

export function fromFailure({ message, stack, details }: Failure): Error {
  const error = Object.assign(new Error(message), details);
  if (stack !== undefined) error.stack = stack;
  return error;
}
