import { z } from 'zod';
import { fastcgi as codec } from '../codec/fastcgi/fastcgi.ts';
import { applicationCheck, common } from './application.ts';
import type { Check, CheckKind } from './check.ts';
import { pathSchema } from './expectation.ts';

const options = z.strictObject({
  ...common,
  path: pathSchema
    .default('/ping')
    .describe(
      'What is asked for, as SCRIPT_NAME: a path, with a query if need be. php-fpm answers it where `ping.path` says the same.',
    ),
  script: z
    .string()
    .regex(/^\/[^\0]*$/, 'expected an absolute path, such as /srv/app/health.php')
    .optional()
    .describe(
      'SCRIPT_FILENAME: a script that is to be run. Default: `path`, which is what php-fpm takes for its `ping.path` and `pm.status_path`.',
    ),
});

export const fastcgi = {
  name: 'fastcgi',
  aliases: ['php-fpm'],
  about:
    'An application answers a FastCGI request with an expected status and, if asked for, body; php-fpm its `ping.path`, which runs no script.',
  schemes: codec.schemes,
  options,
  create({ script, ...given }): Check {
    const [path] = given.path.split('?', 1);
    const env = { SCRIPT_FILENAME: script ?? path, ...given.env };
    return applicationCheck(codec, codec.options.parse({}), { ...given, env }, true);
  },
} as const satisfies CheckKind<typeof options>;
