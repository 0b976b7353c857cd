import { z } from 'zod';
import { count, duration, oneOrMany } from '../core/kind.ts';
import { parseServer, serverProblem, showServer } from './server.ts';

const serverSchema = z.string().transform((given, context): string => {
  const server = parseServer(given);
  if (server !== undefined) return showServer(server);
  context.addIssue({ code: 'custom', input: given, message: serverProblem(given) });
  return z.NEVER;
});

/** How names of origins are resolved. */
export const resolverSchema = z
  .strictObject({
    servers: oneOrMany(serverSchema, 0)
      .default([])
      .describe(
        'DNS servers, asked in this order: `IP`, `IP:PORT` or `[IPv6]:PORT`. Without any, those of the system (`/etc/resolv.conf`, read again when it changes).',
      ),
    timeout: duration('How long a server may take. Then the next one is asked.', '2s', {
      least: '10ms',
      most: '1m',
      off: false,
    }),
    tries: count('How often each server is asked before a name counts as failed.', 2, {
      least: 1,
      most: 10,
      off: false,
    }),
    least: duration('Shortest time between two questions for a name, whatever its TTL.', '1s', {
      least: '100ms',
      most: '1h',
      off: false,
    }),
    most: duration('Longest time between two questions for a name, whatever its TTL.', '5m', {
      least: '1s',
      most: '7d',
      off: false,
    }),
    retry: duration(
      'Longest time between two questions for a name that cannot be resolved: they come after 1 s, 2 s, 4 s and so on. ' +
        'Meanwhile the addresses known before stay in use.',
      '30s',
      { least: '1s', most: '1h', off: false },
    ),
    start: duration('How long the start may wait for the first addresses of all names.', '5s', {
      most: '1m',
      off: false,
    }),
    family: z
      .enum(['auto', 'ipv4', 'ipv6', 'both'])
      .default('auto')
      .describe(
        'Which addresses of a name are used: `ipv4`, `ipv6`, `both`, or `auto`: IPv4, and IPv6 if this machine has an IPv6 address other than loopback and link-local.',
      ),
  })
  .superRefine(({ least, most }, context) => {
    if (least <= most) return;
    const message = 'expected at most as much as `most`';
    context.addIssue({ code: 'custom', input: least, path: ['least'], message });
  })
  .meta({ title: 'resolver' });

/** The checked options, times in milliseconds. */
export type ResolverOptions = Readonly<z.output<typeof resolverSchema>>;
