import { z } from 'zod';
import { adminSchema } from '../admin/options.ts';
import { balancers, defaultBalancer, type BalancerName } from '../balance/index.ts';
import { checkSchema } from '../check/options.ts';
import { ajp, codecOf, codecs, fastcgi, h2, programs, uwsgi } from '../codec/index.ts';
import { oneOrMany, type OwnInput } from '../core/kind.ts';
import { resolverSchema } from '../discover/options.ts';
import {
  clientKeepAliveSchema,
  drain,
  limitsSchema,
  listenAddressSchema,
  listenerSchema,
  timeoutsSchema,
  trustedProxiesSchema,
} from '../listen/options.ts';
import { logSchema } from '../observe/options.ts';
import { headersSchema } from '../rewrite/options.ts';
import { routeSchema } from '../route/options.ts';
import { processSchema } from '../spawn/options.ts';
import { answerHead, originSchema, upstreamShape } from '../upstream/options.ts';

/** URL schemes of origins, the default first; each also has a form for unix sockets, as in `http+unix:/path`. */
export const schemes: readonly string[] = codecs
  .flatMap((kind) => kind.schemes)
  .filter((scheme) => !scheme.endsWith('+unix'));

type BalancerKinds = (typeof balancers)[number];
type ByName<Kind> = Kind extends { name: infer Name; options: infer Options extends z.ZodObject }
  ? Name | ({ readonly name: Name } & OwnInput<Options>)
  : never;

/** A policy's name, or its name with options. */
export type BalanceInput = ByName<BalancerKinds>;

/** A policy and its checked options, for the `create` of its kind. */
export interface BalanceOptions {
  readonly name: BalancerName;
  readonly options: Readonly<Record<string, unknown>>;
}

const names = balancers.map((kind) => kind.name) as [BalancerName, ...BalancerName[]];
const withOptions = balancers.map((kind) =>
  z.strictObject({ name: z.literal(kind.name).describe(kind.about), ...kind.options.shape }).meta({ title: kind.name }),
);

/** Names that other programs have for the same. */
const aliases = Object.fromEntries(
  balancers.flatMap((kind) => ('aliases' in kind ? kind.aliases.map((alias) => [alias, kind.name]) : [])),
);

const byDefault = options(defaultBalancer);

function options(name: BalancerName): BalanceOptions {
  const kind = balancers.find((one) => one.name === name) as BalancerKinds;
  return { name, options: kind.options.parse({}) };
}

const balanceSchema: z.ZodDefault<z.ZodType<BalanceOptions, BalanceInput>> = z
  .union([z.enum(names), z.discriminatedUnion('name', withOptions as never)])
  .transform((given: BalancerName | { name: BalancerName }): BalanceOptions => {
    if (typeof given === 'string') return options(given);
    const { name, ...rest } = given;
    return { name, options: rest };
  })
  .default(byDefault)
  .describe('How an origin is chosen: the name of a policy, or `{ name, … }` with its options.')
  .meta({ shownDefault: defaultBalancer, aliases });

const upstreamSchema = z
  .strictObject({
    origins: oneOrMany(originSchema(schemes, programs, (scheme) => codecOf(scheme).usualPort)).describe(
      'Where requests go: one or several of a URL such as `http://127.0.0.1:3000`, `HOST:PORT`, a port of this machine, ' +
        '`unix:/path`, `srv:NAME`, `cgi:/path` for a program, or `{ url, … }` with options.',
    ),
    balance: balanceSchema,
    check: checkSchema,
    ...upstreamShape,
    fastcgi: fastcgi.options.prefault({}).describe('Origins that speak FastCGI.'),
    uwsgi: uwsgi.options.prefault({}).describe('Origins that speak uwsgi.'),
    ajp: ajp.options.prefault({}).describe('Origins that speak AJP.'),
    h2: h2.options.prefault({}).describe('Origins that speak HTTP/2.'),
    process: processSchema.prefault({}).describe('How programs are run that are origins (`cgi:`).'),
  })
  .meta({ title: 'upstream' });

const upstreamName = z.string().regex(/^[\w][\w.-]{0,63}$/, 'a name is made of letters, digits, _ . and -, at most 64');

/** The whole config as it is written. */
export const configSchema = z.strictObject({
  $schema: z
    .string()
    .optional()
    .describe('For editors: where the JSON Schema is (`sluice schema` writes it). Not used.'),
  listen: oneOrMany(z.union([listenAddressSchema, listenerSchema]))
    .prefault(8080)
    .describe(
      'Where clients connect, once or several times: a port (on all addresses of the machine), "HOST:PORT", "[IPv6]:PORT", ' +
        '"unix:/path", or `{ address, … }` with options.',
    )
    .meta({ shownDefault: 8080 }),
  upstreams: z
    .record(upstreamName, upstreamSchema)
    .default({})
    .describe('Groups of origins that serve the same, by name.'),
  routes: z
    .array(routeSchema)
    .optional()
    .describe(
      'Which requests go where; the first route that matches wins. Not needed when there is one upstream: it gets all.',
    ),
  resolver: resolverSchema.prefault({}).describe('How the names of origins are resolved.'),
  log: logSchema.prefault({}).describe('What is written about requests, and where.'),
  limits: limitsSchema.extend({ answerHead }).prefault({}).describe('What clients and origins may send and hold.'),
  timeouts: timeoutsSchema.extend({ drain }).prefault({}).describe('How long clients may take.'),
  keepAlive: clientKeepAliveSchema.prefault({}).describe('Reuse of client connections.'),
  trustedProxies: trustedProxiesSchema
    .default([])
    .describe(
      "Proxies before this one, whose X-Forwarded-* and Forwarded are believed and appended to; everybody else's are replaced. " +
        'IP addresses, networks such as `10.0.0.0/8`, `loopback`, `private` or `unix`.',
    ),
  headers: headersSchema.prefault({}).describe('Fields that sluice adds by itself.'),
  admin: adminSchema.describe(
    'Where operators see and change the running proxy (`sluice status`, `sluice top`, HTTP and JSON): "unix:/path", ' +
      '`{ address, token, … }`, or `off`.',
  ),
  threads: z
    .union([z.int().min(1).max(1024), z.literal('auto')])
    .default(1)
    .describe(
      'Threads that serve requests: a number, or `auto` for one per core. With 1 everything runs in the main thread.',
    ),
});

/** The schema's output: defaults filled in, but listeners still apart from what they inherit. */
export type Parsed = z.output<typeof configSchema>;

export type TopInput = z.input<typeof configSchema>;
export type UpstreamInput = z.input<typeof upstreamSchema>;
