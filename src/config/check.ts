import { complete, type Config } from './config.ts';
import type { Problem } from './problems.ts';
import { configSchema } from './schema.ts';

/** A config that can be run, or everything that is wrong with it. */
export type Checked =
  | { readonly config: Config; readonly problems?: undefined }
  | { readonly config?: undefined; readonly problems: readonly [Problem, ...Problem[]] };

export function check(input: unknown): Checked {
  const result = configSchema.safeParse(input);
  if (result.success) return { config: complete(result.data) };
  return {
    problems: result.error.issues.map((issue): Problem => ({
      code: 'config/bad-value',
      message: issue.message,
      path: issue.path as (string | number)[],
    })) as [Problem, ...Problem[]],
  };
}
