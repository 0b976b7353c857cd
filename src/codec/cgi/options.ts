import { z } from 'zod';
import { oneOrMany, orNumber, withoutDefault } from '../../core/kind.ts';

/** No NUL: in most programs a variable ends there. */
const text = z.string().regex(/^[^\0]*$/, 'a variable holds no NUL');

/** How a request becomes a script and its variables. */
export const cgiSchema = z
  .strictObject({
    root: z
      .string()
      .regex(/^(?:\/[^\0]*)?$/, 'expected an absolute path, such as /srv/app/public')
      .transform((path) => path.replace(/\/+$/, ''))
      .default('')
      .describe(
        'Where the application has its files, as it sees them itself: DOCUMENT_ROOT, and the beginning of SCRIPT_FILENAME. ' +
          'Scripts that are found by `split` need it.',
      ),
    split: oneOrMany(z.string().regex(/^[^/\0]+$/, 'expected the end of a file name, such as ".php"'), 0)
      .default([])
      .describe(
        'Ends of script names, such as `.php`: a path is cut behind the first segment that ends so, and the rest is PATH_INFO. ' +
          'Without any, the whole path is PATH_INFO of one application, mounted at `prefix`.',
      ),
    index: z
      .string()
      .regex(/^[^/\0]*$/, 'expected a file name, such as index.php')
      .default('')
      .describe('With `split`: the script for paths that end with a slash, such as `index.php`. Empty: none.'),
    front: z
      .string()
      .regex(/^(?:\/[^\0]*[^/\0])?$/, 'expected the path of a script, such as /index.php')
      .default('')
      .describe(
        'With `split`: the script for all other paths that name none, such as the `/index.php` of a framework; the path is its PATH_INFO. ' +
          'Empty: such requests are answered 404.',
      ),
    prefix: z
      .string()
      .regex(/^(?:\/[^\0]*)?$/, 'expected a path that starts with a slash, such as /app')
      .transform((path) => path.replace(/\/+$/, ''))
      .default('')
      .describe('Without `split`: where the application is mounted. It is SCRIPT_NAME, and PATH_INFO is what follows.'),
    localRedirect: z
      .boolean()
      .optional()
      .describe(
        'Whether an answer that is nothing but `Location: /path` (RFC 3875 §6.2.2) stays inside: that path is asked for by GET, through the routes. ' +
          'Default: for CGI programs, and not for FastCGI, SCGI and uwsgi, whose clients get a redirect.',
      ),
    env: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a variable is named by letters, digits and _'),
        orNumber(text),
      )
      .default({})
      .describe('More variables. One that is named like a variable of the request replaces it.'),
  })
  .meta({ title: 'cgi' });

export type CgiOptions = Readonly<z.output<typeof cgiSchema>>;

const { root, split, index, front, prefix, localRedirect, env } = cgiSchema.shape;

/** The same of a route: what it has replaces what its upstream has, and its variables are added to those. */
export const routeCgiSchema = z
  .strictObject({
    root: withoutDefault(root),
    split: withoutDefault(split),
    index: withoutDefault(index),
    front: withoutDefault(front),
    prefix: withoutDefault(prefix),
    localRedirect,
    env: withoutDefault(env),
  })
  .meta({ title: 'cgi' });

export type RouteCgiOptions = Readonly<z.output<typeof routeCgiSchema>>;

/** What holds for requests that come by a route. */
export function mergeCgi(upstream: CgiOptions, route: RouteCgiOptions): CgiOptions {
  // An explicit `undefined` of a config in TypeScript overrides nothing.
  const own = Object.fromEntries(Object.entries(route).filter(([, value]) => value !== undefined));
  return { ...upstream, ...own, env: { ...upstream.env, ...route.env } };
}
