import { z } from 'zod';
import { oneOrMany } from '../../core/kind.ts';
import { normalizePath, type Request } from '../../core/request.ts';
import type { Matcher, MatcherKind } from '../matcher.ts';
import { everyCovered, listed } from '../patterns.ts';
import { compileRegex, regexPattern, regexSchema, type RegexPattern } from '../regex.ts';

/** `prefix` is without the `/*`: `/api` matches itself and everything below; '' matches every path. */
export type PathPattern =
  | { readonly kind: 'exact'; readonly path: string }
  | { readonly kind: 'prefix'; readonly path: string }
  | RegexPattern;

const text = z.string().transform((given, context): PathPattern => {
  const refuse = (message: string): never => {
    context.addIssue({ code: 'custom', input: given, message, params: { code: 'config/bad-path' } });
    return z.NEVER;
  };
  if (given.startsWith('~')) return regexPattern(given.slice(1), context);
  if (!given.startsWith('/'))
    return refuse('a path starts with / (exact, or /prefix/*) or with ~ (a regular expression)');
  if (given.includes('?')) return refuse('a path is matched without its query; `query` matches parameters');
  if (given.includes('#')) return refuse('a request never holds the part after #');
  const prefix = given.endsWith('/*');
  const plain = prefix ? given.slice(0, -2) : given;
  if (plain.includes('*'))
    return refuse('* stands only at the end, as /*; a regular expression (~^/a/[^/]*/b$) can do more');
  const normal = plain === '' ? '' : normalizePath(plain);
  if (normal === undefined || (!prefix && normal === '') || /\/{2}|\/\.{1,2}(?:\/|$)/.test(given)) {
    return refuse('requests are matched with // merged and . and .. resolved, so this path never matches');
  }
  return { kind: prefix ? 'prefix' : 'exact', path: normal };
});

/** The normal form of the request's path, so that no spelling of it slips past a route. */
export const path: MatcherKind<PathPattern[], PathInput | readonly PathInput[]> = {
  name: 'path',
  about:
    'Path, or several: `/x` exactly, `/api/*` for `/api` and everything below it, `~^/v\\d+/` a regular expression (RE2). ' +
    "Compared with the request's path without query, percent-decoded, `//` merged, dot segments resolved.",
  schema: oneOrMany<PathPattern, PathInput>(z.union([text, regexSchema])),
  compile: (patterns) => new PathMatcher(patterns),
  covers: (wide, narrow) => everyCovered(wide, narrow, covers),
  coversAll: (wide) => wide.some((one) => one.kind === 'prefix' && one.path === ''),
};

type PathInput = string | RegExp | { regex: string };

class PathMatcher implements Matcher {
  readonly #patterns: readonly PathPattern[];
  readonly #tests: readonly ((path: string) => boolean)[];

  constructor(patterns: readonly PathPattern[]) {
    this.#patterns = patterns;
    this.#tests = patterns.map(compile);
  }

  matches(request: Request): boolean {
    const normal = request.path;
    if (normal === undefined) return false;
    for (const test of this.#tests) if (test(normal)) return true;
    return false;
  }

  explain(request: Request): string {
    if (request.path === undefined) return 'path leads above the root';
    return `path is ${JSON.stringify(request.path)}, not ${listed(this.#patterns.map(show))}`;
  }
}

function compile(pattern: PathPattern): (path: string) => boolean {
  if (pattern.kind === 'regex') return compileRegex(pattern);
  const wanted = pattern.path;
  if (pattern.kind === 'exact') return (given) => given === wanted;
  const below = `${wanted}/`;
  return (given) => given.startsWith(below) || given === wanted;
}

function show(pattern: PathPattern): string {
  if (pattern.kind === 'regex') return `~${pattern.source}`;
  return pattern.kind === 'prefix' ? `${pattern.path}/*` : pattern.path;
}

function covers(wide: PathPattern, narrow: PathPattern): boolean {
  if (wide.kind === 'regex' || narrow.kind === 'regex') {
    if (wide.kind === 'prefix' && wide.path === '') return true;
    return wide.kind === 'regex' && narrow.kind === 'regex' && wide.source === narrow.source;
  }
  if (wide.kind === 'exact') return narrow.kind === 'exact' && wide.path === narrow.path;
  return narrow.path === wide.path || narrow.path.startsWith(`${wide.path}/`);
}
