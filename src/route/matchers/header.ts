import { z } from 'zod';
import type { Request } from '../../core/request.ts';
import type { Matcher, MatcherKind } from '../matcher.ts';
import { TOKEN } from '../patterns.ts';
import { compileValue, recordCovers, showValue, valueSchema, type ValueInput, type ValuePattern } from '../value.ts';

const schema = z
  .record(z.string().regex(TOKEN, 'expected a field name'), valueSchema)
  .transform((given) => Object.fromEntries(Object.entries(given).map(([name, one]) => [name.toLowerCase(), one])));

/** Header fields. A field that occurs several times matches when one of its lines does; a line's commas are not split. */
export const header: MatcherKind<Record<string, ValuePattern>, Record<string, ValueInput>> = {
  name: 'header',
  about:
    'Header fields, all of which have to match: `name: value` exactly, `~regex`, `true` (there) or `false` (not there). ' +
    'Of several fields with the name one has to match.',
  schema: schema as never,
  compile: (patterns) => new HeaderMatcher(patterns),
  covers: recordCovers,
};

class HeaderMatcher implements Matcher {
  readonly #tests: readonly { name: string; pattern: ValuePattern; test(values: readonly string[]): boolean }[];

  constructor(patterns: Readonly<Record<string, ValuePattern>>) {
    this.#tests = Object.entries(patterns).map(([name, pattern]) => ({ name, pattern, test: compileValue(pattern) }));
  }

  matches(request: Request): boolean {
    for (const { name, test } of this.#tests) if (!test(request.fields.getAll(name))) return false;
    return true;
  }

  explain(request: Request): string {
    const wrong = this.#tests.find(({ name, test }) => !test(request.fields.getAll(name)));
    if (wrong === undefined) return '';
    const values = request.fields.getAll(wrong.name);
    const found = values.length === 0 ? 'absent' : values.map((value) => JSON.stringify(value)).join(' and ');
    return `header ${wrong.name} is ${found}, ${showValue(wrong.pattern)}`;
  }
}
