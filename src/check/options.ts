import { z } from 'zod';
import { count, duration, type OwnInput, withoutDefault } from '../core/kind.ts';
import type { CheckKind } from './check.ts';
import { checks, type CheckName } from './index.ts';

/** A check and when it is made; times in milliseconds. */
export interface CheckOptions {
  readonly type: CheckName;
  /** From the start of one probe to the start of the next, give or take a tenth. */
  readonly interval: number;
  /** Not longer than the interval. */
  readonly timeout: number;
  readonly rise: number;
  readonly fall: number;
  readonly first: 'pass' | 'block';
  /** Of the kind, checked, for its `create`. */
  readonly options: Readonly<Record<string, unknown>>;
}

const LONGEST = '2s';
const LONGEST_MS = 2000;

const common = {
  interval: duration('From one check to the next, give or take a tenth.', '5s', {
    least: '100ms',
    most: '1d',
    off: false,
  }),
  timeout: withoutDefault(
    duration('For one check. Default: `2s`, or `interval` when that is shorter.', LONGEST, {
      least: '1ms',
      off: false,
    }),
  ),
  rise: count('Checks in a row that an origin which is out has to pass.', 2, { least: 1, most: 100, off: false }),
  fall: count('Checks in a row that an origin has to fail to be taken out.', 3, { least: 1, most: 100, off: false }),
  first: z
    .enum(['pass', 'block'])
    .default('pass')
    .describe('Before its first check an origin takes requests (`pass`), or takes none until it has passed (`block`).'),
};

type Kinds = (typeof checks)[number];
type CommonInput = z.input<z.ZodObject<typeof common>>;
type ByType<One> = One extends { name: infer Name; options: infer Options extends z.ZodObject }
  ? Name | ({ readonly type: Name } & CommonInput & OwnInput<Options>)
  : never;

/** A kind's name, a path, or a kind with options. */
export type CheckInput = 'off' | `/${string}` | ByType<Kinds>;

const kinds: readonly CheckKind[] = checks;
const names = kinds.map(({ name }) => name);
const slash = kinds.find((kind) => kind.slash !== undefined);

const objects = kinds.map((kind) =>
  z
    .strictObject({
      type: z.literal([kind.name, ...(kind.aliases ?? [])]).describe(kind.about),
      ...common,
      ...kind.options.shape,
    })
    .meta({ title: kind.name }),
);

/** A path, and the names that other programs have. */
const text = z.string().superRefine((given, context) => {
  const kind = kindOf(given);
  if (kind !== undefined) return;
  const shape = slash?.options.shape[slash.slash ?? ''] as z.ZodType | undefined;
  if (given.startsWith('/') && shape !== undefined) {
    for (const { message } of shape.safeParse(given).error?.issues ?? [])
      context.addIssue({ code: 'custom', input: given, message });
    return;
  }
  context.addIssue({
    code: 'custom',
    input: given,
    message: `expected off, ${names.join(', ')} or a path such as /healthz`,
    params: { code: 'config/unknown-value', near: ['off', ...names] },
  });
});

type Given = { readonly type: string; readonly timeout?: number } & Omit<CheckOptions, 'type' | 'timeout' | 'options'>;

export const checkSchema: z.ZodDefault<z.ZodType<CheckOptions | null, CheckInput>> = z
  .union([z.enum(['off', ...names]), text, z.discriminatedUnion('type', objects as never)])
  .transform((given: string | Given): CheckOptions | null => {
    if (given === 'off') return null;
    return typeof given === 'string' ? fromText(given) : complete(given);
  })
  .default(null)
  .describe(
    'Asks origins at intervals whether they work, and takes out those that do not: `off`, a kind of check, ' +
      'a path (`/healthz`: http with that path), or `{ type, … }` with options.',
  )
  .meta({ shownDefault: 'off' }) as never;

function fromText(given: string): CheckOptions {
  const kind = given.startsWith('/') ? slash : kindOf(given);
  const { name, options } = kind as CheckKind;
  const own = given.startsWith('/') ? options.parse({ [slash?.slash ?? '']: given }) : options.parse({});
  return complete({ type: name, ...z.object(common).parse({}), ...own } as Given);
}

function complete({ type, interval, timeout, rise, fall, first, ...options }: Given): CheckOptions {
  return {
    type: (kindOf(type) as CheckKind).name as CheckName,
    interval,
    timeout: timeout ?? Math.min(LONGEST_MS, interval),
    rise,
    fall,
    first,
    options,
  };
}

function kindOf(name: string): CheckKind | undefined {
  return kinds.find((kind) => kind.name === name || kind.aliases?.includes(name));
}

/** What is wrong with options that are right one by one: the option at fault, and why. */
export function checkProblem({ type, interval, timeout, options }: CheckOptions): Problem | undefined {
  if (timeout > interval) return { option: 'timeout', message: '"timeout" is longer than "interval"' };
  return kindOf(type)?.problem?.(options);
}

interface Problem {
  readonly option: string;
  readonly message: string;
}

/** Whether origins of this scheme can be asked so. */
export function canCheck(type: CheckName, scheme: string): boolean {
  const schemes = kindOf(type)?.schemes;
  return schemes === 'any' || schemes?.includes(scheme) === true;
}

/** The kinds that can ask origins of this scheme, those made for it first. */
export function checksFor(scheme: string): string[] {
  const own = kinds.filter(({ schemes }) => schemes !== 'any' && schemes.includes(scheme));
  return [...own, ...kinds.filter(({ schemes }) => schemes === 'any')].map(({ name }) => name);
}
