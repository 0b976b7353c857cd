import { z } from 'zod';
import { uwsgi as codec } from '../codec/uwsgi/uwsgi.ts';
import { applicationCheck, common } from './application.ts';
import type { Check, CheckKind } from './check.ts';

const options = z.strictObject({ ...common, ...codec.options.shape });

export const uwsgi = {
  name: 'uwsgi',
  about: 'An application answers a uwsgi request with an expected status and, if asked for, body.',
  schemes: codec.schemes,
  options,
  create: ({ modifier1, modifier2, ...given }): Check =>
    applicationCheck(codec, { modifier1, modifier2 }, given, false),
} as const satisfies CheckKind<typeof options>;
