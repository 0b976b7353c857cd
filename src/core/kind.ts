import { z } from 'zod';
import { parseCount, parseDuration, parseSize } from './units.ts';

/**
 * What every plug-in file exports: one record with its name, a line about it, its options with their defaults and
 * descriptions, and how to make one. Config checker, JSON Schema, option docs and error messages all read this record.
 */
export interface Kind<Options extends z.ZodObject, Arguments extends unknown[], Made> {
  /** The name in configs, logs and metrics. */
  readonly name: string;
  /** One line for people choosing. */
  readonly about: string;
  /** Strict object schema; every option has a description and a default. */
  readonly options: Options;
  create(options: z.output<Options>, ...rest: Arguments): Made;
}

/** What a number may be, beyond being one. */
export interface Bounds {
  /** Smallest and largest value, in the option's own spelling; default 0 and no bound. */
  readonly least?: string | number;
  readonly most?: string | number;
  /** False where the option cannot be switched off; default true. `off` is Infinity. */
  readonly off?: boolean;
}

type NumberOption = z.ZodDefault<z.ZodType<number, string | number>>;

/** A length of time: a number of milliseconds, or text such as `250ms`, `30s`, `5m`, `1h`, `1d`. Output: milliseconds. */
export function duration(about: string, fallback: string | number, bounds: Bounds = {}): NumberOption {
  return numberOption(about, fallback, bounds, 'duration', 'a duration such as 250ms, 30s or 5m', parseDuration);
}

/** An amount of memory: a number of bytes, or text such as `512`, `64KiB`, `10MB`. Output: bytes. */
export function size(about: string, fallback: string | number, bounds: Bounds = {}): NumberOption {
  return numberOption(about, fallback, bounds, 'size', 'a size such as 512, 64KiB or 10MiB', parseSize);
}

/** A whole number of things. Output: that number. */
export function count(about: string, fallback: string | number, bounds: Bounds = {}): NumberOption {
  return numberOption(about, fallback, bounds, 'count', 'a whole number', parseCount);
}

function numberOption(
  about: string,
  fallback: string | number,
  bounds: Bounds,
  unit: 'duration' | 'size' | 'count',
  kind: string,
  parse: (value: string | number) => number | undefined,
): NumberOption {
  const { least = 0, most = Infinity, off = true } = bounds;
  const wanted = `${kind}${off ? ', or off' : ''}`;
  const smallest = parse(least) as number;
  const largest = most === Infinity ? Infinity : (parse(most) as number);
  return z
    .union([z.number(), z.string()])
    .transform((value, context): number => {
      const parsed = parse(value);
      const refuse = (message: string): number => {
        context.addIssue({ code: 'custom', message, input: value });
        return z.NEVER;
      };
      if (parsed === undefined || (parsed === Infinity && !off)) return refuse(`expected ${wanted}`);
      if (parsed < smallest) return refuse(`expected at least ${least}`);
      if (parsed > largest && parsed !== Infinity) return refuse(`expected at most ${most}`);
      return parsed;
    })
    .default(parse(fallback) as number)
    .describe(about)
    .meta({ shownDefault: fallback, unit, wanted, ...bounds });
}

/** One value or a list of them; the output is a list. */
export function oneOrMany<Output, Input>(
  schema: z.ZodType<Output, Input>,
  least = 1,
): z.ZodType<Output[], Input | readonly Input[]> {
  // Each side makes its own list: what one value becomes may be an array itself.
  return z.union([schema.transform((one) => [one]), z.array(schema).min(least)]) as never;
}

/** A whole number where text is meant, as in `PORT: 8080`: others have more than one spelling, and which one was meant is lost. */
export function orNumber<Text extends z.ZodType<string, string>>(text: Text): z.ZodType<string, string | number> {
  return z.union([text, z.int().transform(String)]);
}

/** The same option without its default, where a missing value means "as elsewhere". */
export function withoutDefault<Option extends z.ZodType>(option: Option): z.ZodOptional<Bare<Option>> {
  const bare = (option instanceof z.ZodDefault ? option.unwrap() : option) as z.ZodType;
  const { shownDefault: _, ...meta } = option.meta() ?? {};
  return bare.optional().meta(meta) as never;
}

type Bare<Option> = Option extends z.ZodDefault<infer Inner extends z.ZodType> ? Inner : Option;

/**
 * What may be written for the options of a plug-in beside its name. An object without options is `Record<string, never>` to
 * zod, and beside one of these nothing else may stand.
 */
export type OwnInput<Options extends z.ZodObject> = string extends keyof z.input<Options> ? unknown : z.input<Options>;
