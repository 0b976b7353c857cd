import { complete, type Config } from './config.ts';
import { crossCheck } from './cross.ts';
import { complaints, repaired, type Complaint } from './issues.ts';
import { findSpan, position, type Source } from './place.ts';
import type { Problem } from './problems.ts';
import type { Finding } from './reading.ts';
import { configSchema } from './schema.ts';

/** A config that can be run, or everything that is wrong with it, in the order of the text. */
export type Checked =
  | {
      readonly config: Config;
      readonly problems?: undefined;
      /** Its text, where it came from a file: for what is said of it later. */
      readonly source?: Source;
    }
  | { readonly config?: undefined; readonly problems: readonly [Problem, ...Problem[]] };

/**
 * Checks a config and fills in its defaults. With a `source`, problems tell the place in its text; `findings` are those
 * that reading it has brought up already. Throws nothing.
 */
export function check(given: unknown, source?: Source, findings: readonly Finding[] = []): Checked {
  return checkConfig(withoutExtras(given), source, findings);
}

function checkConfig(input: unknown, source: Source | undefined, findings: readonly Finding[]): Checked {
  const result = configSchema.safeParse(input);
  const typed = result.success ? [] : complaints(result.error.issues, configSchema, input);
  const found = [...typed, ...crossCheck(repaired(input, typed))];
  const problems = [
    ...findings.map((finding) => problemAt(finding, source as Source)),
    ...found.map((complaint) => problemOf(complaint, source)),
  ];
  if (problems.length > 0) return { problems: inOrder(problems) as [Problem, ...Problem[]] };
  if (!result.success) throw new Error('the schema refused a config and said nothing', { cause: result.error });
  const config = complete(result.data);
  return source === undefined ? { config } : { config, source };
}

/** Keys of the top level that start with `x-` are the user's own: a place for anchors and notes. */
function withoutExtras(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
  return Object.fromEntries(Object.entries(given).filter(([key]) => !key.startsWith('x-')));
}

/** A finding of a reader, with its place. */
export function problemAt({ code, message, span }: Finding, source: Source): Problem {
  return { code, message, path: [], file: source.file, ...position(source.text, span) };
}

/** A complaint, with its place. */
export function problemOf(complaint: Complaint, source: Source | undefined): Problem {
  const placed = placedIn(complaint, source);
  return complaint.warning === true ? { ...placed, warning: true } : placed;
}

function placedIn(
  { code, message, path, at = 'value', within, secret }: Complaint,
  source: Source | undefined,
): Problem {
  if (source === undefined) return { code, message, path };
  const { file, text, root } = source;
  if (root === undefined) return { code, message, path, file };
  if (path.length === 0) {
    const { start } = root.value;
    return { code, message, path, file, ...position(text, { start, end: start + 1 }) };
  }
  const { excerpt, ...place } = position(text, findSpan(root, path, at, text, within));
  const shown = { code, message, path, file, ...place };
  return secret === true ? shown : { ...shown, excerpt };
}

/** By place; what has none comes first. One message at one place is enough. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems
    .filter(({ message, line, column }) => {
      const key = `${line}:${column}:${message}`;
      return seen.has(key) ? false : seen.add(key);
    })
    .toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
