import type { Place, Span } from './place.ts';
import type { ProblemCode } from './problems.ts';

/** Something wrong with a text, by its place in it. */
export interface Finding {
  readonly code: ProblemCode;
  readonly message: string;
  readonly span: Span;
}

/** A text that has been read. `value` and `root` are missing when it could not be. */
export interface Reading {
  readonly value?: unknown;
  readonly root?: Place;
  readonly problems: readonly Finding[];
}

/** The message of an error as a part of ours: without the capital, unless that belongs to a name. */
export function lower(message: string): string {
  return /^[A-Z][a-z]*\b/.test(message) ? message.slice(0, 1).toLowerCase() + message.slice(1) : message;
}

/** A key that an object has already. */
export function twice(name: string, span: Span, firstLine: number): Finding {
  return {
    code: 'config/duplicate-key',
    message: `${JSON.stringify(name)} is given twice, first on line ${firstLine}`,
    span,
  };
}
