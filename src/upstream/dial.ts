import { connect, type NetConnectOpts } from 'node:net';
import type { Origin } from '../core/origin.ts';
import type { Timer } from '../core/wheel.ts';
import type { Wire } from '../wire/wire.ts';
import { Channel } from './channel.ts';
import type { Link, LinkUser } from './link.ts';
import type { Pool } from './pool.ts';
import { SharedChannel } from './shared-channel.ts';

/** Milliseconds one address family may take before the other is tried as well (RFC 8305 §5 recommends 250). */
const FAMILY_HEAD_START = 250;

/** A new connection to an origin, for this user and, where exchanges share it, for those who come meanwhile. */
export function dial(origin: Origin, pool: Pool, user: LinkUser): Link {
  if (!pool.shares(origin)) {
    const channel = new Channel(origin, pool, user);
    open(channel);
    return channel;
  }
  const elsewhere = (other: LinkUser): Link =>
    pool.shared.join(origin, other, false, false, pool.clock.now()) ?? dial(origin, pool, other);
  const channel = new SharedChannel(origin, pool, elsewhere);
  const link = channel.join(user);
  open(channel);
  return link;
}

/** What a connection is made for: a channel of either kind, until it is open. */
interface Dialled {
  readonly origin: Origin;
  readonly pool: Pool;
  readonly wire: Wire;
  readonly timer: Timer;
  /** @param alpn what a handshake has agreed on, where there was one */
  opened(alpn?: string): void;
}

/**
 * Opens the connection. A name with addresses of both families is tried in turn, each with a head start
 * ("happy eyeballs", done by Node's resolver and connector). The users hear `connected` or `notConnected`, later.
 */
function open(channel: Dialled): void {
  const { pool } = channel;
  const { address } = channel.origin;
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
}
