import { z } from 'zod';
import { nearest } from './nearest.ts';
import { showPath, type ProblemCode, type PropertyPath } from './problems.ts';
import { forms, formsFor, metaOf, options, schemasAt } from './schema-walk.ts';

/** A problem before its place in the text is looked up. */
export interface Complaint {
  readonly code: ProblemCode;
  readonly message: string;
  readonly path: PropertyPath;
  /** Whether the key or the value is at fault; default the value. */
  readonly at?: 'key' | 'value';
  /** The part of the value's text that is at fault. */
  readonly within?: string;
  /** It can be run all the same. */
  readonly warning?: boolean;
  /** The line is not to be shown. */
  readonly secret?: boolean;
  /** Of a missing option: its key. Of an unknown key: the path it stands at and the key that was probably meant. */
  readonly missing?: string;
  readonly meant?: { readonly at: PropertyPath; readonly key: string };
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

/** What people write who come from other proxies. */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  api: ['admin'],
  management: ['admin'],
  socket: ['address'],
  password: ['token', 'passphrase'],
  sni: ['serverName'],
  trust: ['ca'],
  auth: ['token'],
  backends: ['upstreams'],
  clusters: ['upstreams'],
  pools: ['upstreams'],
  services: ['upstreams'],
  servers: ['origins'],
  targets: ['origins'],
  port: ['listen', 'address'],
  bind: ['listen', 'address'],
  rules: ['routes'],
  locations: ['routes'],
  proxyPass: ['to'],
  target: ['to'],
  upstream: ['to', 'upstreams'],
  workers: ['threads'],
  lb: ['balance'],
  loadBalancer: ['balance'],
  algorithm: ['balance'],
  policy: ['balance'],
  maxConns: ['maxConnections'],
  code: ['status'],
};

interface Params {
  readonly code?: ProblemCode;
  readonly within?: string;
  /** Names one of which may have been meant. */
  readonly near?: string | readonly string[];
  readonly secret?: boolean;
}

/** Turns what the schema found into complaints for people. */
export function complaints(issues: readonly Issue[], schema: z.ZodType, input: unknown): Complaint[] {
  const ground = new Ground(schema, input);
  const found = issues.flatMap((issue) => ground.complaint(issue, [])).map((one) => ground.discreet(one));
  // What is missing may be there under a name that has been complained about.
  return found.filter(({ missing, path }) => {
    return (
      missing === undefined ||
      !found.some(({ meant }) => meant?.key === missing && showPath(meant.at) === showPath(path))
    );
  });
}

/** The input with mistyped keys put right, so that what is said next is not about what is missing because of them. */
export function repaired(input: unknown, found: readonly Complaint[]): unknown {
  let made = input;
  for (const { meant, path } of found) {
    if (meant !== undefined) made = renamed(made, meant.at, path.at(-1) as string, meant.key);
  }
  return made;
}

function renamed(input: unknown, at: PropertyPath, from: string, to: string): unknown {
  if (typeof input !== 'object' || input === null) return input;
  const [part, ...rest] = at;
  if (part === undefined) {
    const { [from]: value, ...others } = input as Record<string, unknown>;
    return { [to]: value, ...others };
  }
  if (Array.isArray(input))
    return input.map((item, i) => (i === part ? renamed(item, rest, from, to) : (item as unknown)));
  return { ...input, [part]: renamed((input as Record<string, unknown>)[part], rest, from, to) };
}

/** What all complaints about one config are made from. */
class Ground {
  readonly #schema: z.ZodType;
  readonly #input: unknown;

  constructor(schema: z.ZodType, input: unknown) {
    this.#schema = schema;
    this.#input = input;
  }

