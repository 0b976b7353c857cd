import { complete, type Config } from './config.ts';
import { crossCheck } from './cross.ts';
import { complaints, type Complaint } from './issues.ts';
import { findSpan, position, type Source } from './place.ts';
import type { Problem } from './problems.ts';
import type { Finding } from './reading.ts';
import { configSchema } from './schema.ts';

/** A config that can be run, or everything that is wrong with it, in the order of the text. */
export type Checked =
  | { readonly config: Config; readonly problems?: undefined }
  | { readonly config?: undefined; readonly problems: readonly [Problem, ...Problem[]] };

/**
 * Checks a config and fills in its defaults. With a `source`, problems tell the place in its text; `findings` are those
 * that reading it has brought up already. Throws nothing.
 */
export function check(input: unknown, source?: Source, findings: readonly Finding[] = []): Checked {
  const result = configSchema.safeParse(input);
  const found: Complaint[] = [
    ...(result.success ? [] : complaints(result.error.issues, configSchema, input)),
    ...crossCheck(input),
  ];
  const problems = [
    ...findings.map((finding) => problemAt(finding, source as Source)),
    ...found.map((complaint) => problemOf(complaint, source)),
  ];
  if (problems.length > 0) return { problems: inOrder(problems) as [Problem, ...Problem[]] };
  if (!result.success) throw new Error('the schema refused a config and said nothing', { cause: result.error });
  return { config: complete(result.data) };
}

/** A finding of a reader, with its place. */
export function problemAt({ code, message, span }: Finding, source: Source): Problem {
  return { code, message, path: [], file: source.file, ...position(source.text, span) };
}

function problemOf({ code, message, path, at = 'value', within }: Complaint, source: Source | undefined): Problem {
  if (source === undefined) return { code, message, path };
  const { file, text, root } = source;
  if (root === undefined || path.length === 0) return { code, message, path, file };
  return { code, message, path, file, ...position(text, findSpan(root, path, at, text, within)) };
}

/** By place; what has none comes first. One message at one place is enough. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems
    .filter(({ message, line, column }) => {
      const key = `${line}:${column}:${message}`;
      return seen.has(key) ? false : seen.add(key);
    })
    .toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
