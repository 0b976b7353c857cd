import { get } from 'node:http';
import { connect, type NetConnectOpts } from 'node:net';
import type { OriginAddress } from '../../core/origin.ts';

/** What one look at a child found: whether it is ready. Never rejects, and is over soon after the signal. */
export type Probe = (address: OriginAddress, how: Asking, signal: AbortSignal) => Promise<boolean>;

interface Asking {
  /** Asks by HTTP for this path. */
  readonly http?: string | undefined;
  /** The child got the socket from sluice, so that connections succeed before anybody takes them. */
  readonly handed: boolean;
}

/** Milliseconds for one look. */
const PATIENCE = 2000;

export const probe: Probe = (address, { http, handed }, signal) => {
  const ends = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
  if (http !== undefined) return answers(address, http, ends);
  // A child that begins slowly has not taken the connection yet, and need not do so twice.
  return handed ? takes(address, signal) : listens(address, ends);
};

function listens(address: OriginAddress, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...place(address), signal } as NetConnectOpts);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/**
 * A connection to a socket that listens already waits in the kernel. So it says good-bye at once: whoever takes it reads that
 * and closes, which no kernel does for a program that is still loading.
 */
function takes(address: OriginAddress, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...place(address), signal } as NetConnectOpts);
    socket.once('connect', () => socket.end());
    socket.once('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('end', () => resolve(true));
    // Also when a child that ends takes its socket along; it is looked after whether it lives.
    socket.on('error', () => resolve(false));
  });
}

function answers(address: OriginAddress, path: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const where =
      address.path === undefined ? { host: address.host, port: address.port } : { socketPath: address.path };
    const request = get({ ...where, path, signal, agent: false, headers: { Host: 'localhost' } }, (answer) => {
      const { statusCode = 0 } = answer;
      answer.on('error', () => {});
      answer.destroy();
      resolve(statusCode >= 200 && statusCode < 400);
    });
    request.on('error', () => resolve(false));
  });
}

function place({ host, port, path }: OriginAddress): NetConnectOpts {
  return path === undefined ? { host, port } : { path };
}
