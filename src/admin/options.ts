import { z } from 'zod';
import { Networks } from '../core/networks.ts';
import { addressProblem, parseListenAddress, showListenAddress, type ListenAddress } from '../listen/address.ts';

/** As for `sticky`'s secret: what has fewer characters is guessed sooner or later. */
export const LEAST_TOKEN = 16;

const LOOPBACK = new Networks(['loopback']);

/** Where the admin interface listens. Unlike a listener's, a port alone is on this machine only. */
export const adminAddressSchema: z.ZodType<ListenAddress, string | number> = z
  .union([z.number(), z.string()])
  .transform((given, context): ListenAddress => {
    const text = String(given);
    const address = parseListenAddress(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text);
    if (address !== undefined) return address;
    const message = addressProblem(text);
    context.addIssue({ code: 'custom', input: given, message, params: { code: 'config/bad-address' } });
    return z.NEVER;
  })
  .meta({ wanted: 'a port, HOST:PORT or unix:/path' });

/** What `mode` is when nobody says. */
const OWNER_ONLY = 0o600;

const OCTAL = 'three octal digits in quotes, such as "660"';

const longSchema = z
  .strictObject({
    address: adminAddressSchema.describe('"unix:/path", a port on 127.0.0.1, "HOST:PORT" or "[IPv6]:PORT".'),
    token: z
      .string()
      .regex(/^[\x21-\x7e]*$/, 'a token is made of ASCII letters, digits and signs, without spaces')
      .refine((text) => text.length >= LEAST_TOKEN, `a token has at least ${LEAST_TOKEN} characters`)
      .optional()
      .meta({ secret: true })
      .describe(
        `What operators have to show (\`Authorization: Bearer …\`), at least ${LEAST_TOKEN} characters. An address needs it or ` +
          '`tokenFile`; a unix socket is protected by its `mode` and may have it too.',
      ),
    tokenFile: z
      .string()
      .min(1)
      .optional()
      .describe('A file that holds the token, so that the config need not. Read at the start and on every reload.'),
    mode: z
      .string()
      .regex(/^0?[0-7]{3}$/, `expected ${OCTAL}`)
      .meta({ wanted: OCTAL, shownDefault: '600' })
      .transform((given) => Number.parseInt(given, 8))
      .default(OWNER_ONLY)
      .describe('Permissions of the unix socket: who can open it may change everything. "600" is its owner only.'),
    public: z
      .boolean()
      .default(false)
      .describe(
        'Allows an address that other machines can reach. The token crosses the network as it is: there is no TLS.',
      ),
    metrics: z
      .enum(['token', 'open', 'off'])
      .default('token')
      .describe(
        '`/metrics`, for Prometheus: asks for the `token` like all the rest, is `open` to everybody, or `off`.',
      ),
  })
  .meta({ title: 'admin' });

/** `off` is `null`. */
export const adminSchema = z
  .union([z.literal('off'), adminAddressSchema, longSchema])
  .meta({ wanted: 'a port, HOST:PORT, unix:/path, or an object' })
  .transform((given): AdminOptions | null => {
    if (given === 'off') return null;
    const { address, token, tokenFile, mode, ...rest } =
      'address' in given ? given : longSchema.parse({ address: showListenAddress(given) });
    return {
      ...rest,
      address: address.kind === 'unix' ? { ...address, mode } : address,
      token: token ?? null,
      tokenFile: tokenFile ?? null,
    };
  })
  .default(null)
  .meta({ shownDefault: 'off' });

/** The admin interface with everything filled in. */
export interface AdminOptions {
  readonly address: ListenAddress;
  /** `null`: in `tokenFile`, or there is none. */
  readonly token: string | null;
  readonly tokenFile: string | null;
  readonly public: boolean;
  readonly metrics: 'token' | 'open' | 'off';
}

/** Nobody but this machine can reach it. A name other than localhost may lead anywhere. */
export function isLocal(address: ListenAddress): boolean {
  return address.kind === 'unix' || address.host === 'localhost' || LOOPBACK.has(address.host);
}
