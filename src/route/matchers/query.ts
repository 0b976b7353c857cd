import { z } from 'zod';
import type { Request } from '../../core/request.ts';
import type { Matcher, MatcherKind } from '../matcher.ts';
import {
  compileValues,
  explainValues,
  recordCovers,
  valueSchema,
  type ValueInput,
  type ValuePattern,
  type ValueTest,
} from '../value.ts';

/** Query parameters, decoded as a form's: `+` is a space, `%xx` a byte of UTF-8, `?a` has the value ''. */
export const query: MatcherKind<Record<string, ValuePattern>, Record<string, ValueInput>> = {
  name: 'query',
  about:
    'Query parameters, decoded, all of which have to match: `name: value` exactly, `~regex`, `true` (there) or `false` ' +
    '(not there). Of several parameters with the name one has to match.',
  schema: z.record(z.string(), valueSchema) as never,
  compile: (patterns) => new QueryMatcher(patterns),
  covers: recordCovers,
};

class QueryMatcher implements Matcher {
  readonly #tests: readonly ValueTest[];

  constructor(patterns: Readonly<Record<string, ValuePattern>>) {
    this.#tests = compileValues(patterns);
  }

  matches(request: Request): boolean {
    const parameters = new URLSearchParams(request.query);
    return this.#tests.every(({ name, test }) => test(parameters.getAll(name)));
  }

  explain(request: Request): string {
    const parameters = new URLSearchParams(request.query);
    return explainValues('query parameter', this.#tests, (name) => parameters.getAll(name));
  }
}
