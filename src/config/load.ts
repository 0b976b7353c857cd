import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'yaml';
import { check, type Checked } from './check.ts';

export async function load(file: string): Promise<Checked> {
  if (/^\.[mc]?[jt]s$/.test(extname(file))) {
    const module = (await import(pathToFileURL(resolve(file)).href)) as { default: unknown };
    return check(module.default);
  }
  return check(parse(await readFile(file, 'utf8')));
}
