import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Config } from '../config/config.ts';
import { Networks } from '../core/networks.ts';

/** `st` of a listening socket in /proc/net/tcp (include/net/tcp_states.h). */
const LISTENING = '0A';

/** Who listens on the TCP addresses of a config now. */
export interface Holders {
  /** Processes of sluices: whose place can be taken. */
  readonly sluices: readonly number[];
  /** Others, as text: `python3 (process 4711) on port 8080`. */
  readonly strangers: readonly string[];
}

/**
 * Finds who listens on the addresses of this config by the sockets, so there is no pid file to go stale. Linux only. What
 * another user listens on, or somebody in another container, has no process that can be looked at: a stranger.
 */
export async function holders(config: Config): Promise<Holders> {
  const wanted = config.listen
    .map(({ address }) => (address.kind === 'tcp' ? address : { host: '', port: 0 }))
    .filter(({ port }) => port !== 0);
  const sockets = new Map<string, number>();
  const seen = new Set<string>();
  for (const table of ['tcp', 'tcp6'] as const) {
    for (const { host, port, name } of await listening(table)) {
      if (wanted.some((one) => one.port === port && overlap(one.host, host))) sockets.set(name, port);
    }
  }
  const sluices: number[] = [];
  const strangers: string[] = [];
  if (sockets.size === 0) return { sluices, strangers };
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const held = await heldBy(pid, sockets);
    if (held.length === 0) continue;
    if (await isSluice(pid)) sluices.push(pid);
    else strangers.push(`${await nameOf(pid)} (process ${pid}) on port ${sockets.get(held[0])}`);
    // Descriptors that children have inherited lead to more than one process.
    for (const name of held) seen.add(name);
  }
  for (const [name, port] of sockets) {
    if (!seen.has(name)) strangers.push(`a process that cannot be looked at (of another user?) on port ${port}`);
  }
  return { sluices, strangers };
}

interface ListeningSocket {
  /** As /proc/PID/fd has it: `socket:[INODE]`. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

async function listening(table: 'tcp' | 'tcp6'): Promise<ListeningSocket[]> {
  const text = await readOr(`/proc/net/${table}`, '');
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === LISTENING)
    .map(([, local = '', ...columns]) => {
      const [host = '', port = ''] = local.split(':');
      return { name: `socket:[${columns[7] ?? ''}]`, host: addressOf(host), port: Number.parseInt(port, 16) };
    });
}

/** An address as /proc/net has it, words of 32 bits in the machine's order, as it is written; `''` for all addresses. */
function addressOf(hex: string): string {
  if (/^0*$/.test(hex)) return '';
  const bytes = Buffer.from(hex, 'hex').swap32();
  if (bytes.length === 4) return bytes.join('.');
  return bytes.toString('hex').replace(/(.{4})(?=.)/g, '$1:');
}

/** Sockets on these two hosts would have clients in common. A name is not looked up: it may be anything. */
function overlap(wanted: string, there: string): boolean {
  if (there === '' || wanted === '' || wanted === '0.0.0.0' || wanted === '::') return true;
  if (!/^[\d.]+$|:/.test(wanted)) return true;
  return new Networks([wanted]).has(there);
}

async function heldBy(pid: number, sockets: ReadonlyMap<string, number>): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const descriptors = await readdir(folder).catch(() => []);
  const targets = await Promise.all(descriptors.map((one) => readlink(`${folder}/${one}`).catch(() => '')));
  return targets.filter((target) => sockets.has(target));
}

/**
 * A signal must not go to another program that happens to share the port. The command sets its title (see `serve`), as
 * which words it was started with depends on how it is installed.
 */
export async function isSluice(pid: number): Promise<boolean> {
  return (await readOr(`/proc/${pid}/cmdline`, '')).startsWith('sluice ');
}

async function nameOf(pid: number): Promise<string> {
  return (await readOr(`/proc/${pid}/comm`, '?')).trim();
}

async function readOr(path: string, otherwise: string): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch {
    return otherwise;
  }
}
