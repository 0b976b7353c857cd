import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

export const benchDir = fileURLToPath(new URL('.', import.meta.url));
export const rootDir = fileURLToPath(new URL('..', import.meta.url));

/** Debian keeps servers in sbin, which an ordinary user's PATH leaves out. */
const extraPlaces = ['/usr/sbin', '/usr/local/sbin', '/sbin'];

export function findProgram(name: string): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(':'), ...extraPlaces];
  return places.map((place) => join(place, name)).find(isExecutable);
}

/** All Node subjects run on the same Node: the one the project installs, or else the one that runs the benchmark. */
export function nodeProgram(): string {
  const own = join(rootDir, 'node_modules/.bin/node');
  return isExecutable(own) ? own : process.execPath;
}

/** First line that a version command prints on either stream. */
export function versionOf(program: string, option: string): string {
  const shell = `"$0" ${option} 2>&1 | head -n 1`;
  return execFileSync('/bin/sh', ['-c', shell, program], { encoding: 'utf8' }).trim();
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
