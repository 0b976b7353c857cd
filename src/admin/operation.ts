import type { z } from 'zod';
import type { Control, Operator } from '../control/control.ts';
import type { ProblemCode } from './problem.ts';

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** A config as text: the one body that is not JSON. */
export const CONFIG_TYPES = ['application/yaml', 'application/json', 'text/yaml', 'text/plain'] as const;

/** One request, checked: all that an operation gets to see. */
export interface Call<Query = unknown, Body = unknown> {
  readonly control: Control;
  readonly who: Operator;
  /** The names in the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** The document that describes the operations. */
  readonly describe: () => Promise<unknown>;
}

/** One row of the table that routing, checking and the OpenAPI document are made from. */
export interface Operation {
  /** For clients made from the document, and for logs. */
  readonly id: string;
  readonly method: Method;
  /** With `{names}`, each of which stands for one segment. */
  readonly path: string;
  readonly about: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: z.ZodObject | null;
  /** `config`: the text of one; `config?`: or nothing. */
  readonly body: z.ZodObject | 'config' | 'config?' | null;
  readonly status: 200 | 201 | 204;
  /** What a good answer holds: JSON of a schema, `text` for Prometheus, or nothing. */
  readonly answer: z.ZodType | 'text' | null;
  /** Besides those that every operation has. */
  readonly errors: readonly ProblemCode[];
  /** Changes the proxy: such operations run one after the other. */
  readonly changes: boolean;
  run(call: Call<never, never>): Promise<unknown>;
}

type Given<Schema> = Schema extends z.ZodType
  ? z.output<Schema>
  : Schema extends 'config'
    ? string
    : Schema extends 'config?'
      ? string | undefined
      : undefined;

/** A row, with the types of its query and body for `run`. */
export function operation<
  const Query extends z.ZodObject | null = null,
  const Body extends z.ZodObject | 'config' | 'config?' | null = null,
>(
  row: Pick<Operation, 'id' | 'method' | 'path' | 'about' | 'answer'> &
    Partial<Pick<Operation, 'params' | 'status' | 'errors' | 'changes'>> & {
      readonly query?: Query;
      readonly body?: Body;
      run(call: Call<Given<Query>, Given<Body>>): Promise<unknown>;
    },
): Operation {
  return { params: {}, query: null, body: null, status: 200, errors: [], changes: false, ...row } as never;
}
