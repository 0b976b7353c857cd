/** docs/options.md: every option of the config, from the schemas that check it. */
import { z } from 'zod';
import { configNames } from '../../src/config/load.ts';
import { configSchema } from '../../src/config/schema.ts';
import { badgeOf, core, forms, metaOf } from '../../src/config/schema-walk.ts';

export const page = 'docs/options.md';

const INTRODUCTION = `# Options

<!-- Made by \`npm run docs\` from the schemas in src/*/options.ts. Do not edit. -->

A config is a file called ${configNames.map((name) => `\`${name}\``).join(', ')}, or any other file that is given to \`sluice run\`.
In TypeScript and JavaScript it is the default export. Everything has a default, but an upstream needs \`origins\`.
An option that is not listed here, or a value that does not fit, is an error; \`sluice check\` tells all of them at once.

- **duration**: \`250ms\`, \`30s\`, \`1.5m\`, \`1h\`, \`1d\`; a number without a unit is milliseconds.
- **size**: \`512\`, \`64KiB\`, \`10MiB\`, \`1GiB\` (powers of 1024), \`10MB\` (powers of 1000); a number without a unit is bytes.
- **off**: no limit.

Keys of the top level that start with \`x-\` are yours: a place for YAML anchors.
`;

interface Section {
  readonly path: string;
  readonly about: string;
  readonly object: z.ZodObject;
}

export function render(): string {
  const sections = [...below({ path: '', about: '', object: configSchema })];
  const places = new Set(sections.map(({ path }) => path));
  return `${INTRODUCTION}\n${sections.map((section) => renderSection(section, places)).join('\n')}`;
}

/** A section, then those of the objects in it. */
function* below(section: Section): Generator<Section> {
  yield section;
  for (const [key, option] of entries(section.object)) {
    for (const [path, object] of objectsIn(option, section.path === '' ? key : `${section.path}.${key}`)) {
      const { sameAs, form } = metaOf(object);
      if (sameAs !== undefined || form !== undefined) continue;
      const badge = badgeOf(object);
      const about = badge === undefined ? (option.description ?? '') : badge.about;
      yield* below({ path: badge === undefined ? path : `${path}: ${badge.names[0]}`, about, object });
    }
  }
}

/** The objects that an option may hold, with their paths. */
function objectsIn(option: z.ZodType, path: string): [path: string, object: z.ZodObject][] {
  const found: [string, z.ZodObject][] = forms(option).flatMap((form): [string, z.ZodObject][] => {
    if (form instanceof z.ZodObject) return [[path, form]];
    if (form instanceof z.ZodArray) return objectsIn(form.element as z.ZodType, `${path}[]`);
    return form instanceof z.ZodRecord ? objectsIn(form.valueType as z.ZodType, `${path}.NAME`) : [];
  });
  // An option that takes one or a list has the object twice.
  return found.filter(([, object], i) => found.findIndex(([, other]) => other === object) === i);
}

function renderSection({ path, about, object }: Section, places: ReadonlySet<string>): string {
  const title = path === '' ? 'Top level' : `\`${path}\``;
  const rows = entries(object)
    .filter(([, option]) => !(option instanceof z.ZodLiteral))
    .map(([key, option]) => row(path === '' ? key : `${path}.${key}`, key, option, places));
  const table =
    rows.length === 0 ? 'No options.\n' : `| Option | Takes | Default | |\n|---|---|---|---|\n${rows.join('')}`;
  return `## ${title}\n\n${about === '' ? '' : `${about}\n\n`}${table}`;
}

function row(path: string, key: string, option: z.ZodType, places: ReadonlySet<string>): string {
  const cells = [
    `\`${key}\``,
    takes(option),
    fallback(option),
    `${option.description ?? ''}${link(path, option, places)}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
}

/** To the section that has the options of an object. */
function link(path: string, option: z.ZodType, places: ReadonlySet<string>): string {
  const same = forms(option)
    .map((form) => metaOf(form)['sameAs'])
    .find((one) => typeof one === 'string');
  const wanted = same ?? [...places].find((place) => [path, `${path}.NAME`, `${path}[]`].includes(place));
  if (wanted === undefined) return '';
  return ` See [\`${wanted}\`](#${anchor(wanted)}).`;
}

/** As GitHub makes them from headings. */
function anchor(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

/** What a value may be, in words. */
function takes(option: z.ZodType): string {
  const { unit, off, values } = metaOf(option);
  if (typeof unit === 'string') return `${unit === 'count' ? 'whole number' : unit}${off === false ? '' : ', `off`'}`;
  const inner = core(option);
  if (inner instanceof z.ZodUnion) {
    const members = inner.options as z.ZodType[];
    const list = members.find((member) => core(member) instanceof z.ZodArray);
    const single = members.filter((member) => member !== list);
    const words = [...new Set(single.map(takes).filter((word) => word !== ''))].join(', ');
    return list === undefined || single.length === 0 ? words : `${words}; or a list`;
  }
  if (Array.isArray(values)) return `${values.map(code).join(', ')}, a path`;
  return word(inner);
}

function word(schema: z.ZodType): string {
  if (schema instanceof z.ZodEnum) return schema.options.map(code).join(', ');
  if (schema instanceof z.ZodLiteral) return [...schema.values].map(code).join(', ');
  if (schema instanceof z.ZodArray) return `list of ${takes(schema.element as z.ZodType)}`;
  if (schema instanceof z.ZodNumber) return schema.isInt ? 'whole number' : 'number';
  if (schema instanceof z.ZodString) return 'text';
  if (schema instanceof z.ZodBoolean) return '`true`, `false`';
  if (schema instanceof z.ZodRecord) return 'object';
  if (schema instanceof z.ZodObject)
    return typeof schema.meta()?.['form'] === 'string' ? code(schema.meta()?.['form']) : 'object';
  return schema.meta()?.['scriptOnly'] === true ? 'RegExp' : '';
}

function fallback(option: z.ZodType): string {
  const { shownDefault } = metaOf(option);
  if (shownDefault !== undefined) return code(shownDefault);
  if (option instanceof z.ZodDefault) {
    const { defaultValue } = option.def;
    const empty =
      defaultValue === '' || (typeof defaultValue === 'object' && Object.keys(defaultValue ?? {}).length === 0);
    return empty ? '' : code(defaultValue);
  }
  return option.safeParse(undefined).success ? '' : '**needed**';
}

function code(value: unknown): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function entries(object: z.ZodObject): [string, z.ZodType][] {
  return Object.entries(object.shape);
}
