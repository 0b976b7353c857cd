/**
 * The walls of the house, as data and as one function that finds the breaches. Everything is checked on (path, text) pairs,
 * so the checker has tests of its own.
 */
import { posix } from 'node:path';
import { blank, imports, lineOf, type Import } from './source.ts';

/** Paths are from the repository's root with forward slashes: `src/core/clock.ts`. */
export type Sources = ReadonlyMap<string, string>;

export interface Breach {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly cure: string;
}

interface Room {
  /** What a file of this room may import at run time, beside its own room: path prefixes below src/. */
  readonly from: readonly string[];
  /** The same for `import type`. */
  readonly types?: readonly string[];
  /** npm packages. */
  readonly packages?: readonly string[];
  /** `node:` modules at run time; `import type` from them is free everywhere. */
  readonly node: readonly string[] | 'any but sockets';
}

/** `node:` modules that compute and touch nothing outside the process. */
const PURE = ['buffer', 'crypto', 'path', 'querystring', 'string_decoder', 'url', 'util'];

export const ROOMS: Readonly<Record<string, Room>> = {
  core: { from: [], node: ['buffer'] },
  wire: { from: ['core/'], node: PURE },
  balance: { from: ['core/'], packages: ['zod'], node: PURE },
  codec: { from: ['core/'], packages: ['zod'], node: PURE },
  // A check asks through the codec that requests go through.
  check: { from: ['core/', 'route/regex.ts', 'codec/'], packages: ['zod'], node: 'any but sockets' },
  route: { from: ['core/', 'codec/cgi/options.ts'], packages: ['zod', 're2js'], node: PURE },
  rewrite: { from: ['core/'], packages: ['zod'], node: PURE },
  observe: {
    from: ['core/'],
    types: ['control/views.ts'],
    packages: ['zod', '@opentelemetry/api'],
    node: 'any but sockets',
  },
  spawn: { from: ['core/'], types: ['observe/messages.ts'], packages: ['zod', 'chokidar'], node: 'any but sockets' },
  files: { from: ['core/'], packages: ['zod'], node: 'any but sockets' },
  listen: { from: ['core/', 'wire/', 'codec/http1', 'codec/h2'], packages: ['zod'], node: 'any but sockets' },
  upstream: {
    from: [
      'core/',
      'wire/',
      'balance/balancer.ts',
      'codec/codec.ts',
      'codec/cgi/options.ts',
      'spawn/children/options.ts',
    ],
    packages: ['zod'],
    node: 'any but sockets',
  },
  discover: {
    from: ['core/'],
    types: ['upstream/options.ts'],
    packages: ['zod', 'dns-packet'],
    node: 'any but sockets',
  },
  proxy: {
    from: ['core/', 'route/', 'rewrite/', 'upstream/', 'observe/'],
    types: ['listen/', 'codec/cgi/options.ts'],
    node: PURE,
  },
  threads: {
    from: ['core/', 'observe/spans.ts', 'data-plane.ts'],
    types: ['config/', 'control/', 'observe/', 'upstream/'],
    node: 'any but sockets',
  },
  control: {
    // explain.ts runs a request through the pure parts of the line; the rest of the room needs only core/.
    from: ['core/', 'codec/', 'route/', 'rewrite/', 'balance/', 'upstream/key.ts', 'upstream/tls/identity.ts'],
    types: ['config/'],
    packages: ['chokidar', 'zod'],
    node: 'any but sockets',
  },
  admin: {
    from: [
      'core/',
      'control/control.ts',
      'control/views.ts',
      'listen/address.ts',
      // Reading JSON with places, and "did you mean": the same as for configs.
      'config/json.ts',
      'config/nearest.ts',
      'config/place.ts',
    ],
    packages: ['zod'],
    node: 'any but sockets',
  },
  config: {
    from: ['core/', '*/index.ts', '*/options.ts', 'codec/cgi/options.ts'],
    packages: ['zod', 'yaml'],
    node: 'any but sockets',
  },
};

/** The files straight below src/ may import everything: they put the rooms together. A folder src/cli/ is part of cli.ts. */
const composition = (here: string): boolean => PARTS.includes(here) || command(here);

const PARTS = [
  'index.ts',
  'sluice.ts',
  'data-plane.ts',
  'plane-upstreams.ts',
  'planes.ts',
  'shared-state.ts',
  'discovery.ts',
  'checks.ts',
  'children.ts',
  'administration.ts',
  'operator.ts',
  'figures.ts',
  'protocols.ts',
  'room-options.ts',
  'version.ts',
];

const command = (here: string): boolean => here === 'cli.ts' || here.startsWith('cli/');

