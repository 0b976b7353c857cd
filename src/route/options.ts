import { z } from 'zod';
import { routeCgiSchema } from '../codec/cgi/options.ts';
import { matchers } from './index.ts';
import { TOKEN } from './patterns.ts';
import { redirectProblem } from './redirect.ts';

/** Statuses whose answers have no content, RFC 9110 §6.4.1. */
export const WITHOUT_BODY: readonly number[] = [204, 205, 304];

/** Fields that sluice writes itself, because they say how a message is framed. */
const FRAMING = ['connection', 'content-length', 'date', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

const matchSchema = z
  .strictObject({
    method: matchers.method.schema.optional().describe(matchers.method.about),
    host: matchers.host.schema.optional().describe(matchers.host.about),
    path: matchers.path.schema.optional().describe(matchers.path.about),
    remote: matchers.remote.schema.optional().describe(matchers.remote.about),
    header: matchers.header.schema.optional().describe(matchers.header.about),
    query: matchers.query.schema.optional().describe(matchers.query.about),
  })
  .meta({ title: 'match' });

const fieldName = z.string().superRefine((given, context) => {
  if (!TOKEN.test(given)) context.addIssue({ code: 'custom', input: given, message: 'expected a field name' });
  else if (FRAMING.includes(given.toLowerCase())) {
    context.addIssue({ code: 'custom', input: given, message: `sluice writes \`${given}\` itself` });
  }
});

const fieldValue = z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'expected one line of Latin-1 text');

const respondSchema = z
  .strictObject({
    status: z.int().min(200).max(599).default(200).describe('Status of the answer.'),
    headers: z
      .record(fieldName, z.union([fieldValue, z.array(fieldValue)]))
      .default({})
      .describe('Fields of the answer: a value, or several for several fields.'),
    body: z
      .string()
      .default('')
      .describe('Body of the answer, sent as UTF-8; text/plain unless `headers` has a Content-Type.'),
  })
  .meta({ title: 'respond' });

const redirectSchema = z
  .strictObject({
    to: z
      .string()
      .superRefine((given, context) => {
        const problem = redirectProblem(given);
        if (problem === undefined) return;
        const { message, ...params } = problem;
        context.addIssue({ code: 'custom', input: given, message, params: { code: 'config/bad-redirect', ...params } });
      })
      .describe(
        'Where to: a path or an http(s) URL. Placeholders: {host}, {path} and {query} of the request, and {uri}, which is path and query.',
      ),
    status: z
      .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)])
      .default(308)
      .describe('301 and 308 are permanent, 302, 303 and 307 are not; with 307 and 308 the method stays.'),
  })
  .meta({ title: 'redirect' });

const authorizeSchema = z
  .union([
    z.string().transform((by) => ({ by })),
    z
      .strictObject({
        by: z.string().describe('The upstream of the authorizers.'),
        path: z
          .string()
          .regex(
            /^\/(?!\/)[\x21\x22\x24-\x7e]*$/,
            'a path starts with / and holds neither spaces, # nor bytes that need %',
          )
          .optional()
          .describe(
            'Asked for instead of what the client asked for, by GET; that is in X-Forwarded-Method and X-Forwarded-Uri then. For authorizers that speak HTTP.',
          ),
        fields: z
          .array(fieldName)
          .default([])
          .describe(
            "Fields of the authorizer's answer that the request gets, such as `Remote-User`. The client's own are always left out.",
          ),
      })
      .meta({ title: 'authorize' }),
  ])
  .transform((given): AuthorizeOptions => ({ path: undefined, fields: [], ...given }));

/** Who is asked whether a request may go on, and how. */
export interface AuthorizeOptions {
  readonly by: string;
  readonly path: string | undefined;
  readonly fields: readonly string[];
}

/** One route as it is written; that it has exactly one of `to`, `respond` and `redirect` is checked together with the rest. */
export const routeSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .optional()
      .describe('Name in logs and metrics. Default: # and its place in the list, as in #1.'),
    match: matchSchema
      .prefault({})
      .describe('Conditions, all of which have to hold. Without any, the route takes every request.'),
    to: z.string().optional().describe('The upstream that gets the request.'),
    cgi: routeCgiSchema
      .optional()
      .describe(
        "With `to`: `cgi` of the upstream, as far as it differs for these requests. `env` is added to the upstream's.",
      ),
    authorize: authorizeSchema
      .optional()
      .describe(
        'With `to`: an upstream that is asked first whether the request may go on: its name, or `{ by, … }` with options. ' +
          "It gets the request without its body; 200 and 204 let it go on, any other answer is the client's.",
      ),
    respond: respondSchema.optional().describe('A fixed answer.'),
    redirect: redirectSchema.optional().describe('A redirect.'),
  })
  .meta({ title: 'route' });

export { shadows } from './table.ts';

export type RouteOptions = z.output<typeof routeSchema>;
export type MatchOptions = RouteOptions['match'];
export type RouteInput = z.input<typeof routeSchema>;
