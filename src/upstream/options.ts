import { z } from 'zod';
import { cgiSchema } from '../codec/cgi/options.ts';
import { count, duration, size, withoutDefault } from '../core/kind.ts';
import type { OriginOptions } from '../core/origin.ts';
import { type SpawnInput, type SpawnOptions, spawnSchema } from '../spawn/children/options.ts';
import { ejectSchema } from './ejection.ts';
import { tlsSchema } from './tls/options.ts';
import { hasName, isOriginProblem, parseOrigin } from './origin-url.ts';

export { ejectSchema } from './ejection.ts';
export type { TlsOptions } from './tls/options.ts';
export { isOriginProblem, parseOrigin } from './origin-url.ts';

/** An origin as it is configured: its host may be a name that stands for several. */
export interface ConfiguredOrigin extends OriginOptions {
  /**
   * What becomes of the addresses that the name has: `all` are origins, `one` is, or each connect looks the name up
   * (`no`). Only where there is a name to resolve.
   */
  readonly resolve?: 'all' | 'one' | 'no';
  /** Stands for processes that sluice starts itself. Their name is filled in, and `address` says no more than that. */
  readonly spawn?: SpawnOptions;
}

/** Whether children will come that are not there yet: when they are needed, or not at all, and why. */
export interface Coming {
  readonly state: 'come' | 'stopped';
  /** For people; '' where they come. */
  readonly why: string;
}

/** Waiting for an origin. */
const queueSchema = z
  .strictObject({
    size: count('Requests that may wait while all origins are busy or down. One more is answered 503.', 1024, {
      off: false,
    }),
    timeout: duration('How long a request may wait. Then 504.', '30s', { least: '1ms' }),
  })
  .meta({ title: 'queue' });

/** Asking again after a failure. */
const retriesSchema = z
  .strictObject({
    count: count(
      'How often a request that was sent is sent once more, to another origin, if it may be repeated (GET, PUT, DELETE, …). ' +
        'Failed connects do not count: those requests go on until no origin is left.',
      1,
      { most: 10, off: false },
    ),
    budget: z
      .number()
      .min(0)
      .max(1)
      .default(0.2)
      .describe('Most repeated requests as a share of all, so that a failing upstream is not buried in retries.'),
    buffer: size(
      'Request bodies up to this size are kept until the answer begins, so that they can be sent again.',
      '64KiB',
      {
        most: '16MiB',
        off: false,
      },
    ),
  })
  .meta({ title: 'retries' });

/** How long an origin may take. */
const originTimeoutsSchema = z
  .strictObject({
    connect: duration('To establish a connection. Then the next origin is asked.', '3s', { least: '1ms' }),
    firstByte: duration('From the end of the request to the head of the answer. Then 504.', '60s', { least: '1ms' }),
    idle: duration('Between two reads of an answer, or two writes of a request.', '60s', { least: '1ms' }),
  })
  .meta({ title: 'timeouts' });

/** `limits` of what origins send, the same for all of them. */
export const answerHead = size('Largest head of an answer. A larger one is answered 502.', '64KiB', {
  least: '1KiB',
  most: '1MiB',
  off: false,
});

/** Bodies that are gathered. */
const spoolSchema = z
  .strictObject({
    memory: size('Of each such body this much is kept in memory. The rest goes to a file.', '1MiB', {
      most: '1GiB',
      off: false,
    }),
    total: size(
      'Memory of all such bodies of an upstream together, in each thread. When it is used up, they go to files from their first byte.',
      '64MiB',
      { off: false },
    ),
    size: size(
      'Largest such body. A larger one is answered 413. With 0 nothing is gathered: FastCGI applications get the body as it comes, without ' +
        'a length; those that speak SCGI or uwsgi none, and the client 411.',
      '1GiB',
      { off: false },
    ),
    folder: z
      .string()
      .default('')
      .describe("Where the files are. They have no name, and go when their request does. Empty: the system's folder."),
  })
  .meta({ title: 'spool' });

