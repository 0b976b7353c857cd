import { readdir, readFile, readlink } from 'node:fs/promises';
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
  const sockets = new Set((await Promise.all(['tcp', 'tcp6'].map((table) => listening(table, ports)))).flat());
  if (sockets.size === 0) return [];
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if ((await holds(pid, sockets)) && (await isSluice(pid))) found.push(pid);
  }
  return found;
}

/** The inodes of sockets that listen on one of these ports. */
async function listening(table: string, ports: ReadonlySet<number>): Promise<string[]> {
  const text = await readOr(`/proc/net/${table}`, '');
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, local = '', , state]) => state === LISTENING && ports.has(Number.parseInt(local.split(':')[1] ?? '', 16)),
    )
    .map((columns) => `socket:[${columns[9] ?? ''}]`);
}

async function holds(pid: number, sockets: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  const descriptors = await readdir(folder).catch(() => []);
  for (const one of descriptors) {
    const target = await readlink(`${folder}/${one}`).catch(() => '');
    if (sockets.has(target)) return true;
  }
  return false;
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
