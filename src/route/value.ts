import { z } from 'zod';
import { compileRegex, regexPattern, regexSchema, type RegexPattern } from './regex.ts';

/** What a field or parameter has to be: equal to a text, found by a regular expression, there, or not there. */
export type ValuePattern =
  | { readonly kind: 'equal'; readonly text: string }
  | { readonly kind: 'present' }
  | { readonly kind: 'absent' }
  | RegexPattern;

export type ValueInput = string | boolean | RegExp | { regex: string };

export const valueSchema: z.ZodType<ValuePattern, ValueInput> = z.union([
  z.string().transform((given, context): ValuePattern => {
    return given.startsWith('~') ? regexPattern(given.slice(1), context) : { kind: 'equal', text: given };
  }),
  z.boolean().transform((given): ValuePattern => ({ kind: given ? 'present' : 'absent' })),
  regexSchema,
]);

/** One name and what its values, of which there may be none or several, have to be: one of them is enough. */
export interface ValueTest {
  readonly name: string;
  readonly pattern: ValuePattern;
  readonly test: (values: readonly string[]) => boolean;
}

export function compileValues(patterns: Readonly<Record<string, ValuePattern>>): ValueTest[] {
  return Object.entries(patterns).map(([name, pattern]) => ({ name, pattern, test: compile(pattern) }));
}

/** Says of the first name that does not match what it is and what it should be. */
export function explainValues(
  what: string,
  tests: readonly ValueTest[],
  valuesOf: (name: string) => readonly string[],
): string {
  const wrong = tests.find(({ name, test }) => !test(valuesOf(name)));
  if (wrong === undefined) return '';
  const values = valuesOf(wrong.name);
  const found = values.length === 0 ? 'absent' : values.map((value) => JSON.stringify(value)).join(' and ');
  return `${what} ${wrong.name} is ${found}, not ${show(wrong.pattern)}`;
}

function compile(pattern: ValuePattern): (values: readonly string[]) => boolean {
  if (pattern.kind === 'present') return (values) => values.length > 0;
  if (pattern.kind === 'absent') return (values) => values.length === 0;
  if (pattern.kind === 'equal') return (values) => values.includes(pattern.text);
  const test = compileRegex(pattern);
  return (values) => values.some(test);
}

function show(pattern: ValuePattern): string {
  if (pattern.kind === 'regex') return `~${pattern.source}`;
  return pattern.kind === 'equal' ? JSON.stringify(pattern.text) : pattern.kind;
}

/** Several names, all of which have to match: `wide` covers `narrow` when it asks for nothing that `narrow` does not. */
export function recordCovers(
  wide: Readonly<Record<string, ValuePattern>>,
  narrow: Readonly<Record<string, ValuePattern>>,
): boolean {
  return Object.entries(wide).every(([name, one]) => {
    const other = Object.hasOwn(narrow, name) ? narrow[name] : undefined;
    if (other === undefined) return false;
    if (one.kind === 'present') return other.kind !== 'absent';
    return JSON.stringify(one) === JSON.stringify(other);
  });
}
