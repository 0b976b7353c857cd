import { z } from 'zod';
import type { ByteSink } from '../../core/answer.ts';
import type { CodecKind, CodecLimits, CodecSession } from '../codec.ts';
import { FastCgiSession } from './session.ts';

const options = z
  .strictObject({
    keepConnection: z
      .boolean()
      .default(false)
      .describe(
        'Ask the application to keep connections open, and use them again. Each idle one occupies a process of php-fpm.',
      ),
  })
  .meta({ title: 'fastcgi' });

export const fastcgi = {
  name: 'fastcgi',
  about: 'FastCGI 1.0 responders and authorizers, such as php-fpm',
  // Apache's name for it is fcgi.
  schemes: ['fastcgi', 'fcgi'],
  speaksCgi: true,
  // The protocol does not, but PHP takes a body without CONTENT_LENGTH for an empty one.
  needsLength: true,
  // §5.5: OVERLOADED and CANT_MPX_CONN.
  turnsAway: true,
  options,
  create(given, out: ByteSink, limits: CodecLimits): CodecSession {
    return new FastCgiSession(out, limits, given.keepConnection);
  },
} as const satisfies CodecKind<typeof options>;
