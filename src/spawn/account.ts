import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** Who programs run as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The numbers of a user and a group, as spawn(2) wants them, from the text of /etc/passwd and /etc/group (passwd(5),
 * group(5)). A number that has no entry is a user all the same.
 *
 * @param user '' for whoever sluice runs as
 * @param group '' for the user's own
 * @returns `null` when neither is given, or a text that says why there are none
 */
export function accountOf(user: string, group: string, passwd: string, groups: string): Account | null | string {
  if (user === '' && group === '') return null;
  const own = user === '' ? undefined : find(passwd, user);
  if (user !== '' && own === undefined && !isNumber(user)) return `no user ${user} in /etc/passwd`;
  const uid = user === '' ? (process.getuid?.() ?? 0) : Number(own?.[2] ?? user);
  if (group === '') {
    // Its group is known to somebody else, if at all: to guess one may be to give away files of others.
    if (own === undefined && user !== '') return `user ${user} is not in /etc/passwd: say which group as well`;
    return { uid, gid: Number(own?.[3]) };
  }
  const gid = find(groups, group)?.[2] ?? (isNumber(group) ? group : undefined);
  return gid === undefined ? `no group ${group} in /etc/group` : { uid, gid: Number(gid) };
}

/** The same for whoever may wait: id(1) is asked for users that others than /etc/passwd know, LDAP for one. */
export async function accountAskedFor(user: string, group: string): Promise<Account | null | string> {
  const [passwd = '', groups = ''] = await Promise.all(
    ['/etc/passwd', '/etc/group'].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  if (user === '' || find(passwd, user) !== undefined) return accountOf(user, group, passwd, groups);
  const uid = isNumber(user) ? user : await id('-u', user);
  if (uid === '') return `no user ${user}: neither /etc/passwd nor \`id ${user}\` knows it`;
  // A number that nobody knows has a group of the same number.
  return accountOf(uid, group === '' ? (await id('-g', user)) || uid : group, passwd, groups);
}

function id(what: '-u' | '-g', user: string): Promise<string> {
  return new Promise((resolve) => {
    execFile('id', [what, '--', user], (error, output) => {
      const found = output.trim();
      resolve(error === null && isNumber(found) ? found : '');
    });
  });
}

const isNumber = (text: string): boolean => /^\d{1,10}$/.test(text);

/** The line of this name, or of this number. */
function find(text: string, name: string): string[] | undefined {
  const lines = text.split('\n').map((line) => line.split(':'));
  const whole = lines.filter(([, , number]) => number !== undefined && isNumber(number));
  return whole.find(([first]) => first === name) ?? whole.find(([, , number]) => isNumber(name) && number === name);
}
