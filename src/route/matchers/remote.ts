import { z } from 'zod';
import { oneOrMany } from '../../core/kind.ts';
import { networkProblem, Networks } from '../../core/networks.ts';
import type { Request } from '../../core/request.ts';
import type { Matcher, MatcherKind } from '../matcher.ts';
import { everyCovered, listed } from '../patterns.ts';

const pattern = z.string().superRefine((given, context) => {
  const message = networkProblem(given);
  if (message !== undefined) {
    context.addIssue({ code: 'custom', input: given, message, params: { code: 'config/bad-network' } });
  }
});

/** The client's address: the peer of the connection, or who a trusted proxy says it speaks for. */
export const remote: MatcherKind<string[], string | readonly string[]> = {
  name: 'remote',
  about:
    'Address of the client: an IP address, a network such as `10.0.0.0/8`, `loopback`, `private` or `unix`, or several.',
  schema: oneOrMany(pattern),
  compile: (patterns) => new RemoteMatcher(patterns),
  covers: (wide, narrow) => everyCovered(wide, narrow, (one, other) => one === other),
};

class RemoteMatcher implements Matcher {
  readonly #patterns: readonly string[];
  readonly #networks: Networks;

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns;
    this.#networks = new Networks(patterns);
  }

  matches(_request: Request, address: string): boolean {
    return this.#networks.has(address);
  }

  explain(_request: Request, address: string): string {
    return `remote is ${address}, not in ${listed(this.#patterns)}`;
  }
}
