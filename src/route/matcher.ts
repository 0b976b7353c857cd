import type { z } from 'zod';
import type { Request } from '../core/request.ts';

/** One condition of a route, ready to be asked. */
export interface Matcher {
  /** Per request: neither allocates nor compiles where that can be avoided. `remote` is the client's IP address, or `unix:`. */
  matches(request: Request, remote: string): boolean;
  /** Why the request does not match, for people: `path is "/b", not "/a"`. Only asked when it does not. */
  explain(request: Request, remote: string): string;
}

/**
 * A kind of condition: one file in matchers/, one line in index.ts. `Pattern` is what the config holds after checking:
 * plain, immutable data.
 */
export interface MatcherKind<Pattern = never, Input = unknown> {
  /** The key in `match`. */
  readonly name: string;
  readonly about: string;
  readonly schema: z.ZodType<Pattern, Input>;
  compile(pattern: Pattern): Matcher;
  /** Whether every request that matches `narrow` also matches `wide`; false when that cannot be told. */
  covers(wide: Pattern, narrow: Pattern): boolean;
  /** Whether the pattern matches every request there is; default no. */
  coversAll?(wide: Pattern): boolean;
}
