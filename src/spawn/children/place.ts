import { mkdtempSync, chownSync, renameSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Connections that may wait to be accepted by a child that got its socket from sluice. The system may allow fewer. */
const WAITING = 4096;

/** The longest path of a unix socket that every system takes: `sun_path` has 104 bytes on macOS and BSD, with a NUL. */
const LONGEST = 103;

/** Who children run as, when not as sluice itself. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Folders for sockets, one for each account, which nobody else can enter. */
export class Folders {
  readonly #made: (path: string) => void;
  readonly #paths = new Map<string, string>();

  /** @param made hears of each folder */
  constructor(made: (path: string) => void) {
    this.#made = made;
  }

  /** A path for a new socket. Throws the system's error. */
  socket(name: string, account: Account | null): string {
    const key = account === null ? '' : `${account.uid}:${account.gid}`;
    let folder = this.#paths.get(key);
    if (folder === undefined) {
      // 0700 from the beginning.
      folder = mkdtempSync(join(tmpdir(), 'sluice-children-'));
      if (account !== null) chownSync(folder, account.uid, account.gid);
      this.#paths.set(key, folder);
      this.#made(folder);
    }
    const path = join(folder, `${name}.sock`);
    if (Buffer.byteLength(path) <= LONGEST) return path;
    throw new Error(`the path of its socket is longer than ${LONGEST} bytes: set TMPDIR to a shorter one (${path})`);
  }

  close(): void {
    for (const path of this.#paths.values()) rmSync(path, { recursive: true, force: true });
    this.#paths.clear();
  }
}

/** A listening socket that is to be handed to a child. */
export interface Handed {
  /** For `stdio` of a child, which gets a duplicate. */
  readonly fd: number;
  /** Lets go of sluice's own copy. The child's lives on, and with it the path. */
  release(): void;
}

/**
 * Binds a unix socket and listens. libuv takes the path away when it closes a socket that it has bound, and there is no telling
 * it not to; so it binds another name, which is changed before anybody connects. Nobody does until the child is
 * there, so nothing is accepted here.
 */
export async function listenAt(path: string): Promise<Handed> {
  const server = createServer();
  // `exclusive`: in a worker of node:cluster the socket would be the primary's.
  server.listen({ path: `${path}.new`, exclusive: true, backlog: WAITING });
  await once(server, 'listening');
  const release = (): void => void server.close();
  try {
    renameSync(`${path}.new`, path);
    return { fd: descriptorOf(server), release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Node has no public way to say it, and takes a server among `stdio` for a stream. */
function descriptorOf(server: Server): number {
  const fd = (server as unknown as { _handle?: { fd?: unknown } })._handle?.fd;
  if (typeof fd === 'number' && fd >= 0) return fd;
  throw new Error(
    'this Node does not tell the descriptor of a listening socket: use `listen: socket` or `listen: port`',
  );
}

/** A port of 127.0.0.1 that nobody listens on now and that is not among `taken`. */
export async function freePort(taken: ReadonlySet<number>): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const server = createServer();
    server.listen({ port: 0, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening');
    const address = server.address();
    server.close();
    await once(server, 'close');
    if (typeof address === 'object' && address !== null && !taken.has(address.port)) return address.port;
  }
  throw new Error('no port of 127.0.0.1 is free');
}
