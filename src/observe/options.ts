import { z } from 'zod';
import { count, duration } from '../core/kind.ts';

/** A file needs a slash or a dot in its name, so that a mistyped `stdout` does not become one. */
function destination(
  names: readonly [string, ...string[]],
  fallback: string,
  about: string,
): z.ZodDefault<z.ZodString> {
  return z
    .string()
    .superRefine((given, context) => {
      if (names.includes(given) || /[/\\.]/.test(given)) return;
      context.addIssue({
        code: 'custom',
        input: given,
        message: `expected ${names.join(', ')}, or the path of a file such as ./${given}.log`,
        params: { near: names },
      });
    })
    .default(fallback)
    .describe(about)
    .meta({ values: names });
}

/** Where the log goes and how it looks. */
export const logSchema = z
  .strictObject({
    access: destination(
      ['stdout', 'stderr', 'off'],
      'stdout',
      'One line per request: `stdout`, `stderr`, `off`, or the path of a file, reopened on SIGUSR1.',
    ),
    format: z
      .enum(['text', 'json'])
      .default('text')
      .describe('Of the access log: `text` is Combined Log Format with timings behind, `json` one object per line.'),
    error: destination(
      ['stderr', 'stdout', 'off'],
      'stderr',
      'What sluice has to say: `stderr`, `stdout`, `off`, or the path of a file, reopened on SIGUSR1.',
    ),
    level: z
      .enum(['error', 'warn', 'info', 'debug'])
      .default('info')
      .describe('The least important messages that are written to the error log.'),
    recent: count(
      'Failed requests that are remembered, for the admin interface: so many that ended with a 5xx error, and as many with a 4xx error of sluice’s own. 0: none.',
      100,
      { most: 10_000, off: false },
    ),
    slow: z
      .strictObject({
        over: duration('From the head of a request to the head of its answer.', '1s', { least: '1ms' }),
        keep: count('How many are remembered. 0: none.', 100, { most: 10_000, off: false }),
      })
      .meta({ title: 'slow' })
      .prefault({})
      .describe('Slow requests that are remembered, for the admin interface.'),
    spans: z
      .boolean()
      .default(false)
      .describe(
        'Give each request an OpenTelemetry span, by the tracer provider that is registered in the process. Needs the package `@opentelemetry/api`; a change takes a restart.',
      ),
  })
  .meta({ title: 'log' });

export type LogOptions = Readonly<z.output<typeof logSchema>>;
