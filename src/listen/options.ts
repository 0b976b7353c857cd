import { z } from 'zod';
import { count, duration, oneOrMany, size, withoutDefault } from '../core/kind.ts';
import { networkProblem } from '../core/networks.ts';
import { addressProblem, parseListenAddress, type ListenAddress } from './address.ts';

export { showListenAddress, type ListenAddress } from './address.ts';

/** What a client may send and hold. */
export const limitsSchema = z
  .strictObject({
    head: size('Largest request head: request line and header fields. More is answered 431.', '16KiB', {
      least: '1KiB',
      most: '1MiB',
      off: false,
    }),
    fields: count('Most header fields in a request. More are answered 431.', 100, { least: 1, most: 2000, off: false }),
    target: size('Longest request target (path and query). Longer is answered 414.', '8KiB', {
      least: 64,
      most: '1MiB',
      off: false,
    }),
    body: size('Largest request body. A larger one is answered 413.', 'off'),
    connections: count('Most open connections of a listener. One more is answered 503 and closed.', 100_000, {
      least: 1,
    }),
    connectionsPerAddress: count('Most open connections of one client address.', 'off', { least: 1 }),
    streams: count('Most requests at a time on one connection, where the client speaks HTTP/2.', 100, {
      least: 1,
      most: 1000,
      off: false,
    }),
    streamWindow: size(
      'What a client that speaks HTTP/2 may send of one body before its origin has taken any: the memory that a slow origin can occupy.',
      '256KiB',
      { least: '64KiB', most: '16MiB', off: false },
    ),
    window: size('Most bytes of a body held for a slow reader, on each side.', '64KiB', {
      least: '4KiB',
      most: '64KiB',
      off: false,
    }),
    underscores: z
      .enum(['drop', 'allow'])
      .default('drop')
      .describe(
        'Header fields with an underscore in their name: `drop` them, because to many applications X_Real_IP and X-Real-IP are one.',
      ),
  })
  .meta({ title: 'limits' });

/** How long a client may take. */
export const timeoutsSchema = z
  .strictObject({
    head: duration('From the first byte of a request, or a new connection, to the end of its head. Then 408.', '15s', {
      least: '1ms',
    }),
    body: duration('Between two reads of a request body. Then 408.', '60s', { least: '1ms' }),
    write: duration('Between two writes of an answer: a client that takes nothing for so long is cut off.', '60s', {
      least: '1ms',
    }),
    keepAlive: duration('How long a connection may wait for its next request; 0 closes it after each answer.', '75s'),
    tunnel: duration('How long a tunnel (WebSocket and other upgrades) may be silent in both directions.', '1h', {
      least: '1ms',
    }),
  })
  .meta({ title: 'timeouts' });

/** `timeouts` that belong to the whole program. */
export const drain = duration(
  'How long open requests may take to end after SIGTERM or SIGINT; a second signal ends them at once.',
  '30s',
);

/** Reuse of client connections. */
export const clientKeepAliveSchema = z
  .strictObject({
    requests: count('Requests on one client connection before it is closed.', 1000, { least: 1 }),
  })
  .meta({ title: 'keepAlive' });

const network = z.string().superRefine((given, context) => {
  const message = networkProblem(given);
  if (message !== undefined) {
    context.addIssue({ code: 'custom', input: given, message, params: { code: 'config/bad-network' } });
  }
});

/** Proxies before this one, whose word about the client counts. Plain texts for `Networks`. */
export const trustedProxiesSchema: z.ZodType<string[], string | readonly string[]> = oneOrMany(network, 0);

const port = z
  .number()
  .refine((given) => Number.isInteger(given) && given >= 0 && given <= 65_535, {
    message: 'expected a port from 0 to 65535',
    params: { code: 'config/bad-address' },
  })
  .transform((given): ListenAddress => ({ kind: 'tcp', host: '', port: given }));

const addressText = z.string().transform((given, context): ListenAddress => {
  const address = parseListenAddress(given);
  if (address !== undefined) return address;
  context.addIssue({
    code: 'custom',
    input: given,
    message: addressProblem(given),
    params: { code: 'config/bad-address' },
  });
  return z.NEVER;
});

/** Where to listen: `8080`, `"127.0.0.1:8080"`, `"[::1]:8080"`, `"unix:/path"`. */
export const listenAddressSchema = z.union([port, addressText]);

const OCTAL = 'three octal digits in quotes, such as "660"';

const mode = z
  .string()
  .regex(/^0?[0-7]{3}$/, `expected ${OCTAL}`)
  .meta({ wanted: OCTAL })
  .transform((given) => Number.parseInt(given, 8));

/** One listener in its long form. `limits` and the rest only hold what differs from the top level's. */
export const listenerSchema = z
  .strictObject({
    address: listenAddressSchema.describe('Port, "HOST:PORT", "[IPv6]:PORT" or "unix:/path".'),
    name: z.string().min(1).optional().describe('Name in logs and metrics. Default: the address.'),
    mode: mode
      .optional()
      .describe('Permissions of a unix socket, as octal digits in quotes. Default: what umask leaves.'),
    limits: overrides(limitsSchema, 'limits')
      .optional()
      .describe('Limits that differ from `limits` at the top, for this listener.'),
    timeouts: overrides(timeoutsSchema, 'timeouts').optional().describe('The same for `timeouts`.'),
    keepAlive: overrides(clientKeepAliveSchema, 'keepAlive').optional().describe('The same for `keepAlive`.'),
    http2: z
      .boolean()
      .default(true)
      .describe('Clients may speak HTTP/2 in clear text, beginning with its preface (`h2c`, "prior knowledge").'),
    trustedProxies: trustedProxiesSchema.optional().describe('Replaces `trustedProxies` of the top level.'),
  })
  .meta({ title: 'listen' });

export type LimitOptions = Readonly<z.output<typeof limitsSchema>>;
type TimeoutOptions = Readonly<z.output<typeof timeoutsSchema>>;

/** A listener with everything filled in. */
export interface ListenerOptions {
  readonly address: ListenAddress;
  /** For logs and metrics: what the user called it, else `host:port`, `*:port` or `unix:/path`. */
  readonly name: string;
  readonly limits: LimitOptions;
  /** Milliseconds; Infinity when switched off. */
  readonly timeouts: TimeoutOptions;
  readonly keepAlive: Readonly<z.output<typeof clientKeepAliveSchema>>;
  readonly trustedProxies: readonly string[];
  readonly http2: boolean;
}

type Overrides<Shape extends z.ZodRawShape> = z.ZodObject<
  { [Key in keyof Shape]: ReturnType<typeof withoutDefault<Extract<Shape[Key], z.ZodType>>> },
  z.core.$strict
>;

/** The same options without their defaults, so that only what is given overrides. */
function overrides<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape, z.core.$strict>,
  sameAs: string,
): Overrides<Shape> {
  const shape = Object.fromEntries(
    Object.entries(schema.shape).map(([key, option]) => [key, withoutDefault(option as z.ZodType)]),
  );
  return z.strictObject(shape).meta({ ...schema.meta(), sameAs }) as never;
}
