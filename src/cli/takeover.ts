import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import type { Config } from '../config/config.ts';

/** `st` of a listening socket in /proc/net/tcp (include/net/tcp_states.h). */
const LISTENING = '0A';

/**
 * The processes that listen on the TCP ports of this config, as far as they are sluices: whose place is to be taken.
 * Found by what they listen on, so there is no pid file to go stale. Linux only; who shares an address must be of the
 * same user, whose processes can be looked at.
 */
export async function predecessors(config: Config): Promise<number[]> {
  const ports = new Set(config.listen.map(({ address }) => (address.kind === 'tcp' ? address.port : 0)));
  ports.delete(0);
  const sockets = await listening();
  return sluicesWith(new Set(sockets.filter(({ port }) => ports.has(port)).map(({ socket }) => socket)));
}

/**
 * Those of them that listen on an address that this process listens on as well, now that it does: another sluice may have
 * the same port of another address, and a pid may be somebody else's by now.
 */
export async function companions(among: readonly number[]): Promise<number[]> {
  const sockets = await listening();
  const own = await socketsOf(process.pid);
  const shared = new Set(sockets.filter(({ socket }) => own.has(socket)).map(({ address }) => address));
  const found = await sluicesWith(
    new Set(sockets.filter(({ address }) => shared.has(address)).map(({ socket }) => socket)),
  );
  return found.filter((pid) => among.includes(pid));
}

/** The sluices, of the same user and other than this process, that have one of these sockets. */
async function sluicesWith(sockets: ReadonlySet<string>): Promise<number[]> {
  if (sockets.size === 0) return [];
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid || !(await isOurs(pid))) continue;
    if ([...(await socketsOf(pid))].some((one) => sockets.has(one)) && (await isSluice(pid))) found.push(pid);
  }
  return found;
}

/** A socket that listens. */
interface Listening {
  /** As the links in /proc/PID/fd name it. */
  readonly socket: string;
  /** Family, address and port, in the system's own spelling. */
  readonly address: string;
  readonly port: number;
}

async function listening(): Promise<Listening[]> {
  const tables = ['tcp', 'tcp6'].map(async (table) => {
    const text = await readOr(`/proc/net/${table}`, '');
    return text
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state]) => state === LISTENING)
      .map(([, local, , , , , , , , inode]) => ({
        socket: `socket:[${inode}]`,
        address: `${table} ${local}`,
        port: Number.parseInt(local.split(':')[1] ?? '', 16),
      }));
  });
  return (await Promise.all(tables)).flat();
}

async function socketsOf(pid: number): Promise<Set<string>> {
  const folder = `/proc/${pid}/fd`;
  const descriptors = await readdir(folder).catch(() => []);
  const targets = await Promise.all(descriptors.map((one) => readlink(`${folder}/${one}`).catch(() => '')));
  return new Set(targets.filter((target) => target.startsWith('socket:')));
}

/** Root sees everybody's processes. */
async function isOurs(pid: number): Promise<boolean> {
  const { uid } = await stat(`/proc/${pid}`).catch(() => ({ uid: -1 }));
  return uid === process.geteuid?.();
}

/** A signal must not go to another program that happens to share the port. */
async function isSluice(pid: number): Promise<boolean> {
  const words = (await readOr(`/proc/${pid}/cmdline`, '')).split('\0');
  return words.some((word) => /(?:^|\/)(?:sluice(?:\.js)?|cli\.[jt]s)$/.test(word)) && words.includes('run');
}

async function readOr(path: string, otherwise: string): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch {
    return otherwise;
  }
}
