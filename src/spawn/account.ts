/** Who programs run as. */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * The numbers of a user and a group, as spawn(2) wants them, from the text of /etc/passwd and /etc/group (passwd(5),
 * group(5)). Names that only LDAP or the like know have to be given as numbers.
 *
 * @returns or why there are none
 */
export function accountOf(user: string, group: string, passwd: string, groups: string): Account | string {
  const own = user === '' ? undefined : find(passwd, user);
  if (user !== '' && own === undefined && !isNumber(user)) return `no user ${user} in /etc/passwd`;
  const uid = user === '' ? undefined : Number(own?.[2] ?? user);
  if (group === '') {
    if (own === undefined && uid !== undefined) return `user ${user} is not in /etc/passwd: say which group as well`;
    return uid === undefined ? {} : { uid, gid: Number(own?.[3]) };
  }
  const gid = find(groups, group)?.[2] ?? (isNumber(group) ? group : undefined);
  if (gid === undefined) return `no group ${group} in /etc/group`;
  return uid === undefined ? { gid: Number(gid) } : { uid, gid: Number(gid) };
}

const isNumber = (text: string): boolean => /^\d{1,10}$/.test(text);

/** The line of this name, or of this number. */
function find(text: string, name: string): string[] | undefined {
  const lines = text.split('\n').map((line) => line.split(':'));
  const whole = lines.filter(([, , number]) => number !== undefined && isNumber(number));
  return whole.find(([first]) => first === name) ?? whole.find(([, , number]) => isNumber(name) && number === name);
}
