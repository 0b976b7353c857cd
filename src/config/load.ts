import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { check, problemAt, type Checked } from './check.ts';
import { readJson } from './json.ts';
import { nearest } from './nearest.ts';
import type { Source } from './place.ts';
import type { Problem, ProblemCode } from './problems.ts';
import type { Reading } from './reading.ts';
import { readWhole, type Whole } from './whole.ts';
import { runScript } from './script-run.ts';
import { placesInScript } from './script.ts';

const SCRIPTS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'];
const YAML = ['.yaml', '.yml'];

/** The names a config has when nobody gives one, in the order they are spoken of. */
export const configNames: readonly string[] = ['ts', 'mts', 'js', 'mjs', 'yaml', 'yml', 'json'].map(
  (end) => `sluice.config.${end}`,
);

/**
 * Reads and checks the config in a file: a script by `import()`, whose default export is the config, YAML or JSON by
 * the end of its name. Of a folder, the config in it. `file` is what problems call it.
 */
export async function load(file: string): Promise<Checked> {
  const end = extname(file);
  let read: Whole;
  try {
    const status = await stat(file);
    if (status.isDirectory()) {
      const found = await findConfig(file);
      return typeof found === 'string' ? await load(found) : found;
    }
    // A named pipe would keep whoever reads it waiting for ever.
    if (!status.isFile()) return failed(problem('config/unreadable', 'it is no file', file));
    read = await readWhole(file);
  } catch (error) {
    return failed(await fileProblem(file, error as NodeJS.ErrnoException));
  }
  if ('message' in read) return failed(problem('config/unreadable', read.message, file));
  const { text, changed } = read;
  if (SCRIPTS.includes(end)) return loadScript(file, text, changed);
  if (YAML.includes(end)) return checkReading(file, text, (await import('./yaml.ts')).readYaml);
  if (end === '.json') return checkReading(file, text, readJson);
  const message = 'the end of the name does not tell the format: .ts, .mts, .js, .mjs, .yaml, .yml and .json do';
  return failed(problem('config/unknown-format', message, file));
}

/** The config of a folder, by its usual names. */
export async function findConfig(folder: string): Promise<string | Extract<Checked, { config?: undefined }>> {
  const there = await names(folder);
  const found = configNames.filter((name) => there.includes(name));
  const [only] = found;
  const place = relative('', folder) === '' ? 'this folder' : folder;
  if (only === undefined) {
    const near =
      there.find((name) => name.startsWith('sluice.conf')) ?? there.find((name) => /^\.?sluice\b.*\.\w+$/.test(name));
    const hint = near === undefined ? '' : `; is ${near} meant? Give its name`;
    return failed(problem('config/not-found', `no config in ${place}: it is called ${listNames()}${hint}`));
  }
  if (found.length === 1) return join(folder, only);
  return failed(
    problem('config/ambiguous-file', `${place} has ${found.join(' and ')}: give the name of one, or remove the other`),
  );
}

/** Checks the text of a config in YAML or JSON that came by another way than a file. */
export async function loadText(text: string): Promise<Checked> {
  const json = text.trimStart().startsWith('{');
  return checkReading('(sent)', text, json ? readJson : (await import('./yaml.ts')).readYaml);
}

function checkReading(file: string, text: string, read: (text: string) => Reading): Checked {
  const { value, root, problems } = read(text);
  const source: Source = { file, text, root };
  if (root !== undefined) return check(value, source, problems);
  return { problems: problems.map((one) => problemAt(one, source)) as [Problem, ...Problem[]] };
}

async function loadScript(file: string, text: string, changed: number): Promise<Checked> {
  const url = pathToFileURL(resolve(file));
  // A query makes Node read a changed file again; the modules it imports are not.
  url.search = `?${Math.round(changed)}`;
  const ran = await runScript(url.href, text);
  if ('message' in ran) return { problems: [problemAt(ran, { file, text })] };
  return check(ran.value, { file, text, root: placesInScript(text) });
}

async function fileProblem(file: string, error: NodeJS.ErrnoException): Promise<Problem> {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    const near = nearest(basename(file), await names(dirname(file)));
    const hint = near === undefined ? '' : `; did you mean ${join(dirname(file), near)}?`;
    return problem('config/not-found', `there is no file ${file}${hint}`);
  }
  const why = error.code === 'EACCES' || error.code === 'EPERM' ? 'no permission to read it' : error.message;
  return problem('config/unreadable', why, file);
}

/** What is in a folder; nothing when it cannot be read. */
async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}

function listNames(): string {
  return `sluice.config.{${configNames.map((name) => extname(name).slice(1)).join(',')}}`;
}

function problem(code: ProblemCode, message: string, file?: string): Problem {
  return file === undefined ? { code, message, path: [] } : { code, message, path: [], file };
}

function failed(one: Problem): Extract<Checked, { config?: undefined }> {
  return { problems: [one] };
}
