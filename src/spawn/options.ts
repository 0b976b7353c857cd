import { z } from 'zod';
import { count, duration, size } from '../core/kind.ts';

const account = z
  .string()
  .regex(/^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$/, 'expected a name or a number, as in /etc/passwd');

/**
 * Masks that may be written as plain numbers. YAML reads `027` as 27, so its digits are meant; but it reads `0o27` as 23, and
 * nobody could tell that from `023`. None of these is the value of a mask that anybody uses.
 */
const USUAL: readonly number[] = [0, 2, 7, 22, 27, 77];

const OCTAL = 'expected an octal number in quotes, such as "027"';

/** How programs are run that are started for one request each. */
export const processSchema = z
  .strictObject({
    user: account
      .default('')
      .describe('The user that programs run as; only root may choose. Empty: whoever sluice runs as.'),
    group: account.default('').describe("And the group; they are in no other one. Empty: the user's own."),
    pass: z
      .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a variable is named by letters, digits and _'))
      .default([])
      .describe(
        "Variables of sluice's own environment that programs get, such as `LANG`. They always get `PATH`, and otherwise only what `cgi` tells.",
      ),
    cpu: duration('Processor time for each process, rounded up to seconds. Then it is killed.', 'off', {
      least: '1s',
      most: '1d',
    }),
    memory: size('Memory that each process may address.', 'off', { least: '1MiB' }),
    files: count('Files that each process may have open.', 'off', { least: 8, most: 1_000_000 }),
    fileSize: size('Largest file that a process may write.', 'off', { least: 512 }),
    umask: z
      .union([
        z.string().regex(/^(?:[0-7]{3,4})?$/, OCTAL),
        z
          .number()
          .refine((digits) => USUAL.includes(digits), OCTAL)
          .transform((digits) => String(digits).padStart(3, '0')),
      ])
      .default('')
      .describe('Permissions that new files do not get, such as `"027"`, or `027` in YAML. Empty: sluice\'s own.'),
    finish: duration('How long a program may go on after its answer. Then it is told to end.', '5s'),
    kill: duration('From SIGTERM, which asks a program to end, to SIGKILL, which ends it.', '3s', { off: false }),
  })
  .meta({ title: 'process' });

export type ProcessOptions = Readonly<z.output<typeof processSchema>>;
