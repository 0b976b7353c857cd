import { z } from 'zod';
import { size } from '../../core/kind.ts';
import type { CodecKind } from '../codec.ts';
import { AjpSession } from './session.ts';

const options = z
  .strictObject({
    secret: z
      .string()
      .max(1024)
      .default('')
      .meta({ secret: true })
      .describe("What the container's connector has as its `secret`; empty: none is sent."),
    packetSize: size(
      "Largest packet. Not more than the connector's `packetSize`: it would close the connection.",
      '8KiB',
      {
        least: '8KiB',
        most: 65_536,
        off: false,
      },
    ),
  })
  .meta({ title: 'ajp' });

export const ajp = {
  name: 'ajp',
  about: 'AJP/1.3, which servlet containers such as Tomcat and Jetty speak',
  schemes: ['ajp', 'ajp13'],
  // Tomcat's.
  usualPort: 8009,
  options,
  create: (given: z.output<typeof options>, out, limits) => new AjpSession(given, out, limits),
} as const satisfies CodecKind<typeof options>;
