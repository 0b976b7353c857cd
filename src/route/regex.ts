import { RE2JS } from 're2js';
import { z } from 'zod';

/**
 * Regular expressions in configs are RE2's: matching takes time linear in the text, so no request can hang the proxy.
 * They come as `~source` in text, as `{ regex: 'source' }`, or as a RegExp in a TypeScript config.
 */
export interface RegexPattern {
  readonly kind: 'regex';
  readonly source: string;
}

/** The object form, and a RegExp. */
export const regexSchema: z.ZodType<RegexPattern, { regex: string } | RegExp> = z
  .union([
    z
      .strictObject({
        regex: z.string().min(1).describe('A regular expression in RE2 syntax, found anywhere in the text.'),
      })
      .meta({ form: '{ regex }' }),
    z.custom<RegExp>((given) => given instanceof RegExp, { params: { misfit: true } }).meta({ scriptOnly: true }),
  ])
  .transform((given, context) =>
    regexPattern(given instanceof RegExp ? RE2JS.translateRegExp(given) : given.regex, context),
  );

/** Checks a source; what RE2 cannot do is reported through the context. */
export function regexPattern(source: string, context: z.RefinementCtx): RegexPattern {
  const wrong = source === '' ? { message: 'the regular expression is empty' } : regexProblem(source);
  if (wrong === undefined) return { kind: 'regex', source };
  const { message, ...place } = wrong;
  context.addIssue({ code: 'custom', input: source, message, params: { code: 'config/bad-regex', ...place } });
  return z.NEVER;
}

/** A test for the pattern anywhere in a text. Compile once, at the start. */
export function compileRegex(pattern: RegexPattern): (text: string) => boolean {
  const compiled = RE2JS.compile(pattern.source);
  return (text) => compiled.test(text);
}

/** What is wrong with a source, and the part of it that is. */
function regexProblem(source: string): { message: string; within?: string } | undefined {
  try {
    RE2JS.compile(source);
    return undefined;
  } catch (error) {
    const { error: what, input } = error as { error?: string; input?: string | null };
    const reason = missingFeature(input ?? '') ?? what ?? String(error);
    if (input == null || input === '') return { message: `bad regular expression: ${reason}` };
    return { message: `bad regular expression: ${reason}: ${input}`, within: input };
  }
}

/** People who know other engines are told that the feature is missing, not that they mistyped. */
function missingFeature(part: string): string | undefined {
  if (/^\(\?<?[=!]/.test(part)) return 'look-around is left out, because it can take exponential time';
  if (/^\\(?:[1-9]|k)/.test(part)) return 'back-references are left out, because they can take exponential time';
  return undefined;
}
