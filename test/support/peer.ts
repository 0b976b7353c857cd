/**
 * Real programs as the other side of a test: nginx, haproxy, php-fpm, curl … A machine without one skips the test and says
 * so; with SLUICE_INTEROP=required, as in CI, the test fails instead.
 */
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';

/** Where Debian keeps servers, often outside a user's PATH. */
const SERVERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The part of TestContext that is needed here. */
type Skippable = Pick<TestContext, 'skip'>;

/** The path of a program: exactly `name`, or else the newest `name` with a version behind it, as in `php-fpm8.2`. */
export function peer(name: string, path: string = process.env['PATH'] ?? ''): string | undefined {
  const folders = [...new Set([...path.split(delimiter).filter((folder) => folder !== ''), ...SERVERS])];
  const exact = folders.map((folder) => join(folder, name)).find(runnable);
  if (exact !== undefined) return exact;
  return folders
    .flatMap((folder) => versions(folder, name))
    .toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .find(runnable);
}

/**
 * The path of the program, or undefined when it is not here; the test is then skipped, so return at once:
 *
 *     const nginx = skipUnless(t, 'nginx');
 *     if (nginx === undefined) return;
 */
export function skipUnless(t: Skippable, name: string, path?: string): string | undefined {
  const found = peer(name, path);
  if (found !== undefined) return found;
  if (process.env['SLUICE_INTEROP'] === 'required') {
    throw new Error(`missing peer: ${name} is not installed, and SLUICE_INTEROP=required; bash .ci/peers installs it`);
  }
  t.skip(`missing peer: ${name} is not installed; bash .ci/peers installs it`);
  return undefined;
}

function versions(folder: string, name: string): string[] {
  try {
    return readdirSync(folder)
      .filter((entry) => entry.startsWith(name) && /^-?\d[\d.]*$/.test(entry.slice(name.length)))
      .map((entry) => join(folder, entry));
  } catch {
    return [];
  }
}

function runnable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