/** Connections kept open between requests. */
const originKeepAliveSchema = z
  .strictObject({
    idle: duration(
      'How long an idle connection is kept, unless the origin announces its own limit (`Keep-Alive: timeout=`); 0 keeps none.',
      '4s',
    ),
    maxIdle: count('Most idle connections per origin.', 128, { off: false }),
    maxAge: duration('A connection older than this takes no further request.', '1h', { least: '1ms' }),
    maxRequests: count('Requests on one connection before it is closed.', 100_000, { least: 1 }),
  })
  .meta({ title: 'keepAlive' });

/** The rest an origin gets after a failed connect. */
export const disableTimeSchema = z
  .strictObject({
    first: duration('After the first failed connect. It doubles with each further one.', '1s', {
      least: '1ms',
      off: false,
    }),
    most: duration('The longest rest.', '30s', { least: '1ms', off: false }),
  })
  .meta({ title: 'disableTime' });

const maxConnections = 'Most requests in flight at one origin; others wait in the queue.';

const HOST = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i;

const hostSchema = z
  .string()
  .superRefine((given, context) => {
    if (HOST.test(given) && !/^(?:pas|pss|oass|orgin|origon|origins|orign)$/i.test(given)) return;
    context.addIssue({
      code: 'custom',
      input: given,
      message: 'expected pass, origin, or a host name to send',
      params: { near: ['pass', 'origin'] },
    });
  })
  .default('pass')
  .describe("The Host that origins see: `pass` the client's, `origin` the one in the origin's URL, or a fixed one.");

/**
 * One origin: a URL, or a URL with options. `schemes` are those of the codecs, the default first; `programs` those of them
 * whose origins are programs; `usualPort` is told where a port is missing.
 */
export function originSchema(
  schemes: readonly string[],
  programs: readonly string[] = [],
  usualPort: (scheme: string) => number | undefined = () => undefined,
): z.ZodType<ConfiguredOrigin, OriginInput> {
  const url = z.union([z.string(), z.number()]).superRefine((given, context) => {
    const problem = parseOrigin(String(given), schemes, programs);
    if (!isOriginProblem(problem)) return;
    const { message, portless, ...params } = problem;
    const port = portless === undefined ? undefined : usualPort(portless);
    const hint = port === undefined ? '' : `, as in ${String(given).replace(/[:/]+$/, '')}:${port}`;
    context.addIssue({ code: 'custom', input: given, message: message + hint, params });
  });
  const long = z
    .strictObject({
      url: url
        .optional()
        .describe(
          'Where it listens: `http://HOST:PORT`, `https://HOST`, `HOST:PORT`, a port of this machine, `unix:/path`, or `srv:NAME` for what the ' +
            'SRV records of a name say, as in `srv:_http._tcp.app.example`; or what is run for each request, as in `cgi:/path`.',
        ),
      weight: z.number().positive().max(1000).default(1).describe('Share of the load relative to the other origins.'),
      backup: z.boolean().default(false).describe('Asked only when no other origin is usable.'),
      maxConnections: withoutDefault(count(`${maxConnections} Default: the upstream's.`, 'off', { least: 1 })),
      spawn: spawnSchema.optional().describe('Instead of `url`: processes that sluice starts itself, each an origin.'),
      resolve: z
        .enum(['all', 'one', 'no'])
        .optional()
        .describe(
          'When the host is a name: `all` its addresses are origins, resolved again as they change; only the first `one`, ' +
            'while it has it; or `no`: it is one origin, and each connect looks the name up. Default: all. Not for IP addresses and localhost.',
        ),
    })
    .superRefine(({ url: text, resolve, spawn }, context) => {
      if ((text === undefined) === (spawn === undefined)) {
        const message = text === undefined ? 'expected "url" or "spawn"' : 'there is "spawn" already: one of the two';
        context.addIssue({ code: 'custom', input: text, path: text === undefined ? [] : ['url'], message });
        return;
      }
      if (spawn !== undefined) {
        const { protocol } = spawn;
        if (resolve !== undefined) {
          const message = 'processes have no name to be resolved: leave `resolve` out';
          context.addIssue({ code: 'custom', input: resolve, path: ['resolve'], message });
        }
        // A program that is started for each request is no process that stays.
        const able = schemes.filter((scheme) => !programs.includes(scheme));
        if (able.includes(protocol)) return;
        const message = `unknown protocol: children speak ${able.join(', ')}`;
        const params = { near: able };
        context.addIssue({ code: 'custom', input: protocol, path: ['spawn', 'protocol'], message, params });
        return;
      }
      if (resolve === undefined) return;
      const address = parseOrigin(String(text), schemes, programs);
      if (isOriginProblem(address)) return;
      const refuse = (message: string): void =>
        context.addIssue({ code: 'custom', input: resolve, path: ['resolve'], message });
      if (!hasName(address)) refuse('only a host name is resolved: leave `resolve` out');
      else if (address.srv === true && resolve === 'no') refuse('SRV records have to be resolved: expected all or one');
    })
    .meta({ title: 'origin' });
  return z.union([url, long]).transform((given): ConfiguredOrigin => {
    const {
      url: text,
      weight = 1,
      backup = false,
      maxConnections: most,
      resolve = 'all',
      spawn,
    } = typeof given === 'object' ? given : { url: given };
    if (spawn !== undefined) {
      const { name = '', protocol } = spawn;
      const address = { scheme: protocol, host: name, port: 0 };
      const origin = { url: `spawn:${name}`, address, weight, backup, spawn };
      return most === undefined ? origin : { ...origin, maxConnections: most };
    }
    const address = parseOrigin(String(text), schemes, programs);
    // Only reached with a checked URL.
    if (isOriginProblem(address)) return z.NEVER;
    const origin = { url: String(text), address, weight, backup, ...(hasName(address) ? { resolve } : {}) };
    return most === undefined ? origin : { ...origin, maxConnections: most };
  }) as never;
}

