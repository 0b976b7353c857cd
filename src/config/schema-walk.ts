import { z } from 'zod';

/** The schema below defaults, optionals and transforms: what says which input is taken. */
export function core(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return core(schema.unwrap() as z.ZodType);
  }
  if (schema instanceof z.ZodPipe) return core(schema.def.in as z.ZodType);
  return schema;
}

/** The forms a value may have: the members of unions, of unions in unions, and of "one or a list". */
export function forms(schema: z.ZodType): z.ZodType[] {
  const inner = core(schema);
  if (inner instanceof z.ZodUnion) return (inner.options as z.ZodType[]).flatMap(forms);
  return [inner];
}

/** The schemas of what a path leads to, in every form the way there may have. */
export function schemasAt(schema: z.ZodType, path: readonly (string | number)[], input: unknown): z.ZodType[] {
  let schemas = [schema];
  let value = input;
  for (const part of path) {
    schemas = step(formsFor(schemas.flatMap(forms), value), part);
    value = (value as Record<string | number, unknown> | null | undefined)?.[part];
  }
  return schemas;
}

/** What a key or index leads to, in the forms that have it. */
function step(schemas: readonly z.ZodType[], part: string | number): z.ZodType[] {
  return schemas.flatMap((schema): z.ZodType[] => {
    if (schema instanceof z.ZodArray) return typeof part === 'number' ? [schema.element as z.ZodType] : [];
    if (schema instanceof z.ZodRecord) return [schema.valueType as z.ZodType];
    if (schema instanceof z.ZodObject && Object.hasOwn(schema.shape, part)) return [schema.shape[part] as z.ZodType];
    return [];
  });
}

/** The key by which an object is told apart from its siblings, with the names it has there, and what was written about it. */
export function badgeOf(schema: z.ZodType): { key: string; names: string[]; about: string } | undefined {
  if (!(schema instanceof z.ZodObject)) return undefined;
  for (const key of ['name', 'type']) {
    const literal = (schema.shape as Record<string, z.ZodType>)[key];
    if (literal instanceof z.ZodLiteral)
      return { key, names: [...literal.values].map(String), about: literal.description ?? '' };
  }
  return undefined;
}

/** Of several objects told apart by a literal `name` or `type`, only those that an input can be; other forms stay. */
export function formsFor(schemas: readonly z.ZodType[], value: unknown): z.ZodType[] {
  const given = value as Readonly<Record<string, unknown>> | null | undefined;
  const named = schemas.filter((schema) => {
    const badge = badgeOf(schema);
    return badge?.names.includes(given?.[badge.key] as string);
  });
  return named.length > 0 ? named : [...schemas];
}

/** What was written about a schema, on any layer of it; the outermost word counts. */
export function metaOf(schema: z.ZodType): Readonly<Record<string, unknown>> {
  const own = schema.meta() ?? {};
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return { ...metaOf(schema.unwrap() as z.ZodType), ...own };
  }
  if (schema instanceof z.ZodPipe) return { ...metaOf(schema.def.in as z.ZodType), ...own };
  return own;
}

/** An option of the config, wherever it is. */
export interface Option {
  readonly key: string;
  /** The object it is an option of: '' at the top, `upstreams.NAME.origins`, `upstreams.NAME.balance (name: hash)`. */
  readonly above: string;
  readonly schema: z.ZodType;
}

/** Every option of an object and of the objects in it, parents first. */
export function options(schema: z.ZodType, path = '', seen: ReadonlySet<z.ZodType> = new Set()): Option[] {
  const all = forms(schema);
  // Of "one or a list" the list has nothing new.
  const here = new Set([...seen, ...all]);
  return all.flatMap((form): Option[] => {
    if (seen.has(form)) return [];
    if (form instanceof z.ZodArray) return options(form.element as z.ZodType, `${path}[]`, here);
    if (form instanceof z.ZodRecord) return options(form.valueType as z.ZodType, `${path}.NAME`);
    return form instanceof z.ZodObject ? optionsOf(form, path) : [];
  });
}

function optionsOf(object: z.ZodObject, path: string): Option[] {
  const badge = badgeOf(object);
  const above = badge === undefined ? path : `${path} (${badge.key}: ${badge.names[0]})`;
  return Object.entries(object.shape as Record<string, z.ZodType>).flatMap(([key, schema]): Option[] => [
    { key, above, schema },
    ...options(schema, path === '' ? key : `${path}.${key}`),
  ]);
}
