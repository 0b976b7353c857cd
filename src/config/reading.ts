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
