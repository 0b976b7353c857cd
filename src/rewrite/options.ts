import { z } from 'zod';

/** A pseudonym (RFC 9110 §7.6.3): a token, or a host with a port. */
const PSEUDONYM = /^[-!#$%&'*+.^_`|~0-9A-Za-z]+(?::\d{1,5})?$/;

/** Fields that sluice adds by itself. X-Forwarded-For, -Proto, -Host and -Port are always set. */
export const headersSchema = z
  .strictObject({
    forwarded: z.boolean().default(false).describe('Set `Forwarded` (RFC 7239) beside X-Forwarded-For and its kin.'),
    via: z
      .union([z.literal(false), z.string().regex(PSEUDONYM, 'expected one word, such as edge1 or proxy.example.com')])
      .default(false)
      .describe('Add `Via` to requests and answers, with this name for the proxy.'),
    requestId: z
      .boolean()
      .default(true)
      .describe('Give each request an `X-Request-Id`; the one of a trusted proxy is kept.'),
    trace: z
      .enum(['off', 'on', 'trusted'])
      .default('off')
      .describe(
        'Take part in W3C Trace Context: `off` passes `traceparent` as it is, `on` puts an id of its own in for each request and begins ' +
          'a trace where there is none, `trusted` does so and believes only what trusted proxies send.',
      ),
    traceSample: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe('The share of the traces begun here that is marked as sampled, from 0 to 1.'),
  })
  .meta({ title: 'headers' });

export type HeaderOptions = Readonly<z.output<typeof headersSchema>>;
