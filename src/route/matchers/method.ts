import { z } from 'zod';
import { oneOrMany } from '../../core/kind.ts';
import type { Request } from '../../core/request.ts';
import type { Matcher, MatcherKind } from '../matcher.ts';
import { everyCovered, listed, TOKEN } from '../patterns.ts';

const pattern = z.string().transform((given, context) => {
  const refuse = (message: string, near?: string): never => {
    context.addIssue({ code: 'custom', input: given, message, params: { code: 'config/bad-method', near } });
    return z.NEVER;
  };
  if (!TOKEN.test(given)) return refuse('expected a method such as GET');
  if (given !== given.toUpperCase()) return refuse('methods are case-sensitive', given.toUpperCase());
  if (given === 'CONNECT' || given === 'TRACE') return refuse(`${given} is refused before any route is looked at`);
  return given;
});

/** A route for GET also takes HEAD, which is a GET without the body. */
export const method: MatcherKind<string[], string | readonly string[]> = {
  name: 'method',
  about: 'Method, or several, in capitals. GET also stands for HEAD.',
  schema: oneOrMany(pattern),
  compile: (patterns) => new MethodMatcher(patterns),
  covers: (wide, narrow) =>
    everyCovered(wide, narrow, (one, other) => one === other || (one === 'GET' && other === 'HEAD')),
};

class MethodMatcher implements Matcher {
  readonly #methods: readonly string[];

  constructor(methods: readonly string[]) {
    this.#methods = methods.includes('GET') && !methods.includes('HEAD') ? [...methods, 'HEAD'] : methods;
  }

  matches(request: Request): boolean {
    return this.#methods.includes(request.method);
  }

  explain(request: Request): string {
    return `method is ${request.method}, not ${listed(this.#methods)}`;
  }
}
