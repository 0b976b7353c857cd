import type { Socket } from 'node:net';

/** The parts of Node's handles that tell how the bytes have ended. Node's own classes, without types. */
interface Handle {
  readonly reading?: boolean;
  /** The TCP or pipe handle that OpenSSL reads from. */
  readonly _parent?: { readStart?: () => number };
}

/**
 * Whether an origin's bytes were cut off: the connection has ended without a `close_notify`, which anybody between could
 * have brought about (RFC 8446 §6.1, RFC 9112 §9.8). To be asked in the event 'end', which Node emits for both alike.
 *
 * After a `close_notify` Node reads on below TLS, and libuv says so (EALREADY); where the connection itself has ended it
 * has stopped, and begins again (0). Where OpenSSL had it all in one read and we had stopped reading, `reading` is false,
 * and the end of the connection could not have been seen.
 */
export function wasCut(socket: Socket): boolean {
  const handle = (socket as Socket & { _handle?: Handle | null })._handle;
  return handle?.reading === true && handle._parent?.readStart?.() === 0;
}
