import { z } from 'zod';
import type { CodecKind } from '../codec.ts';
import { Http1Session } from './session.ts';

export const http1 = {
  name: 'http1',
  about: 'HTTP/1.1, in clear text or over TLS',
  schemes: ['http', 'https'],
  secure: ['https'],
  alpn: 'http/1.1',
  withoutAlpn: true,
  options: z.strictObject({}),
  create: (_options, out, limits) => new Http1Session(out, limits),
} as const satisfies CodecKind;
