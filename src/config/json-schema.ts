import { z } from 'zod';
import { parseCount, parseDuration, parseSize } from '../core/units.ts';
import { configSchema } from './schema.ts';

type Node = Record<string, unknown>;

/** What the schemas say to other parts of this program, and editors need not know. */
const OURS = [
  'shownDefault',
  'unit',
  'wanted',
  'least',
  'most',
  'off',
  'aliases',
  'values',
  'secret',
  'sameAs',
  'form',
];

/** Text forms of numbers with units; loose where an editor need not be strict. */
const PATTERNS: Readonly<Record<string, string>> = {
  duration: '^(?:off|none|\\s*[0-9]+(?:\\.[0-9]+)?\\s*[A-Za-z]*\\s*)$',
  size: '^(?:off|none|\\s*[0-9]+(?:\\.[0-9]+)?\\s*[A-Za-z]*\\s*)$',
  count: '^(?:off|none|[0-9]+)$',
};

const parsers: Readonly<Record<string, (value: string | number) => number | undefined>> = {
  duration: parseDuration,
  size: parseSize,
  count: parseCount,
};

/**
 * The config's JSON Schema (draft 2020-12) for editors: what they check and complete in YAML and JSON while it is typed.
 * It takes every good config; it cannot tell everything that `check` can.
 */
export function jsonSchema(): Record<string, unknown> {
  const made = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Node;
  const { $schema, ...rest } = clean(made);
  // As in `check`: keys with x- are the user's own.
  return { $schema, title: 'sluice configuration', ...rest, patternProperties: { '^x-': {} } };
}

function clean(node: Node): Node {
  const made: Node = {};
  for (const [key, value] of Object.entries(node)) {
    if (OURS.includes(key)) continue;
    if (key === 'properties') {
      made[key] = Object.fromEntries(
        Object.entries(value as Record<string, Node>).map(([name, one]) => [name, clean(one)]),
      );
    } else if (key === 'anyOf' || key === 'oneOf' || key === 'allOf') {
      const members = (value as Node[]).filter((one) => one['scriptOnly'] !== true).map(clean);
      if (members.length === 1) Object.assign(made, members[0]);
      else made[key] = members;
    } else if (isNode(value) && ['items', 'additionalProperties', 'propertyNames'].includes(key)) {
      made[key] = clean(value);
    } else {
      made[key] = value;
    }
  }
  const { unit, shownDefault, least, off } = node;
  if (shownDefault !== undefined) made['default'] = shownDefault;
  if (typeof unit === 'string') {
    made['pattern'] = off === false ? PATTERNS[unit].replace('off|none|', '') : PATTERNS[unit];
    made['minimum'] = parsers[unit]?.((least ?? 0) as string | number) ?? 0;
  }
  return made;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
