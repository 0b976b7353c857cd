import { z } from 'zod';
import { count, duration, oneOrMany, orNumber, size, withoutDefault } from '../../core/kind.ts';

const limitsSchema = z
  .strictObject({
    min: count('Children that are always there. With 0 the first one is started when a request comes.', 1, {
      most: 1000,
      off: false,
    }),
    max: withoutDefault(
      count('Most children; one that replaces another comes on top for a while. Default: `min`, and at least 1.', 1, {
        least: 1,
        most: 1000,
        off: false,
      }),
    ),
    load: count(
      'Requests in flight for each child at which one more is started. Whenever requests wait in the queue more are started as well, ' +
        'but without a limit (`maxConnections` of the origin) only those wait that come while there is no child: then 32 is meant, if there may be more than `min`.',
      'off',
      { least: 1 },
    ),
  })
  .transform((given) => ({ ...given, max: given.max ?? Math.max(1, given.min) }))
  .meta({ title: 'instances' });

/** A number is both of them. */
const instancesSchema = z.union([
  z
    .int()
    .min(1)
    .max(1000)
    .transform((many) => ({ min: many, max: many, load: Infinity })),
  limitsSchema,
]);

const readySchema = z
  .strictObject({
    http: z
      .string()
      .regex(/^\/[\x21-\x7e]*$/, 'expected a path such as /healthz')
      .optional()
      .describe('It is ready when it answers GET of this path with 2xx or 3xx. For children that speak HTTP.'),
    line: z
      .string()
      .min(1)
      .max(1000)
      .optional()
      .describe('It is ready when it writes a line that contains this text, to stdout or stderr.'),
    timeout: duration('It has to be ready within this time. Else it is ended, and that counts as a crash.', '30s', {
      least: '10ms',
      most: '1h',
      off: false,
    }),
  })
  .superRefine(({ http, line }, context) => {
    if (http === undefined || line === undefined) return;
    context.addIssue({
      code: 'custom',
      input: line,
      path: ['line'],
      message: 'there is `http` already: one of the two',
    });
  })
  .meta({ title: 'ready' });

const crashSchema = z
  .strictObject({
    first: duration(
      'Pause after a child that ended before it was ready, or within a second after. It doubles with each further one.',
      '100ms',
      { least: '1ms', off: false },
    ),
    most: duration('The longest pause.', '10s', { least: '1ms', off: false }),
    limit: count('After this many in a row no more are started, and the log says so, until `sluice restart`.', 10, {
      least: 1,
    }),
  })
  .meta({ title: 'crash' });

const NAME = /^[\w][\w.-]{0,63}$/;

const variable = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]*$/,
    'the name of a variable is made of letters, digits and _, and begins with no digit',
  );

/** What cannot be in an argument or a variable of a process. */
const text = z.string().refine((given) => !given.includes('\0'), 'a NUL byte cannot be handed to a process');

/** Processes that sluice starts itself. */
export const spawnSchema = z
  .strictObject({
    name: z
      .string()
      .regex(NAME, 'a name is made of letters, digits, _ . and -, at most 64')
      .optional()
      .describe("What its children are called in logs and lists: `NAME.1`, `NAME.2`, … Default: the upstream's name."),
    command: text
      .min(1)
      .describe('The program: a path, or a name that is looked for in PATH. It has to stay in the foreground.'),
    args: oneOrMany(orNumber(text), 0)
      .default([])
      .describe(
        'Its arguments: a list, or one. `{port}` and `{socket}` in them stand for where it is to listen; no shell reads them.',
      ),
    cwd: z.string().min(1).optional().describe("The folder it is started in. Default: sluice's own."),
    env: z
      .record(variable, orNumber(text))
      .default({})
      .describe("Variables it gets beside sluice's own. `{port}` and `{socket}` are replaced in them as well."),
    user: z
      .union([z.string().min(1), z.int().min(0)])
      .optional()
      .describe('The user it runs as, by name or number. Only root can say so.'),
    group: z
      .union([z.string().min(1), z.int().min(0)])
      .optional()
      .describe("The group it runs as, by name or number. Default: the user's."),
    listen: z
      .enum(['port', 'socket', 'fd0', 'systemd'])
      .default('port')
      .describe(
        'How it gets to know where to listen: `port`: on 127.0.0.1 and the port in the variable PORT; `socket`: on the unix ' +
          'socket whose path is in SOCKET; `fd0`: its standard input is a listening unix socket, as FastCGI has it; `systemd`: its ' +
          'descriptor 3 is one, with LISTEN_FDS and LISTEN_PID.',
      ),
    protocol: z
      .string()
      .default('http')
      .describe('What it speaks: a scheme of origins, such as `http`, `fastcgi`, `scgi`, `uwsgi`.'),
    instances: instancesSchema.prefault({}).describe('How many children there are: a number, or from `min` to `max`.'),
    ready: readySchema.prefault({}).describe('When it gets requests. Default: as soon as it takes connections.'),
    crash: crashSchema.prefault({}).describe('What follows when children do not live.'),
    maxRequests: count('It is replaced after this many requests.', 'off', { least: 1 }),
    maxAge: duration('It is replaced after this time.', 'off', { least: '1s' }),
    maxMemory: size('It is replaced when it, with all processes of its group, has more memory than this.', 'off', {
      least: '1MiB',
    }),
    idleTimeout: duration('Children above `instances.min` that were not needed for this long are ended.', '1m', {
      least: '100ms',
    }),
    killDelay: duration('Time between TERM and KILL for a child that is to end.', '10s', { least: '10ms', off: false }),
    watch: oneOrMany(z.string().min(1), 0)
      .default([])
      .describe(
        'Files and folders, relative to `cwd`. When one of them changes the children are replaced, as by `sluice restart`.',
      ),
  })
  .superRefine(({ ready, protocol, instances: { min, max } }, context) => {
    if (min > max) {
      const message = 'expected at most as many as `max`';
      context.addIssue({ code: 'custom', input: min, path: ['instances', 'min'], message });
    }
    if (ready.http === undefined || protocol === 'http') return;
    const message = `a child that speaks ${protocol} is not asked by HTTP: leave it out, or use \`line\``;
    context.addIssue({ code: 'custom', input: ready.http, path: ['ready', 'http'], message });
  })
  .meta({ title: 'spawn' });

/** The checked options: times in milliseconds, sizes in bytes, `off` as Infinity. */
export type SpawnOptions = Readonly<z.output<typeof spawnSchema>>;

export type SpawnInput = z.input<typeof spawnSchema>;

/** Options that can be changed under a running child. */
const SOFT = ['name', 'instances', 'crash', 'maxRequests', 'maxAge', 'maxMemory', 'idleTimeout', 'killDelay', 'watch'];

/** What a child was started with: when this differs, it has to be started anew. */
export function essence(options: SpawnOptions): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([key]) => !SOFT.includes(key)));
}
