import { z } from 'zod';
import { count, size } from '../../core/kind.ts';
import type { CodecKind } from '../codec.ts';
import { Http2Session } from './session.ts';

const options = z
  .strictObject({
    streams: count(
      "Requests at a time on one connection, at most; the origin's own limit counts too. Beyond it another connection is opened.",
      100,
      { least: 1, most: 1000, off: false },
    ),
    window: size(
      'What an origin may send of one answer before the client has taken any: the memory that a slow client can occupy.',
      '256KiB',
      { least: '64KiB', most: '16MiB', off: false },
    ),
  })
  .meta({ title: 'h2' });

export const h2 = {
  name: 'h2',
  about: 'HTTP/2, over TLS (`h2`) or in clear text (`h2c`)',
  schemes: ['h2', 'h2c'],
  secure: ['h2'],
  alpn: 'h2',
  multiplexes: true,
  options,
  create: (given: z.output<typeof options>, out, limits, learned) => new Http2Session(given, out, limits, learned),
} as const satisfies CodecKind<typeof options>;
