import { connect, type NetConnectOpts } from 'node:net';
import { connect as connectSecurely, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Origin, OriginAddress } from '../core/origin.ts';
import type { Timer } from '../core/wheel.ts';
import type { Wire } from '../wire/wire.ts';
import { Channel } from './channel.ts';
import type { Link, LinkUser } from './link.ts';
import type { Pool } from './pool.ts';
import { SharedChannel } from './shared-channel.ts';
import { wasCut } from './tls/cut.ts';
import type { Fault } from './tls/fault.ts';
import type { Offer, Security } from './tls/security.ts';

/** Milliseconds one address family may take before the other is tried as well (RFC 8305 §5 recommends 250). */
const FAMILY_HEAD_START = 250;

/** A new connection to an origin, for this user and, where exchanges share it, for those who come meanwhile. */
export function dial(origin: Origin, pool: Pool, user: LinkUser): Link {
  if (!pool.shares(origin)) {
    const channel = new Channel(origin, pool, user);
    // It starts when the request is told. Later, as everywhere: who asks for a channel has not finished yet.
    if (channel.launches) queueMicrotask(() => channel.opened());
    else open(channel);
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
  security: Security | null;
  explain: ((error: NodeJS.ErrnoException | null) => Fault | undefined) | null;
  progress: string;
  refused(fault: Fault): void;
  /** @param alpn what a handshake has agreed on, '' for nothing; missing where there was none */
  opened(alpn?: string): void;
}

/**
 * Opens the connection, over TLS where the origin's scheme wants that. A name with addresses of both families is tried in
 * turn, each with a head start ("happy eyeballs", done by Node's resolver and connector). The users hear `connected` or
 * `notConnected`, later.
 */
function open(channel: Dialled): void {
  const { pool } = channel;
  const { address } = channel.origin;
  const how = { ...whereTo(address), onread: channel.wire.readInto(), allowHalfOpen: true, noDelay: true };
  const offer = pool.offerOf(address);
  if (offer === null) {
    const socket = connect(how);
    channel.wire.attach(socket, false);
    socket.on('connect', () => channel.opened());
  } else secure(channel, how, offer);
  pool.wheel.arm(channel.timer, pool.options.timeouts.connect);
}

function secure(channel: Dialled, how: NetConnectOpts, offer: Offer): void {
  const { origin, pool } = channel;
  const security = pool.security;
  channel.security = security;
  const handshake = security.handshake(origin.address, offer, origin.address);
  channel.explain = (error) => handshake.explain(error);
  const socket = connectSecurely({ ...how, ...handshake.connectOptions() } as ConnectionOptions);
  handshake.listen(socket);
  // Before the wire hears of it: to the wire such an end is a broken connection.
  socket.on('end', () => {
    if (wasCut(socket)) socket.destroy(Object.assign(new Error('no close_notify'), { code: 'NO_CLOSE_NOTIFY' }));
  });
  channel.wire.attach(socket, false);
  socket.on('connect', () => {
    // tls.connect does not take the option.
    socket.setNoDelay(true);
    handshake.reached = true;
    channel.progress = 'connected, but the TLS handshake was not done in time';
  });
  socket.on('secureConnect', () => {
    const fault = handshake.judge(socket);
    if (fault === undefined) channel.opened(typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : '');
    else channel.refused(fault);
  });
}

/** A connection that an active check makes. */
export interface Probe {
  readonly socket: TLSSocket;
  /** What is wrong with the handshake that is done. */
  judge(): Fault | undefined;
  /** What the error is in our words; `undefined`: it has nothing to do with TLS. */
  explain(error: NodeJS.ErrnoException | null): Fault | undefined;
}

/** Connects like `dial`, but for a check: with a whole handshake each time. */
export function probeSecurely(address: OriginAddress, security: Security, offer: Offer): Probe {
  const handshake = security.handshake(address, offer, null);
  const socket = connectSecurely({ ...whereTo(address), ...handshake.connectOptions() } as ConnectionOptions);
  socket.on('connect', () => (handshake.reached = true));
  return { socket, judge: () => handshake.judge(socket), explain: (error) => handshake.explain(error) };
}

function whereTo({ path, ip, host, port }: OriginAddress): NetConnectOpts {
  if (path !== undefined) return { path };
  return {
    host: ip ?? host,
    port,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: FAMILY_HEAD_START,
  };
}
