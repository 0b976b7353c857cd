import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { readJson } from '../config/json.ts';
import { nearest } from '../config/nearest.ts';
import { position } from '../config/place.ts';
import { Refusal } from './problem.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Whether a request has a body, going by its head. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** The type of the body, lower-cased, without parameters; refuses other charsets than UTF-8, and encodings. */
export function typeOf({ headers }: IncomingMessage, taken: readonly string[]): string {
  const [type = '', ...parameters] = (headers['content-type'] ?? '')
    .split(';')
    .map((part) => part.trim().toLowerCase());
  const charset = parameters.find((part) => part.startsWith('charset='))?.slice('charset='.length);
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Refusal('wrong-type', 'a Content-Encoding is not understood here', { hint: 'Send the body as it is.' });
  }
  if (!taken.includes(type) || (charset !== undefined && !/^"?utf-?8"?$/.test(charset))) {
    const hint = `Send Content-Type: ${taken.join(' or ')}.`;
    throw new Refusal('wrong-type', type === '' ? 'the body has no Content-Type' : undefined, { hint });
  }
  return type;
}

/** The whole body as text. */
export async function readBody(request: IncomingMessage, most: number): Promise<string> {
  const tooLarge = (): Refusal => new Refusal('body-too-large', `a body has at most ${most} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > most) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  // Without `destroyOnReturn` the loop's end by an error would take the connection along, and the answer with it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > most) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return UTF8.decode(Buffer.concat(chunks));
  } catch {
    throw new Refusal('bad-text');
  }
}

/** JSON, strictly: keys given twice are an error, because two readers would take different ones. */
export function parseJson(text: string): unknown {
  const { value, root, problems } = readJson(text);
  const [first] = problems;
  if (first === undefined && root !== undefined) return value;
  const { line, column } = position(text, first?.span ?? { start: 0, end: 0 });
  const why = (first?.message ?? 'not JSON').replace(/^the file holds nothing$/, 'the body is empty');
  throw new Refusal('bad-json', `line ${line}, column ${column}: ${why}`, { line, column });
}

/** Checks against a schema; every fault is told, with the name that was probably meant. */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  given: unknown,
  known: readonly string[],
): z.output<Schema> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const faults = result.error.issues.flatMap((issue) => faultsOf(issue, given, known));
  throw new Refusal('invalid', faults[0] ?? 'invalid', { problems: faults });
}

type Issue = z.core.$ZodIssue;

function faultsOf(issue: Issue, given: unknown, known: readonly string[]): string[] {
  const place = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const meant = nearest(key, known);
      const hint = meant === undefined ? `; known: ${known.join(', ')}` : `; did you mean ${JSON.stringify(meant)}?`;
      return `unknown field ${JSON.stringify(key)}${hint}`;
    });
  }
  const value = issue.path.reduce<unknown>(
    (all, part) => (all as Record<PropertyKey, unknown> | undefined)?.[part],
    given,
  );
  if (value === undefined && place !== '') return [`${JSON.stringify(place)} is missing`];
  return [`${place === '' ? '' : `${place}: `}${inWords(issue)}`];
}

function inWords(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${{ string: 'text', object: 'an object', array: 'a list', int: 'a whole number' }[String(issue.expected)] ?? `a ${issue.expected}`}`;
    case 'invalid_value':
      return `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
    case 'too_small':
      return issue.origin === 'string'
        ? 'the text is empty'
        : `expected ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
    case 'too_big':
      return `expected at most ${issue.maximum}${issue.origin === 'string' ? ' characters' : ''}`;
    case 'invalid_union':
      return 'expected a value of another type';
    default:
      return issue.message;
  }
}
