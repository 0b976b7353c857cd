/**
 * `npm run docs`: writes the pages of docs/ that are generated from the source's own tables.
 * `npm run docs -- --check`: fails when a committed page is not what would be written.
 *
 * Each file of scripts/docs/ makes one page: it exports `page`, the path it writes, and `render()`, the text.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './tools.ts';

interface Page {
  readonly page: string;
  readonly render: () => string | Promise<string>;
}

const folder = join(root, 'scripts', 'docs');
const check = process.argv.includes('--check');
let stale = 0;

const generators = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.ts')) : [];
if (generators.length === 0) console.log('scripts/docs/ holds no generator: nothing to write');
for (const name of generators.toSorted()) {
  const { page, render } = (await import(pathToFileURL(join(folder, name)).href)) as Page;
  const path = join(root, page);
  const text = await render();
  const before = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  if (before === text) {
    console.log(`${page} is up to date`);
  } else if (check) {
    stale++;
    console.log(`${page} ${before === undefined ? 'is missing' : 'is stale'}: run \`npm run docs\` and commit it`);
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    console.log(`${page} written`);
  }
}
if (stale > 0) process.exitCode = 1;
