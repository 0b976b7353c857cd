import { isIP } from 'node:net';
import { z } from 'zod';
import { Refusal } from './problem.ts';

/** Longest path and query, in characters: a URL to be explained has at most 8192 before it is escaped. */
const TARGET = 12_000;

/** The parameters of a query, not yet checked. */
export interface Query {
  readonly names: readonly string[];
  /** As an object for a schema: fields that are lists get all of a name's values, others may be given once. */
  values(schema: z.ZodObject): Record<string, string | string[]>;
}

/** Path and query of a request target. Neither is normalised: what is not in the table is not there. */
export function paramsOf(target: string): { path: string; query: Query } {
  if (!target.startsWith('/')) throw new Refusal('bad-path', 'the path starts with /');
  if (target.length > TARGET) throw new Refusal('target-too-long');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const params = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
  const names = [...new Set(params.keys())];
  return {
    path,
    query: {
      names,
      values: (schema) => Object.fromEntries(names.map((name) => [name, valueOf(params.getAll(name), name, schema)])),
    },
  };
}

function valueOf(values: string[], name: string, schema: z.ZodObject): string | string[] {
  if (values.some((value) => value.includes('\0'))) throw new Refusal('invalid', `${name}: a control character`);
  const option = Object.hasOwn(schema.shape, name) ? (schema.shape[name] as z.ZodType) : undefined;
  const inner = option instanceof z.ZodDefault ? option.unwrap() : option;
  if (inner instanceof z.ZodArray) return values;
  const [first = '', second] = values;
  if (second !== undefined && option !== undefined) throw new Refusal('invalid', `${name} is given twice`);
  return first;
}

/**
 * A page whose host name was made to lead to this machine after it was loaded (DNS rebinding) has no Origin to be known
 * by, but its name is in Host. Programs use an address or localhost.
 */
export function hostProblem(host: string | undefined): string | undefined {
  const name = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::\d{1,5})?$/.exec(host ?? '');
  if (host === undefined || name === null) return 'Host is missing or broken';
  const [, v6, plain = ''] = name;
  const good = v6 === undefined ? isIP(plain) === 4 || /^localhost\.?$/i.test(plain) : isIP(v6) === 6;
  return good ? undefined : `Host is ${JSON.stringify(plain.slice(0, 80))}, neither an IP address nor localhost`;
}
