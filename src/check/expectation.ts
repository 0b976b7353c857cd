import { z } from 'zod';
import { compileRegex, regexPattern, regexSchema, type RegexPattern } from '../route/regex.ts';
import { failed } from './attempt.ts';
import type { Finding } from './check.ts';
import { hasStatus, showStatuses, statusSchema, type StatusRange } from './status.ts';

/** Bytes of a body that are read; what does not stand in them is not found. */
export const MOST_BODY: number = 64 * 1024;

/** A text, or a regular expression as `/source/`, as `~source` like everywhere else, or as an object. */
type BodyPattern = { readonly kind: 'text'; readonly text: string } | RegexPattern;
type BodyInput = string | RegExp | { regex: string };

const bodySchema: z.ZodType<BodyPattern, BodyInput> = z.union([
  z
    .string()
    .min(1)
    .transform((given, context): BodyPattern => {
      const source = /^~([^]*)$/.exec(given)?.[1] ?? /^\/([^]*)\/$/.exec(given)?.[1];
      return source === undefined ? { kind: 'text', text: given } : regexPattern(source, context);
    }),
  regexSchema,
]);

/** What a request asks for; the same for all kinds that send one. */
export const pathSchema: z.ZodString = z
  .string()
  .regex(/^\/[\x21\x22\x24-\x7e]*$/, 'a path starts with / and holds neither spaces, # nor bytes that need %');

export const hostSchema: z.ZodString = z
  .string()
  .regex(/^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i, 'expected a host name to send');

export const statusOption = statusSchema
  .default([[200, 399]])
  .meta({ shownDefault: '200-399' })
  .describe('Statuses of a healthy origin: one or several of `204` and `200-399`. Redirects are not followed.');

export const bodyOption = bodySchema
  .optional()
  .describe(
    'What the body of a healthy origin holds, in its first 64 KiB: a text, or a regular expression (RE2) as `/^ok$/` or `~^ok$`.',
  );

/** What the answer of a healthy origin is like. */
export class Expectation {
  readonly #statuses: readonly StatusRange[];
  readonly #matches: ((body: string) => boolean) | undefined;

  constructor(status: readonly StatusRange[], body: BodyPattern | undefined) {
    this.#statuses = status;
    if (body?.kind === 'text') this.#matches = (text) => text.includes(body.text);
    else if (body !== undefined) this.#matches = compileRegex(body);
  }

  /** The body has a say. */
  get looksAtBody(): boolean {
    return this.#matches !== undefined;
  }

  status(status: number): Finding {
    if (hasStatus(this.#statuses, status)) return { healthy: true, detail: `status ${status}` };
    return failed(`status ${status}, expected ${showStatuses(this.#statuses)}`);
  }

  /**
   * @param status what was found before the body
   * @param pieces of the body, at least its first 64 KiB
   */
  body(status: Finding, pieces: readonly Buffer[]): Finding {
    if (this.#matches === undefined) return status;
    const all = Buffer.concat(pieces);
    const text = all.toString('utf8', 0, Math.min(all.length, MOST_BODY));
    return this.#matches(text) ? status : failed(`${status.detail}, but the body is not as expected`);
  }
}
