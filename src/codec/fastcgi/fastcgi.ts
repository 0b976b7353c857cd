import { z } from 'zod';
import type { ByteSink } from '../../core/answer.ts';
import type { CodecKind, CodecLimits, CodecSession, Learned } from '../codec.ts';
import { FastCgiSession } from './session.ts';
import { SharedFastCgiSession } from './shared-session.ts';

const options = z
  .strictObject({
    keepConnection: z
      .boolean()
      .default(false)
      .describe(
        'Ask the application to keep connections open, and use them again. Each idle one occupies a process of php-fpm.',
      ),
    multiplex: z
      .enum(['auto', 'off'])
      .default('off')
      .describe(
        '`auto`: connections are kept, the application is asked once whether it takes several requests on one (FCGI_MPXS_CONNS), and gets ' +
          'them so if it does. A client that reads slowly may then slow down others on its connection.',
      ),
  })
  .meta({ title: 'fastcgi' });

export const fastcgi = {
  name: 'fastcgi',
  about: 'FastCGI 1.0 responders and authorizers, such as php-fpm',
  // Apache's name for it is fcgi.
  schemes: ['fastcgi', 'fcgi'],
  // php-fpm's.
  usualPort: 9000,
  speaksCgi: true,
  // php-fpm.
  runsScripts: true,
  // The protocol does not, but PHP takes a body without CONTENT_LENGTH for an empty one.
  needsLength: true,
  multiplexesWith: ({ multiplex }) => multiplex === 'auto',
  options,
  create(given, out: ByteSink, limits: CodecLimits, learned: Learned = {}): CodecSession {
    if (given.multiplex === 'auto') return new SharedFastCgiSession(out, limits, learned);
    return new FastCgiSession(out, limits, given.keepConnection);
  },
} as const satisfies CodecKind<typeof options>;
