import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Account } from './place.ts';
import type { SpawnOptions } from './options.ts';
import { Unfit } from './unfit.ts';

/**
 * Who a child is to run as; `null`: as sluice. Rejects with what is wrong, as `Unfit`: there is no such user or group, or sluice is
 * not root. `id` is asked for users, because they need not be in /etc/passwd.
 *
 * @param ahead whether it will be root when it matters is not asked
 */
export async function accountOf(
  { user, group }: Partial<Pick<SpawnOptions, 'user' | 'group'>>,
  ahead = false,
): Promise<Account | null> {
  if (user === undefined && group === undefined) return null;
  if (!ahead && process.getuid?.() !== 0) {
    throw new Unfit('`user` and `group`: only root can start a process as somebody else');
  }
  const uid = user === undefined ? 0 : await number('-u', user);
  const gid = group === undefined ? await groupOf(user ?? 0) : await groupNumber(group);
  return { uid, gid };
}

/** The group of a user; a number without an entry has a group of the same number. */
async function groupOf(user: string | number): Promise<number> {
  try {
    return await id('-g', String(user));
  } catch (error) {
    if (/^\d+$/.test(String(user))) return Number(user);
    throw error;
  }
}

async function number(what: '-u', user: string | number): Promise<number> {
  return /^\d+$/.test(String(user)) ? Number(user) : id(what, String(user));
}

function id(what: '-u' | '-g', user: string): Promise<number> {
  return new Promise((resolve, reject) => {
    execFile('id', [what, '--', user], (error, output) => {
      const found = output.trim();
      if (error === null && /^\d+$/.test(found)) resolve(Number(found));
      else reject(new Unfit(`there is no user ${JSON.stringify(user)} (see \`id ${user}\`)`));
    });
  });
}

async function groupNumber(group: string | number): Promise<number> {
  if (/^\d+$/.test(String(group))) return Number(group);
  const groups = await readFile('/etc/group', 'utf8').catch(() => '');
  const line = groups.split('\n').find((one) => one.startsWith(`${group}:`));
  const found = Number(line?.split(':')[2]);
  if (line === undefined || !Number.isInteger(found)) {
    throw new Unfit(`there is no group ${JSON.stringify(group)} in /etc/group: write its number`);
  }
  return found;
}
