import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Config } from '../config/config.ts';

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
  for (const table of ['tcp', 'tcp6']) {
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
  return { sluices, strangers };
}
