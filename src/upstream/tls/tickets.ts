/** What resumes a session, and the wall time until which it may. */
export interface Ticket {
  /** Whom the certificate was found to be for. */
  readonly name: string;
  readonly session: Buffer;
  readonly until: number;
}

/** Kept for one origin: servers send one or two for each connection, and the last ones are the best. */
const MOST = 4;

/**
 * What lets a connection take up an earlier one's keys, without certificates and without the slow half of a handshake.
 * Only connections whose certificate was found good leave something here, for the same origin and the same options.
 *
 * An origin may get another host while it runs. A ticket is only for the name it was got with: when a session is resumed
 * there is no certificate whose names could be looked at.
 */
export class Tickets {
  readonly #kept = new WeakMap<object, Ticket[]>();

  /** The latest for this origin. The last one is used again: better one that may be refused than none. */
  take(origin: object, name: string, wall: number): Ticket | undefined {
    const kept = this.#kept.get(origin)?.filter((ticket) => ticket.name === name);
    if (kept !== undefined) this.#kept.set(origin, kept);
    while (kept !== undefined && kept.length > 0) {
      const ticket = kept[kept.length - 1];
      // RFC 8446 §C.4: who listens can tell that two connections with the same ticket are of the same client.
      if (ticket.until <= wall || kept.length > 1) kept.pop();
      if (ticket.until > wall) return ticket;
    }
    return undefined;
  }

  /** @param until nobody looks at the origin's certificate again when a session is resumed, so it must still be good */
  keep(origin: object, name: string, session: Buffer, until: number): void {
    let kept = this.#kept.get(origin);
    if (kept === undefined) this.#kept.set(origin, (kept = []));
    kept.push({ name, session, until });
    if (kept.length > MOST) kept.shift();
  }

  /** A handshake has failed: what is here may be why. */
  forget(origin: object): void {
    this.#kept.delete(origin);
  }
}
