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

/** Whether the values of one name, of which there may be none or several, are what the pattern wants: one of them is enough. */
export function compileValue(pattern: ValuePattern): (values: readonly string[]) => boolean {
  if (pattern.kind === 'present') return (values) => values.length > 0;
  if (pattern.kind === 'absent') return (values) => values.length === 0;
  if (pattern.kind === 'equal') return (values) => values.includes(pattern.text);
  const test = compileRegex(pattern);
  return (values) => values.some(test);
}

export function showValue(pattern: ValuePattern): string {
  if (pattern.kind === 'regex') return `not ~${pattern.source}`;
  return pattern.kind === 'equal' ? `not ${JSON.stringify(pattern.text)}` : `not ${pattern.kind}`;
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
