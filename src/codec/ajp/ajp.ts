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
    attributes: z
      .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a variable is named by letters, digits and _'))
      .default([])
      .describe(
        'Variables that authorizers set (`Variable-NAME`) and that are request attributes. A container has to be told to expect them: ' +
          "Tomcat answers 403 to names that its connector's `allowedRequestAttributesPattern` does not match. REMOTE_USER and the like need no entry.",
      ),
  })
  .meta({ title: 'ajp' });

export const ajp = {
  name: 'ajp',
  about: 'AJP/1.3, which servlet containers such as Tomcat and WildFly speak',
  schemes: ['ajp', 'ajp13'],
  takesVariables: true,
  // Tomcat's.
  usualPort: 8009,
  options,
  create: (given: z.output<typeof options>, out, limits) => new AjpSession(given, out, limits),
} as const satisfies CodecKind<typeof options>;
