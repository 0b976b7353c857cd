import type { ErrorCode } from '../core/errors.ts';
import type { OriginAddress } from '../core/origin.ts';
import type { Socket } from 'node:net';
import { showDuration } from '../core/units.ts';
import type { Finding, ProbeTools } from './check.ts';

/** What a probe has under way. */
export interface Underway {
  /** The time is up: what is known by now. */
  late(): Finding;
  /** Ends it, whatever state it is in; leaves no socket. */
  close(): void;
}

/**
 * Keeps a probe's promise: it settles once, in time, never rejects, and what was under way is closed by then.
 *
 * @param start begins; calls `found` when it knows, at once or later
 */
export function attempt(tools: ProbeTools, start: (found: (finding: Finding) => void) => Underway): Promise<Finding> {
  return new Promise((resolve) => {
    let underway: Underway | undefined;
    let over: Finding | undefined;
    const found = (finding: Finding): void => {
      if (over !== undefined) return;
      over = finding;
      cancel();
      tools.signal.removeEventListener('abort', abort);
      underway?.close();
      resolve(finding);
    };
    const abort = (): void => found({ healthy: undefined, detail: 'not wanted any more' });
    const cancel = tools.clock.after(
      tools.timeout,
      () => found(underway?.late() ?? failed('did not begin in time')),
      'idle',
    );
    tools.signal.addEventListener('abort', abort);
    if (tools.signal.aborted) return abort();
    try {
      underway = start(found);
    } catch (error) {
      found(failed(reason(error)));
    }
    if (over !== undefined) underway?.close();
  });
}

export function failed(detail: string): Finding {
  return { healthy: false, detail };
}

function unsafe({ code, detail }: { readonly code: ErrorCode; readonly detail: string }): Finding {
  return { healthy: false, detail: `${code}: ${detail}`, code };
}

/** Faults of this machine; a shortage here must not take every origin out at once. */
const OURS = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']);

/** A connection that could not be made, or broke. */
export function broken(error: unknown, what: string): Finding {
  const detail = `${what}: ${reason(error)}`;
  return OURS.has((error as NodeJS.ErrnoException).code ?? '') ? { healthy: undefined, detail } : failed(detail);
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route',
  ENETUNREACH: 'no route',
  ENOENT: 'no such socket',
  ENOTFOUND: 'no such name',
};

/** The code rather than the message: a message may repeat what the peer sent. */
function reason(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  return code === undefined ? name : (WORDS[code] ?? code);
}

/** Where to connect to: the address that the name has been resolved to, if it has been. */
export function endpoint(address: OriginAddress): { path: string } | { host: string; port: number } {
  if (address.path !== undefined) return { path: address.path };
  return { host: address.ip ?? address.host, port: address.port };
}

/**
 * Begins a probe with a connection as requests would make it: over TLS where the origin's scheme wants that. Nothing is
 * sent to somebody who is not who it should be.
 *
 * @param begin goes on with the connection; without one it makes its own, in clear text
 */
export function withConnection(
  address: OriginAddress,
  tools: ProbeTools,
  found: (finding: Finding) => void,
  begin: (socket: Socket | undefined) => Underway,
): Underway {
  const connection = tools.secure?.(address) ?? null;
  if (connection === null) return begin(undefined);
  const { socket } = connection;
  let underway: Underway | undefined;
  const broke = (error: NodeJS.ErrnoException): void => {
    const fault = connection.explain(error);
    found(fault === undefined ? broken(error, 'cannot connect') : unsafe(fault));
  };
  socket.on('error', broke);
  socket.on('close', () => found(failed('cannot connect')));
  socket.on('secureConnect', () => {
    const fault = connection.judge();
    if (fault !== undefined) return found(unsafe(fault));
    underway = begin(socket);
  });
  return {
    late: () => underway?.late() ?? failed(`no connection within ${showDuration(tools.timeout)}`),
    close() {
      underway?.close();
      socket.destroy();
    },
  };
}
