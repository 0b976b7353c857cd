import type { z } from 'zod';
import { nearest } from './nearest.ts';
import { showPath, type ProblemCode, type PropertyPath } from './problems.ts';
import { forms, metaOf, objectsFor, options, step } from './schema-walk.ts';

/** A problem before its place in the text is looked up. */
export interface Complaint {
  readonly code: ProblemCode;
  readonly message: string;
  readonly path: PropertyPath;
  /** Whether the key or the value is at fault; default the value. */
  readonly at?: 'key' | 'value';
  /** The part of the value's text that is at fault. */
  readonly within?: string;
}

type Issue = z.core.$ZodIssue;

/** How types are called in messages. */
const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** By the unit in an option's description. */
const UNITS: Readonly<Record<string, string>> = {
  duration: 'a duration such as 30s',
  size: 'a size such as 64KiB',
  count: 'a whole number',
};

/** What people write who come from other proxies. */
const FOREIGN: Readonly<Record<string, string>> = {
  backends: 'upstreams',
  clusters: 'upstreams',
  pools: 'upstreams',
  services: 'upstreams',
  servers: 'origins',
  targets: 'origins',
  port: 'listen',
  bind: 'listen',
  rules: 'routes',
  locations: 'routes',
  proxyPass: 'to',
  target: 'to',
  upstream: 'to',
  workers: 'threads',
  lb: 'balance',
  loadBalancer: 'balance',
  policy: 'balance',
  maxConns: 'maxConnections',
  algorithm: 'balance',
};

/** Turns what the schema found into complaints for people. */
export function complaints(issues: readonly Issue[], schema: z.ZodType, input: unknown): Complaint[] {
  return issues.flatMap((issue) => complaint(issue, [], schema, input));
}

function complaint(issue: Issue, above: PropertyPath, schema: z.ZodType, input: unknown): Complaint[] {
  const path = [...above, ...(issue.path as (string | number)[])];
  const value = valueAt(input, path);
  const missing = value === undefined && path.length > 0 && !hasKey(input, path);
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, path, schema, input));
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => ({
      code: 'config/bad-name',
      message: `${showPath(path)}: ${inner.message}`,
      path,
      at: 'key',
    }));
  }
  if (missing && issue.code !== 'custom') {
    const parent = path.slice(0, -1);
    const message = `${JSON.stringify(path.at(-1))} is missing${parent.length === 0 ? '' : ` in ${showPath(parent)}`}`;
    return [{ code: 'config/missing', message, path: parent, at: 'key' }];
  }
  if (issue.code === 'invalid_union') {
    const best = bestBranch(issue.errors);
    if (best !== undefined) return best.flatMap((inner) => complaint(inner, path, schema, input));
    return [wrongKind(path, schema, value)];
  }
  if (issue.code === 'invalid_type' || issue.code === 'invalid_value') return [wrongKind(path, schema, value)];
  const told = (code: ProblemCode, message: string, rest: object = {}): Complaint[] => [
    { code, message: told_(path, message, shown(value, schema, path)), path, ...rest },
  ];
  if (issue.code === 'too_small' || issue.code === 'too_big') return told(...outOfRange(issue, path));
  if (issue.code !== 'custom') return told('config/bad-value', issue.message);
  const { code = codeFor(issue.message), within, near } = (issue.params ?? {}) as Params;
  const meant = near === undefined ? undefined : nearest(String(value), [near].flat());
  return told(code, issue.message, { within, meant });
}
