import { z } from 'zod';
import type { Request } from '../../core/request.ts';
import type { Matcher, MatcherKind } from '../matcher.ts';
import { TOKEN } from '../patterns.ts';
import {
  compileValues,
  explainValues,
  recordCovers,
  valueSchema,
  type ValueInput,
  type ValuePattern,
  type ValueTest,
} from '../value.ts';

const schema = z
  .record(z.string().regex(TOKEN, 'expected a field name'), valueSchema)
  .transform((given) => Object.fromEntries(Object.entries(given).map(([name, one]) => [name.toLowerCase(), one])));

/** Header fields. A field that occurs several times matches when one of its lines does; a line's commas are not split. */
export const header: MatcherKind<Record<string, ValuePattern>, Record<string, ValueInput>> = {
  name: 'header',
  about:
    'Header fields, all of which have to match: `name: value` exactly, `~regex`, `true` (there) or `false` (not there). ' +
    'Of several fields with the name one has to match.',
  schema: schema,
  compile: (patterns) => new HeaderMatcher(patterns),
  covers: recordCovers,
};

class HeaderMatcher implements Matcher {
  readonly #tests: readonly ValueTest[];

  constructor(patterns: Readonly<Record<string, ValuePattern>>) {
    this.#tests = compileValues(patterns);
  }

  matches(request: Request): boolean {
    for (const { name, test } of this.#tests) if (!test(request.fields.getAll(name))) return false;
    return true;
  }

  explain(request: Request): string {
    return explainValues('header', this.#tests, (name) => request.fields.getAll(name));
  }
}
