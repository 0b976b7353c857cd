import { mkdtempSync, chownSync, renameSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { Account } from '../account.ts';

/** Connections that may wait to be accepted by a child that got its socket from sluice. The system may allow fewer. */
const WAITING = 4096;

/** The longest path of a unix socket that every system takes: `sun_path` has 104 bytes on macOS and BSD, with a NUL. */
const LONGEST = 103;

/** Folders for sockets, one for each account, which nobody else can enter. */
export class Folders {
  readonly #made: (path: string) => void;
  readonly #paths = new Map<string, string>();
  /** Sockets so far. */
  #count = 0;

  /** @param made hears of each folder */
  constructor(made: (path: string) => void) {
    this.#made = made;
  }

  /**
   * A path for a new socket, which no other one has had: children of two upstreams may have the same name, and so may one that is still
   * draining and its successor after a reload. Throws the system's error.
   *
   * @param name begins the file's name, for people
   */
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
    const path = join(folder, `${name}-${++this.#count}.sock`);
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

/**
 * Ports for children: below those that systems give to whoever asks for any (from 32768 on Linux, 49152 elsewhere), and below those
 * of Kubernetes' services. Between our looking and the child's listening hundreds of milliseconds go by, and a program that
 * got the port meanwhile would be taken for the child.
 */
const LOWEST = 20_000;
const HIGHEST = 29_999;

/** How many ports are tried before none counts as free. */
const TRIES = 200;

/** A port of 127.0.0.1 that nobody listens on now and that is not among `taken`. */
export async function freePort(clock: Clock, taken: ReadonlySet<number>): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = LOWEST + Math.floor(clock.random() * (HIGHEST - LOWEST + 1));
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`no port of 127.0.0.1 from ${LOWEST} to ${HIGHEST} is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen({ port, host: '127.0.0.1', exclusive: true });
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}
