import type { ByteSink } from '../../core/answer.ts';
import type { CodecKind, CodecLimits } from '../codec.ts';
import { cgiSchema } from './options.ts';
import { ProgramSession } from './program.ts';

export const cgi = {
  name: 'cgi',
  about: 'CGI programs (RFC 3875), started by sluice, one process for each request',
  schemes: ['cgi'],
  needsLength: true,
  speaksCgi: true,
  runs: true,
  // Its part of an upstream is what all that is told in CGI's names goes by.
  options: cgiSchema,
  create: (_options, out: ByteSink, limits: CodecLimits) => new ProgramSession(out, limits),
} as const satisfies CodecKind<typeof cgiSchema>;
