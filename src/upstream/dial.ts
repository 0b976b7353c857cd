import { connect, type NetConnectOpts } from 'node:net';
import type { Origin } from '../core/origin.ts';
import { Channel, type ChannelUser } from './channel.ts';
import type { Pool } from './pool.ts';

/** Milliseconds one address family may take before the other is tried as well (RFC 8305 §5 recommends 250). */
const FAMILY_HEAD_START = 250;

/**
 * Opens a connection to an origin. A name with addresses of both families is tried in turn, each with a head start
 * ("happy eyeballs", done by Node's resolver and connector). The user hears `connected` or `notConnected`, later.
 */
export function dial(origin: Origin, pool: Pool, user: ChannelUser): Channel {
  const channel = new Channel(origin, pool, user);
  const { address } = origin;
  if (channel.launches) {
    // It starts when the request is told. Later, as everywhere: who asks for a channel has not finished yet.
    queueMicrotask(() => channel.opened());
    return channel;
  }
  const common = { onread: channel.wire.readInto(), allowHalfOpen: true, noDelay: true };
  const where =
    address.path === undefined
      ? {
          host: address.ip ?? address.host,
          port: address.port,
          autoSelectFamily: true,
          autoSelectFamilyAttemptTimeout: FAMILY_HEAD_START,
        }
      : { path: address.path };
  const socket = connect({ ...where, ...common } as NetConnectOpts);
  channel.wire.attach(socket, false);
  socket.on('connect', () => channel.opened());
  pool.wheel.arm(channel.timer, pool.options.timeouts.connect);
  return channel;
}
