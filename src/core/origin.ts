/**
 * `up` takes requests · `full` has `maxConnections` in flight · `down` failed to connect and rests until `downUntil` ·
 * `draining` finishes what it has and takes nothing new.
 */
export type OriginState = 'up' | 'full' | 'down' | 'draining';

/** Where an origin listens. `path` is a unix socket's and excludes the other two. */
export interface OriginAddress {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path?: string;
  /** The IP address that `host` has been resolved to; connections go there. */
  readonly ip?: string;
}

export interface OriginOptions {
  /** As written by the user, for messages. */
  readonly url: string;
  readonly address: OriginAddress;
  /** Share of the load relative to the others; default 1. */
  readonly weight?: number;
  /** Asked only when no other origin is usable. */
  readonly backup?: boolean;
  /** Requests in flight at once; default no limit. */
  readonly maxConnections?: number;
}

/**
 * One address that can answer. Counters and state live here and nowhere else; they change in `acquire`, `release` and
 * in `upstream/health.ts`.
 */
export class Origin {
  /** Canonical `host:port`, `[v6]:port` or `unix:/path`: it feeds the hash balancers, so it must not depend on spelling. */
  readonly name: string;
  readonly url: string;
  readonly address: OriginAddress;
  weight: number;
  backup: boolean;
  maxConnections: number;
  state: OriginState = 'up';
  /** Requests that hold a slot now, connecting ones included. */
  inFlight = 0;
  /** Slots in force: `maxConnections`, or 1 while the first request after a failure tests the origin. */
  slots: number;
  /** Connect failures in a row. */
  failures = 0;
  /** Clock time until which a `down` origin is left alone. */
  downUntil = 0;
  /** Open connections, idle ones included. */
  connections = 0;

  constructor(options: OriginOptions) {
    this.url = options.url;
    this.address = options.address;
    this.name = originName(options.address);
    this.weight = options.weight ?? 1;
    this.backup = options.backup ?? false;
    this.maxConnections = options.maxConnections ?? Infinity;
    this.slots = this.maxConnections;
  }

  /** Takes over what may change while it runs; name and address are what it is. */
  update(options: OriginOptions): void {
    const testing = this.slots !== this.maxConnections;
    this.weight = options.weight ?? 1;
    this.backup = options.backup ?? false;
    this.maxConnections = options.maxConnections ?? Infinity;
    if (!testing) this.resize(this.maxConnections);
  }

  /** Takes a slot. The caller has checked `state`. */
  acquire(): void {
    if (++this.inFlight >= this.slots && this.state === 'up') this.state = 'full';
  }

  /** Gives a slot back. */
  release(): void {
    this.inFlight--;
    if (this.state === 'full' && this.inFlight < this.slots) this.state = 'up';
  }

  /** Changes the slots in force. */
  resize(slots: number): void {
    this.slots = slots;
    if (this.state === 'up' && this.inFlight >= slots) this.state = 'full';
    else if (this.state === 'full' && this.inFlight < slots) this.state = 'up';
  }
}

export function originName(address: OriginAddress): string {
  if (address.path !== undefined) return `unix:${address.path}`;
  const host = address.host.toLowerCase();
  return host.includes(':') ? `[${host}]:${address.port}` : `${host}:${address.port}`;
}
