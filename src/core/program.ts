import type { Duplex } from 'node:stream';
import type { ErrorCode } from './errors.ts';

/** A program that is to be run for one request, and what it is told. All text is latin1: one character is one byte. */
export interface Command {
  /** Absolute path of the file that is run. It gets no arguments. */
  readonly program: string;
  /** A request has named the file: it has to lie below this folder, whatever links lead to. '' when the config has named it. */
  readonly below: string;
  /** Its environment, but for what the config hands on of our own. No name comes twice. */
  readonly env: readonly (readonly [name: string, value: string])[];
  /** Something may be written to its standard input. Else that is empty. */
  readonly input: boolean;
}

/** How a program ended: a status, or the signal that killed it. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Who has started a program. */
export interface ProgramOwner {
  /** It could not be started after all. Nothing follows. */
  notStarted(code: ErrorCode, detail: string): void;
  /** Bytes of its standard error, valid during the call. */
  complained(bytes: Buffer): void;
  /** It has ended. What it wrote may still be on its way. */
  exited(exit: Exit): void;
  /** Nothing more comes of its standard error. */
  silent(): void;
}

/** A running program. */
export interface Program {
  /** Its standard input and output; `null` when it could not be started: `notStarted` follows. */
  readonly stream: Duplex | null;
  /**
   * Nobody waits for it any more. With `hurry` it is told to end at once, with all that it has started; else it may
   * finish what it does after its answer.
   */
  leave(hurry: boolean): void;
}

/** Why a program is not run. Nothing was started. */
export interface Unstartable {
  readonly code: ErrorCode;
  readonly detail: string;
}