/** Modules by which a program reaches others, and who may use them. */
const GUARDED: readonly {
  readonly modules: readonly string[];
  readonly what: string;
  readonly where: readonly string[];
}[] = [
  {
    modules: ['tls'],
    what: 'TLS is spoken',
    // The last one opens nothing: it has certificates read, and judges them.
    where: ['listen/', 'upstream/dial.ts', 'upstream/tls/security.ts'],
  },
  {
    modules: ['net', 'http', 'https', 'http2', 'dgram'],
    what: 'sockets are opened',
    where: ['listen/', 'upstream/dial.ts', 'discover/dns-client.ts', 'check/', 'admin/', 'spawn/children/'],
  },
  { modules: ['child_process', 'cluster'], what: 'processes are started', where: ['spawn/'] },
  { modules: ['worker_threads'], what: 'threads are started', where: ['threads/'] },
];

/** Where time, timers and randomness may be touched, beside core/clock.ts, each with its reason. */
export const TIME_EXCEPTIONS: Readonly<Record<string, string>> = {};

const TIME =
  /(?<![.\w$])(?:setTimeout|setInterval|setImmediate)\b|\bglobalThis\.set(?:Timeout|Interval|Immediate)\b|\bDate\.now\b|\bnew\s+Date\s*(?:\(\s*\)|(?![\w(\s]))|\bMath\.random\b|\bperformance\.now\b|\bprocess\.hrtime\b/g;
const TIME_MODULES = ['timers', 'timers/promises'];

/** Folders of plug-ins: the list they are on, and the interface they implement. */
const PLUG_INS: readonly { readonly folder: string; readonly list: string; readonly contract: string }[] = [
  { folder: 'src/balance/', list: 'src/balance/index.ts', contract: 'src/balance/balancer.ts' },
  { folder: 'src/check/', list: 'src/check/index.ts', contract: 'src/check/check.ts' },
  { folder: 'src/codec/', list: 'src/codec/index.ts', contract: 'src/codec/codec.ts' },
  { folder: 'src/rewrite/', list: 'src/rewrite/index.ts', contract: 'src/rewrite/pass.ts' },
  { folder: 'src/route/matchers/', list: 'src/route/index.ts', contract: 'src/route/matcher.ts' },
];

const LONG = 350;
export const TOO_LONG = 500;

const isTest = (path: string): boolean => path.endsWith('.test.ts');

/** Every breach of every rule in the given sources; tests may import and time what they like. */
export function breaches(sources: Sources): Breach[] {
  const found: Breach[] = [];
  for (const [file, text] of sources) {
    if (isTest(file)) continue;
    const seen = imports(text);
    for (const one of seen) found.push(...importBreach(file, one));
    found.push(...timeBreaches(file, text, seen), ...sizeBreach(file, text));
  }
  found.push(...unlistedPlugIns(sources));
  return found.toSorted((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

/** Files that are not too long yet, but nearly: path and lines. */
export function longFiles(sources: Sources): [string, number][] {
  return [...sources]
    .filter(([file]) => !isTest(file))
    .map(([file, text]): [string, number] => [file, lines(text)])
    .filter(([, count]) => count > LONG && count <= TOO_LONG)
    .toSorted(([, a], [, b]) => b - a);
}

export function report(breach: Breach): string {
  return `${breach.file}:${breach.line}: ${breach.rule}\n    ${breach.cure}`;
}

function importBreach(file: string, one: Import): Breach[] {
  const here = below(file);
  const breach = (rule: string, cure: string): Breach[] => [{ file, line: one.line, rule, cure }];
  const name = here.split('/')[0] ?? '';
  const composes = composition(here);
  const room = ROOMS[name];

  if (one.specifier.startsWith('node:')) {
    const module = one.specifier.slice('node:'.length);
    if (one.typeOnly) return [];
    const guard = GUARDED.find(({ modules }) => modules.includes(module));
    if (guard !== undefined && !composes) {
      if (guard.where.some((path) => matches(path, here))) return [];
      return breach(
        `imports ${one.specifier}, but ${guard.what} only in ${guard.where.join(', ')}`,
        `Take what you need as an argument (or \`import type\`), and let ${guard.where[0]} make it.`,
      );
    }
    if (composes || room === undefined || room.node === 'any but sockets' || room.node.includes(module)) return [];
    return breach(
      `${name}/ may import of node: only ${room.node.join(', ')}, not ${one.specifier}`,
      `${name}/ is pure: move what reads or waits to a room that may, and pass its result in; \`import type\` is free.`,
    );
  }

  if (one.specifier.startsWith('.')) {
    const path = posix.join(posix.dirname(file), one.specifier);
    if (!path.startsWith('src/'))
      return breach(`imports ${path}, outside src/`, 'Only src/ is published: move the file in.');
    const there = below(path);
    if (composes || (room !== undefined && there.startsWith(`${name}/`))) return [];
    if (room === undefined) return breach(...unknownRoom(name));
    const allowed = [...room.from, ...(one.typeOnly ? (room.types ?? []) : [])];
    if (allowed.some((rule) => matches(rule, there))) return [];
    const asType = room.types?.some((rule) => matches(rule, there)) === true;
    return breach(
      `${name}/ may import ${room.from.length === 0 ? 'no other room' : `only ${room.from.join(', ')}`}, not ${there}`,
      asType
        ? 'Write `import type`: the types may be used here, the code may not.'
        : `Move what both need to core/, or pass it in from sluice.ts; a new rule goes into ROOMS in test/support/architecture.ts, with a line in decisions/.`,
    );
  }

  // A package.
  if (composes) return [];
  if (room === undefined) return breach(...unknownRoom(name));
  const name_ = packageName(one.specifier);
  if (here === 'core/kind.ts' && name_ === 'zod') return [];
  if (room.packages?.includes(name_) === true) return [];
  return breach(
    `${name}/ may import ${room.packages === undefined ? 'no package' : `of packages only ${room.packages.join(', ')}`}, not ${name_}`,
    name === 'core' && name_ === 'zod'
      ? 'Import from core/kind.ts, the one file of core/ that knows zod.'
      : 'A package belongs to one room: use it there, or widen ROOMS in test/support/architecture.ts with a line in decisions/.',
  );
}

function unknownRoom(name: string): [rule: string, cure: string] {
  return [
    `src/${name}${name.endsWith('.ts') ? '' : '/'} has no rule`,
    'Give it a row in ROOMS in test/support/architecture.ts: what it may import, and no more.',
  ];
}

function timeBreaches(file: string, text: string, seen: readonly Import[]): Breach[] {
  const here = below(file);
  if (here === 'core/clock.ts' || file in TIME_EXCEPTIONS || command(here)) return [];
  const imported = seen
    .filter((one) => !one.typeOnly && TIME_MODULES.includes(one.specifier.replace(/^node:/, '')))
    .map(({ line, specifier }) => ({ line, what: `imports ${specifier}` }));
  const named = [...blank(text).matchAll(TIME)]
    .map((match) => ({ line: lineOf(text, match.index), what: `uses ${match[0].trim()}` }))
    .filter(({ line }) => !imported.some((one) => one.line === line));
  return [...imported, ...named].map(({ line, what }) => ({
    file,
    line,
    rule: `${what}, but time, timers and randomness come only from core/clock.ts`,
    cure: 'Take a Clock (core/clock.ts) as an argument, so that tests own time.',
  }));
}

function sizeBreach(file: string, text: string): Breach[] {
  const count = lines(text);
  if (count <= TOO_LONG) return [];
  return [
    {
      file,
      line: TOO_LONG + 1,
      rule: `has ${count} lines; a file has at most ${TOO_LONG}`,
      cure: 'It holds more than one idea: give the second one a file of its own.',
    },
  ];
}

/** In a folder of plug-ins, every file is on the list, or is a part of one that is. */
function unlistedPlugIns(sources: Sources): Breach[] {
  const used = new Set<string>();
  for (const [file, text] of sources) {
    if (isTest(file)) continue;
    for (const one of imports(text)) used.add(posix.join(posix.dirname(file), one.specifier));
  }
  return PLUG_INS.flatMap(({ folder, list, contract }) =>
    [...sources.keys()]
      .filter(
        (file) => file.startsWith(folder) && !isTest(file) && file !== list && file !== contract && !used.has(file),
      )
      .map((file) => ({
        file,
        line: 1,
        rule: `is not in the list ${list}, and no other file uses it`,
        cure: `Add one line to ${list}: a plug-in is one file and one line there.`,
      })),
  );
}

const below = (file: string): string => file.slice('src/'.length);

const lines = (text: string): number => text.split('\n').length - (text.endsWith('\n') ? 1 : 0);

/** `core/` matches all below, `codec/http1` also `codec/http1.ts` and `codec/http1/head.ts`, `*` any one room. */
function matches(rule: string, path: string): boolean {
  if (rule.startsWith('*')) return path.split('/').length === 2 && path.endsWith(rule.slice(1));
  if (rule.endsWith('/') || rule.endsWith('.ts')) return path === rule || (rule.endsWith('/') && path.startsWith(rule));
  return path === `${rule}.ts` || path.startsWith(`${rule}/`) || path.startsWith(`${rule}-`);
}

/** `@scope/name` or `name` of `name/sub/path`. */
function packageName(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier);
}