  /** One issue may hold several: unknown keys, and the members of a union. */
  complaint(issue: Issue, above: PropertyPath): Complaint[] {
    const path = [...above, ...(issue.path as (string | number)[])];
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => this.#unknownKey(path, key));
      case 'invalid_key': {
        const text = issue.issues[0]?.message ?? issue.message;
        const message = this.#say(path, text, undefined, JSON.stringify(path.at(-1)));
        return [{ code: 'config/bad-name', message, path, at: 'key' }];
      }
      case 'custom': {
        const { code = codeFor(issue.message), within, near = [], secret = false } = (issue.params ?? {}) as Params;
        const meant = nearest(within ?? String(this.#valueAt(path)), [near].flat());
        const message = this.#say(path, issue.message, meant);
        const found: Complaint = secret ? { code, message, path, secret } : { code, message, path };
        return [within === undefined ? found : { ...found, within }];
      }
      case 'invalid_union': {
        const best = bestBranch(issue.errors);
        return best === undefined ? [this.#wrongKind(path)] : best.flatMap((inner) => this.complaint(inner, path));
      }
      case 'too_small':
      case 'too_big':
        return [this.#outOfRange(issue, path)];
      case 'invalid_type':
      case 'invalid_value':
        return [this.#wrongKind(path)];
      default:
        return [{ code: 'config/bad-value', message: this.#say(path, issue.message), path }];
    }
  }

  /** Marks what is said about an option that holds a secret. */
  discreet(one: Complaint): Complaint {
    return this.#isSecret(one.path) ? { ...one, secret: true } : one;
  }

  #isSecret(path: PropertyPath): boolean {
    return schemasAt(this.#schema, path, this.#input).some((schema) => metaOf(schema)['secret'] === true);
  }

  #unknownKey(path: PropertyPath, key: string): Complaint {
    const here = schemasAt(this.#schema, path, this.#input).flatMap(forms);
    const known = formsFor(here, this.#valueAt(path)).flatMap((form) => Object.keys(shapeOf(form)));
    const foreign = Object.hasOwn(FOREIGN, key) ? FOREIGN[key] : undefined;
    const meant = nearest(key, known) ?? foreign?.find((one) => known.includes(one));
    const elsewhere = options(this.#schema)
      .filter((option) => option.key === key && option.above !== '')
      .map((option) => option.above);
    const place = path.length === 0 ? '' : ` in ${showPath(path)}`;
    const message =
      `unknown option ${JSON.stringify(key)}${place}` +
      (meant !== undefined
        ? `; did you mean ${JSON.stringify(meant)}?`
        : elsewhere.length > 0
          ? `; it belongs in ${oneOf(places(elsewhere))}`
          : `; known: ${known.join(', ')}`);
    const complaint: Complaint = { code: 'config/unknown-key', message, path: [...path, key], at: 'key' };
    if (meant === undefined) return complaint;
    // Its value may be the secret that the right key would have.
    const secret = this.#isSecret([...path, meant]) ? { secret: true } : {};
    return { ...complaint, ...secret, meant: { at: path, key: meant } };
  }

  /** The value is of a type, or one of a few, that the option does not take. */
  #wrongKind(path: PropertyPath): Complaint {
    const value = this.#valueAt(path);
    if (value === undefined && typeof path.at(-1) === 'string') return this.#missing(path);
    const schemas = schemasAt(this.#schema, path, this.#input);
    const meta = Object.assign({}, ...schemas.map(metaOf)) as { wanted?: string; aliases?: Record<string, string> };
    const kinds = schemas.flatMap(forms);
    const values = kinds.flatMap(valuesOf);
    const types = meta.wanted === undefined ? kinds.flatMap(typeOf) : [meta.wanted];
    const wanted = [...values.map((one) => JSON.stringify(one)), ...new Set(types)];
    const foreign = typeof value === 'string' ? meta.aliases?.[value] : undefined;
    const meant = foreign ?? (typeof value === 'string' ? nearest(value, values.map(String)) : undefined);
    const code = values.some((one) => typeof one === typeof value) ? 'config/unknown-value' : 'config/wrong-type';
    return { code, message: this.#say(path, `expected ${oneOf(wanted)}`, meant), path };
  }

  #missing(path: PropertyPath): Complaint {
    const parent = path.slice(0, -1);
    const place = parent.length === 0 ? '' : ` in ${showPath(parent)}`;
    const key = path.at(-1) as string;
    const code = key === 'origins' ? 'config/no-origins' : 'config/missing';
    return { code, message: `${JSON.stringify(key)} is missing${place}`, path: parent, at: 'key', missing: key };
  }

  #outOfRange(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>, path: PropertyPath): Complaint {
    if (issue.origin === 'array') {
      const code = path.at(-1) === 'origins' ? 'config/no-origins' : 'config/bad-value';
      return { code, message: this.#say(path, 'the list is empty'), path };
    }
    if (issue.origin === 'string') {
      return { code: 'config/bad-value', message: this.#say(path, 'the text is empty'), path };
    }
    const bound = issue.code === 'too_small' ? issue.minimum : issue.maximum;
    const words = issue.code === 'too_small' ? ['at least', 'more than'] : ['at most', 'less than'];
    const text = `expected ${issue.inclusive === false ? words[1] : words[0]} ${String(bound)}`;
    return { code: 'config/out-of-range', message: this.#say(path, text), path };
  }

  /** `upstreams.app.balance: expected …, not …; did you mean …?` */
  #say(path: PropertyPath, text: string, meant?: string, found = this.#shown(path)): string {
    const place = path.length === 0 ? '' : `${showPath(path)}: `;
    const but = text.startsWith('expected ') ? `, not ${found}` : '';
    return `${place}${text}${but}${meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`}`;
  }

  #shown(path: PropertyPath): string {
    return this.#isSecret(path) ? 'what is there' : showValue(this.#valueAt(path));
  }

  #valueAt(path: PropertyPath): unknown {
    let value = this.#input;
    for (const part of path) value = (value as Record<string | number, unknown> | null | undefined)?.[part];
    return value;
  }
}

/** A value as it can stand in a message: short, and on one line. */
export function showValue(value: unknown): string {
  if (value === null) return 'nothing';
  if (value === undefined) return 'undefined';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof RegExp) return String(value);
  if (typeof value === 'string')
    return value.length <= 60 ? JSON.stringify(value) : `${JSON.stringify(value.slice(0, 60))}…`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** `a`, `a or b`, `a, b or c`. */
function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function codeFor(message: string): ProblemCode {
  return /^expected at (?:least|most) /.test(message) ? 'config/out-of-range' : 'config/bad-value';
}

/** The member of a union that the value was meant for: one whose type it has. Of several, the one with the least to say. */
function bestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return branches.filter(fits).toSorted((a, b) => a.length - b.length)[0];
}

function fits(issues: readonly Issue[]): boolean {
  return issues.every((issue) => {
    if (issue.path.length > 0) return true;
    if (issue.code === 'invalid_union') return bestBranch(issue.errors) !== undefined;
    // Conditions in code say themselves that the type is another one.
    if (issue.code === 'custom') return issue.params?.['misfit'] !== true;
    return issue.code !== 'invalid_type' && issue.code !== 'invalid_value';
  });
}

function valuesOf(schema: z.ZodType): (string | number | boolean)[] {
  if (schema instanceof z.ZodEnum) return schema.options;
  return schema instanceof z.ZodLiteral ? ([...schema.values] as string[]) : [];
}

function typeOf(schema: z.ZodType): string[] {
  const name = TYPES[schema instanceof z.ZodNumber && schema.isInt ? 'int' : schema.type];
  return name === undefined ? [] : [name];
}

function shapeOf(schema: z.ZodType): object {
  return schema instanceof z.ZodObject ? schema.shape : {};
}

/** Each place once, and those that are kinds of one thing together: `check (type: http or scgi)`. */
function places(all: readonly string[]): string[] {
  const kinds = new Map<string, string[]>();
  for (const place of new Set(all)) {
    const [, before = place, kind] = /^(.* \(\w+: )(\w[\w-]*)\)$/.exec(place) ?? [];
    const list = kinds.get(before) ?? [];
    if (kind !== undefined) list.push(kind);
    kinds.set(before, list);
  }
  return [...kinds].map(([before, list]) => (list.length === 0 ? before : `${before}${oneOf(list)})`));
}
