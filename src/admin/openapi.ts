import { z } from 'zod';
import * as views from '../control/views.ts';
import { CONFIG_TYPES, type Operation } from './operation.ts';
import { problems, problemView, type ProblemCode } from './problem.ts';

type Json = Record<string, unknown>;

/** What schemas say to other parts of this program. */
const OURS = ['shownDefault', 'unit', 'wanted', 'least', 'most', 'off', 'id'];

/** What any operation may answer. */
const ALWAYS: readonly ProblemCode[] = [
  'bad-request',
  'unexpected-body',
  'no-token',
  'wrong-token',
  'host-refused',
  'origin-refused',
  'body-timeout',
  'unknown-expectation',
  'head-too-large',
  'failed',
  'unavailable',
  'too-slow',
];

/** All codes with which an operation may fail. */
export function errorsOf({ errors, params, query, body, changes }: Operation): ProblemCode[] {
  const found: ProblemCode[] = [...ALWAYS, ...errors];
  if (Object.keys(params).length > 0) found.push('bad-path');
  if (query !== null || body !== null) found.push('invalid');
  if (body !== null) found.push('body-too-large', 'wrong-type', 'bad-text');
  if (typeof body === 'object' && body !== null) found.push('bad-json');
  if (changes) found.push('busy');
  return [...new Set(found)];
}

/**
 * The OpenAPI 3.1 document, made from the table of operations and the schemas that check them.
 *
 * @param metrics whether `/metrics` wants the token
 */
export function openapi(operations: readonly Operation[], version: string, metrics: 'token' | 'open' | 'off'): Json {
  const paths: Record<string, Json> = {};
  const there = operations.filter(({ id }) => id !== 'metrics' || metrics !== 'off');
  for (const one of there) {
    const described = describe(one);
    if (one.id === 'metrics' && metrics === 'open') described['security'] = [];
    (paths[one.path] ??= {})[one.method.toLowerCase()] = described;
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'sluice admin',
      version,
      description:
        'The running proxy as operators see it and change it. Times of day are ISO 8601 in UTC, spans milliseconds, sizes bytes; ' +
        'null is "none" or "no limit".',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    paths,
    components: {
      schemas: { ...components(outputs(there), 'output'), ...components(inputs(there), 'input') },
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'The token of `admin` in the config. A unix socket needs none, unless it has one.',
        },
      },
    },
  };
}

const NAMED = ([...Object.values(views), problemView] as unknown[]).filter((one) => one instanceof z.ZodType);

function outputs(operations: readonly Operation[]): z.ZodType[] {
  const own = operations.map(({ answer }) => answer).filter((one) => one instanceof z.ZodType);
  return [...new Set([...NAMED, ...own])].filter((one) => idOf(one) !== undefined);
}

function inputs(operations: readonly Operation[]): z.ZodType[] {
  return operations.map(({ body }) => body).filter((one) => one instanceof z.ZodType);
}

function idOf(schema: z.ZodType): string | undefined {
  return schema.meta()?.['id'];
}

function components(schemas: readonly z.ZodType[], io: 'input' | 'output'): Json {
  const registry = z.registry<{ id: string }>();
  for (const schema of schemas) registry.add(schema, { id: idOf(schema) as string });
  const made = z.toJSONSchema(registry, {
    io,
    uri: (id) => `#/components/schemas/${id}`,
    unrepresentable: 'any',
    override: plain,
  });
  return Object.fromEntries(
    Object.entries(made.schemas).map(([name, schema]) => {
      // They belong to a document of their own.
      delete schema.$schema;
      delete schema.$id;
      return [name, schema];
    }),
  );
}

function plain({ jsonSchema }: { jsonSchema: object }): void {
  for (const key of OURS) delete (jsonSchema as Json)[key];
}

function describe(one: Operation): Json {
  const { id, about, params, query, body, status, answer } = one;
  const parameters = [
    ...Object.entries(params).map(([name, description]) => ({
      name,
      in: 'path',
      required: true,
      description,
      schema: { type: 'string' },
    })),
    ...(query === null ? [] : queryParameters(query)),
  ];
  const described: Json = { operationId: id, summary: about };
  if (parameters.length > 0) described['parameters'] = parameters;
  if (body !== null) described['requestBody'] = requestBody(body);
  described['responses'] = { [status]: good(answer), ...failures(errorsOf(one)) };
  return described;
}

function queryParameters(query: z.ZodObject): Json[] {
  return Object.entries(query.shape as Record<string, z.ZodType>).map(([name, schema]) => {
    const {
      $schema: _,
      description,
      ...made
    } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', override: plain }) as Json;
    return { name, in: 'query', required: !schema.safeParse(undefined).success, description, schema: made };
  });
}

function requestBody(body: NonNullable<Operation['body']>): Json {
  if (typeof body === 'object') return { required: true, content: { 'application/json': { schema: reference(body) } } };
  const schema = { type: 'string', description: 'A config as YAML or JSON.' };
  return { required: body === 'config', content: Object.fromEntries(CONFIG_TYPES.map((type) => [type, { schema }])) };
}

function good(answer: Operation['answer']): Json {
  if (answer === null) return { description: 'Done.' };
  if (answer === 'text') return { description: 'Metrics.', content: { 'text/plain': { schema: { type: 'string' } } } };
  return { description: 'Done.', content: { 'application/json': { schema: reference(answer) } } };
}

/** By name where the schema has one. */
function reference(schema: z.ZodType): Json {
  const id = idOf(schema);
  if (id !== undefined) return { $ref: `#/components/schemas/${id}` };
  if (schema instanceof z.ZodArray) return { type: 'array', items: reference(schema.element as z.ZodType) };
  const { $schema: _, ...made } = z.toJSONSchema(schema, { override: plain }) as Json;
  return made;
}

/** One answer per status; the codes it may have are listed in it. */
function failures(codes: readonly ProblemCode[]): Json {
  const byStatus = Map.groupBy(codes, (code) => problems[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => [
      status,
      {
        description: some.map((code) => `\`${code}\`: ${problems[code].about}`).join(' '),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}