export type OriginInput =
  | string
  | number
  | {
      readonly url?: string | number | undefined;
      readonly spawn?: SpawnInput | undefined;
      readonly weight?: number | undefined;
      readonly backup?: boolean | undefined;
      readonly maxConnections?: number | string | undefined;
      readonly resolve?: 'all' | 'one' | 'no' | undefined;
    };

/** Everything about an upstream but its origins and its balancer, which config/schema.ts adds. */
export const upstreamShape = {
  maxConnections: count(
    `${maxConnections} Each origin may have its own. Of programs (\`cgi:\`) that many run at once; when it is off, four for each core.`,
    'off',
    { least: 1 },
  ),
  maxInFlight: count(
    'Most requests in flight at all origins of the upstream together; others wait in the queue.',
    'off',
    {
      least: 1,
    },
  ),
  slowStart: duration(
    'How long an origin that is added, or back after a failure, takes to get its full share of the load; 0: at once.',
    0,
    { off: false },
  ),
  queue: queueSchema.prefault({}).describe('Requests that wait because all origins are busy or down.'),
  retries: retriesSchema.prefault({}).describe('Asking again after a failure.'),
  timeouts: originTimeoutsSchema.prefault({}).describe('How long an origin may take.'),
  keepAlive: originKeepAliveSchema.prefault({}).describe('Connections kept open between requests.'),
  tls: tlsSchema.prefault({}).describe('Origins over TLS (`https://`): whose certificates are good, and who we are.'),
  disableTime: disableTimeSchema.prefault({}).describe('How long an origin is left alone after a failed connect.'),
  eject: ejectSchema.prefault({}).describe('Taking out origins whose requests fail.'),
  spool: spoolSchema
    .prefault({})
    .describe(
      'Chunked uploads to origins that want to know the length first (FastCGI, SCGI, uwsgi, CGI): they are gathered before an origin is asked.',
    ),
  cgi: cgiSchema
    .prefault({})
    .describe(
      'How requests become scripts and variables, for FastCGI, SCGI, uwsgi and CGI; for AJP `env` alone, whose variables are attributes.',
    ),
  host: hostSchema,
};

const shape = z.strictObject(upstreamShape);

/** The checked options, times in milliseconds, sizes in bytes, `off` as Infinity. */
export type UpstreamOptions = Readonly<z.output<typeof shape>> & {
  /** At least one; `maxConnections` filled in. */
  readonly origins: readonly ConfiguredOrigin[];
  /** In the config in force: what children are started with, by name. */
  readonly spawn?: Readonly<Record<string, SpawnOptions>>;
  /** In the config in force, where it has children: they `come` when they are needed, or none is started, and `why`. */
  readonly children?: Coming;
};
