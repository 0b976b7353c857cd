import { z } from 'zod';
import { oneOrMany } from '../core/kind.ts';

/** Statuses from the first to the second, both included. */
export type StatusRange = readonly [first: number, last: number];

type StatusInput = number | string;

const one = z.union([z.number(), z.string()]).transform((given, context): StatusRange => {
  const [, first = '', last = first] = /^\s*(\d{3})\s*(?:-\s*(\d{3})\s*)?$/.exec(String(given)) ?? [];
  const range: StatusRange = [Number(first), Number(last)];
  if (range[0] >= 200 && range[0] <= range[1] && range[1] <= 599) return range;
  context.addIssue({
    code: 'custom',
    input: given,
    message: 'expected a status from 200 to 599, or a range of them such as 200-399',
  });
  return z.NEVER;
});

/** One or several of `204`, `"200-399"`; interim statuses are no answers. */
export const statusSchema: z.ZodType<StatusRange[], StatusInput | readonly StatusInput[]> = oneOrMany(one);

export function hasStatus(ranges: readonly StatusRange[], status: number): boolean {
  return ranges.some(([first, last]) => status >= first && status <= last);
}

/** `200-399, 404`. */
export function showStatuses(ranges: readonly StatusRange[]): string {
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(', ');
}
