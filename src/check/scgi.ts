import { z } from 'zod';
import { scgi as codec } from '../codec/scgi/scgi.ts';
import { applicationCheck, common } from './application.ts';
import type { Check, CheckKind } from './check.ts';

const options = z.strictObject({ ...common });

export const scgi = {
  name: 'scgi',
  about: 'An application answers an SCGI request with an expected status and, if asked for, body.',
  schemes: codec.schemes,
  options,
  create: (given): Check => applicationCheck(codec, {}, given, false),
} as const satisfies CheckKind<typeof options>;
