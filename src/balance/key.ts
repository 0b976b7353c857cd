import { z } from 'zod';
import type { KeySource } from './balancer.ts';

/** `tchar` of RFC 9110 §5.6.2: what the names of fields and cookies are made of. */
const SOURCE = /^(?:path|uri|address|(?:header|cookie):[-!#$%&'*+.^_`|~0-9A-Za-z]+)$/;

/** The option that says what a hashing policy hashes. */
export function keySource(about: string, fallback: KeySource): z.ZodDefault<z.ZodType<KeySource, KeySource>> {
  // A template literal type, checked by pattern so that the JSON Schema holds it too.
  return z
    .string()
    .regex(SOURCE, 'expected path, uri, address, header:NAME or cookie:NAME')
    .default(fallback)
    .describe(about) as never;
}
