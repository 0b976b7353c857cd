import { randomBytes } from 'node:crypto';
import type { Config } from './config/config.ts';
import { boardKeys } from './control/boards.ts';
import type { Clock } from './core/clock.ts';
import { DataPlane, type Place, type Surroundings, type Turned } from './data-plane.ts';
import type { Logs } from './observe/logs.ts';
import type { SharedState } from './shared-state.ts';
import { Fleet } from './threads/fleet.ts';

/** Systems that spread connections over sockets on one address (SO_REUSEPORT, as Node supports it). */
const SPREADING: readonly string[] = ['linux', 'freebsd', 'aix', 'sunos'];

/** What data planes need of the control plane. */
export interface Control {
  readonly clock: Clock;
  readonly logs: Logs;
  readonly shared: SharedState;
  readonly surroundings: Surroundings;
  readonly turned: Turned;
  /** The config in force. */
  readonly inForce: () => Config;
}

/**
 * The data planes of a process, which are one in this thread or a fleet of threads.
 * @param sharing other processes may join the addresses
 * @param takeover addresses may be in use by the process whose place this one takes
 */
export function makePlanes(
  { clock, logs, shared, surroundings, turned, inForce }: Control,
  sharing: boolean,
  takeover: boolean,
): DataPlane | Fleet {
  const { threads } = inForce();
  const secret = randomBytes(32).toString('base64url');
  const shares = SPREADING.includes(process.platform) && (threads > 1 || sharing);
  const places = Array.from({ length: threads }, (_, thread): Place => {
    return { thread, threads, bells: shared.bells, secret, sharing: shares, takeover };
  });
  if (threads === 1) {
    return new DataPlane(inForce(), shared.boards, places[0], { ...surroundings, messages: logs, turned });
  }
  const say = logs.say.bind(logs);
  if (!shares) {
    say('warn', 'one-listens', 'this system cannot spread connections over threads: one thread serves them all');
  }
  return new Fleet({
    clock,
    places,
    keyOf: (config, index) => boardKeys.listener(config, index),
    inForce: () => ({ config: inForce(), boards: shared.boards }),
    say,
    turned,
    lost: (thread) => shared.giveBack(thread),
  });
}
