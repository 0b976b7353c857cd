import type { Server } from 'node:http';
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import type { ListenAddress } from '../listen/address.ts';

/** Binds a server. Rejects with the system's error (`EADDRINUSE`, `EACCES`, …). */
export async function bind(server: Server, address: ListenAddress): Promise<void> {
  if (address.kind === 'tcp') {
    return listening(server, () => server.listen(address.port, address.host === '' ? undefined : address.host));
  }
  const { path, mode } = address;
  if (await isAbandoned(path)) unlinkSync(path);
  // The file appears within `listen`, with the permissions of umask: a mode that came later would leave a moment in
  // which everybody may connect. Threads have no umask of their own; there the moment remains.
  const before = umask(0o777 & ~mode);
  const bound = listening(server, () => server.listen(path));
  umask(before);
  await bound;
  chmodSync(path, mode);
}

/** Gives a bound unix socket the mode of `address`, if it is another than `before`. Throws the system's error. */
export function allow(address: ListenAddress, before: ListenAddress): void {
  if (address.kind !== 'unix' || before.kind !== 'unix' || address.mode === before.mode) return;
  chmodSync(address.path, address.mode);
}

/** Sets the umask and answers for the one before, in the main thread; others cannot. */
function umask(mask: number): number {
  try {
    return process.umask(mask);
  } catch {
    return mask;
  }
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    listen();
  });
}

/**
 * A socket file that nobody listens on: what a killed process leaves. Connecting to a plain file is refused as well, and
 * that is somebody's file.
 */
function isAbandoned(path: string): Promise<boolean> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return Promise.resolve(false);
  return new Promise((resolve) => {
    const probe = new Socket();
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
    probe.connect(path);
  });
}
