import { domainToASCII } from 'node:url';
import { z } from 'zod';
import { oneOrMany } from '../../core/kind.ts';
import type { Request } from '../../core/request.ts';
import type { Matcher, MatcherKind } from '../matcher.ts';
import { everyCovered, listed } from '../patterns.ts';

/** `example.com`, `[::1]`, or `*.example.com` for every name below it, at any depth, but not itself. */
type HostPattern = string;

const LABELS = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*$/;

const pattern = z.string().transform((given, context) => {
  const refuse = (message: string): never => {
    context.addIssue({ code: 'custom', input: given, message, params: { code: 'config/bad-host' } });
    return z.NEVER;
  };
  if (given === '*') return refuse('every host matches when `host` is left out');
  if (given.startsWith('~')) return refuse('a host is a name or *.name, not a regular expression');
  if (given.includes('/')) return refuse('a host has no scheme and no path');
  if (/^\[[0-9a-f:.]+\]$/i.test(given)) return given.toLowerCase();
  if (/^[^:]*:\d*$/.test(given)) return refuse('a host is matched without its port; `listen` decides about ports');
  const wild = given.startsWith('*.');
  const name = domainToASCII((wild ? given.slice(2) : given).replace(/\.$/, '')).toLowerCase();
  if (!LABELS.test(name)) return refuse('expected a host name such as example.com, or *.example.com');
  return wild ? `*.${name}` : name;
});

/** Host of the request: case, port and a final dot do not count. */
export const host: MatcherKind<HostPattern[], string | readonly string[]> = {
  name: 'host',
  about:
    'Host name, or several: `example.com`, or `*.example.com` for every name below it at any depth. ' +
    'Case, port and a final dot do not count.',
  schema: oneOrMany(pattern),
  compile: (patterns) => new HostMatcher(patterns),
  covers: (wide, narrow) =>
    everyCovered(wide, narrow, (one, other) => one === other || (one.startsWith('*.') && other.endsWith(one.slice(1)))),
};

class HostMatcher implements Matcher {
  readonly #patterns: readonly HostPattern[];
  readonly #exact: ReadonlySet<string>;
  /** `.example.com` */
  readonly #suffixes: readonly string[];

  constructor(patterns: readonly HostPattern[]) {
    this.#patterns = patterns;
    this.#exact = new Set(patterns.filter((one) => !one.startsWith('*.')));
    this.#suffixes = patterns.filter((one) => one.startsWith('*.')).map((one) => one.slice(1));
  }

  matches(request: Request): boolean {
    const name = request.host;
    if (this.#exact.has(name)) return true;
    for (const suffix of this.#suffixes) if (name.length > suffix.length && name.endsWith(suffix)) return true;
    return false;
  }

  explain(request: Request): string {
    return `host is ${JSON.stringify(request.host)}, not ${listed(this.#patterns)}`;
  }
}
