import { codecOf, multiplexes, offerOf, spoken } from './codec/index.ts';
import type { CodecLimits } from './codec/codec.ts';
import type { OriginAddress } from './core/origin.ts';
import { codecOptions } from './room-options.ts';
import type { MakeSession, Pool, PoolOptions } from './upstream/pool.ts';

/** What a pool wants to know of the protocols that its origins speak. It asks for each new connection: options may have changed. */
export interface Protocols {
  readonly makeSession: MakeSession;
  readonly shares: Pool['shares'];
  readonly offerOf: Pool['offerOf'];
}

/**
 * @param options those in force for the upstream
 * @param learned what earlier connections to an origin have told
 */
export function protocolsOf(
  options: () => PoolOptions,
  limits: () => CodecLimits,
  learned: Pool['shared']['learned'],
): Protocols {
  const offer = ({ scheme }: OriginAddress): ReturnType<typeof offerOf> => offerOf(scheme, options().tls?.alpn);
  return {
    makeSession(out, origin, chosen) {
      const kind = spoken(origin.address.scheme, chosen);
      return kind.create(codecOptions(options(), kind), out, limits(), learned(origin));
    },
    shares({ address }, chosen) {
      // Before the handshake it may come to be anything that is offered.
      const names = chosen === undefined ? ['', ...(offer(address)?.names ?? [])] : [chosen];
      return names.some((name) => {
        const kind = spoken(address.scheme, name);
        return multiplexes(kind, codecOptions(options(), kind));
      });
    },
    offerOf: offer,
  };
}

/** Whether an upstream's origins, or those to come, want to know how long a body is. */
export function wantLength(schemes: readonly string[]): boolean {
  return schemes.some((scheme) => codecOf(scheme).needsLength === true);
}
