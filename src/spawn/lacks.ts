import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { accountAskedFor, accountOf } from './account.ts';
import { commandFault } from './children/command.ts';
import type { SpawnOptions } from './children/options.ts';
import type { ProcessOptions } from './options.ts';

/** Something that a config names and this machine has not. */
export interface Lack {
  /** The option that names it, from the part of the config that was asked about. */
  readonly path: readonly (string | number)[];
  readonly what: 'program' | 'folder' | 'account';
  /** `gunicron is not in any folder of PATH` */
  readonly why: string;
  /** What was written, and what is there beside it; `folder` goes before a name. */
  readonly near?: { readonly given: string; readonly names: readonly string[]; readonly folder: string };
  /** What to do where nothing near is meant. */
  readonly cure: string;
}

/** What a child cannot do without. What only its own user may see is taken for there. */
export async function childLacks(options: SpawnOptions): Promise<Lack[]> {
  const { command, cwd, env, user, group, watch } = options;
  const found: Lack[] = [];
  const fault = await commandFault(options);
  if (fault?.option === 'cwd') found.push(await missing(['cwd'], fault.why, cwd ?? '.', 'folder'));
  else if (fault !== undefined && !command.includes('/')) {
    const path = env['PATH'] ?? process.env['PATH'] ?? '';
    found.push({
      path: ['command'],
      what: 'program',
      why: fault.why,
      near: { given: command, names: await programsIn(path), folder: '' },
      cure: 'install it, or write its path',
    });
  } else if (fault !== undefined) {
    found.push(await missing(['command'], fault.why, resolve(cwd ?? '.', command), 'program'));
  }
  for (const [i, one] of watch.entries()) {
    const lack = await pathLack(['watch', i], resolve(cwd ?? '.', one), 'any');
    if (lack !== undefined) found.push(lack);
  }
  for (const [option, value] of Object.entries({ user, group })) {
    if (value === undefined) continue;
    const given = String(value);
    const account = await (option === 'user' ? accountAskedFor(given, '') : accountAskedFor('', given));
    if (typeof account === 'string') found.push(await noAccount(option, given, account));
  }
  return found;
}

/** What the accounts of CGI programs lack. */
export async function processLacks({ user, group }: ProcessOptions): Promise<Lack[]> {
  if (user === '' && group === '') return [];
  const [passwd, groups] = await Promise.all(['/etc/passwd', '/etc/group'].map(text));
  const account = accountOf(user, group, passwd, groups);
  if (typeof account !== 'string') return [];
  const option = account.includes('no group') ? 'group' : 'user';
  return [await noAccount(option, option === 'user' ? user : group, account)];
}

/**
 * A folder, a program or anything else that has to be there.
 *
 * @param path as in `Lack`
 */
export async function pathLack(
  path: Lack['path'],
  file: string,
  kind: 'folder' | 'program' | 'any',
): Promise<Lack | undefined> {
  const what = kind === 'program' ? 'program' : 'folder';
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error) {
    // Whoever it is for may see more than we.
    if (found.code !== 'ENOENT' && found.code !== 'ENOTDIR') return undefined;
    return missing(path, `${file} does not exist`, file, what);
  }
  if (kind === 'folder' && !found.isDirectory()) {
    return { path, what, why: `${file} is no folder`, cure: `write the folder, perhaps ${dirname(file)}` };
  }
  if (kind !== 'program') return undefined;
  if (!found.isFile()) return { path, what, why: `${file} is no file`, cure: 'write the path of a program' };
  return (found.mode & 0o111) !== 0
    ? undefined
    : { path, what, why: `${file} is not executable`, cure: `chmod +x ${file}` };
}

async function missing(path: Lack['path'], why: string, file: string, what: Lack['what']): Promise<Lack> {
  if (what === 'program' && why.endsWith('is not executable')) return { path, what, why, cure: `chmod +x ${file}` };
  const folder = dirname(resolve(file));
  const names = await readdir(folder).catch(() => []);
  const cure = 'it has to be there when requests come';
  return { path, what, why, near: { given: basename(file), names, folder: join(folder, '/') }, cure };
}

async function noAccount(option: string, given: string, why: string): Promise<Lack> {
  const lines = (await text(option === 'user' ? '/etc/passwd' : '/etc/group')).split('\n');
  const names = lines.map((line) => line.split(':', 1)[0]).filter((name) => name !== '');
  const near = { given, names, folder: '' };
  return { path: [option], what: 'account', why, near, cure: `create it, or leave \`${option}\` out` };
}

async function programsIn(path: string): Promise<string[]> {
  const folders = [...new Set(path.split(':'))].filter((folder) => folder !== '');
  const lists = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  return lists.flat();
}

function text(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
