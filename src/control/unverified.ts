import { offerOf } from '../codec/index.ts';
import type { Config } from '../config/config.ts';

/** The upstreams whose origins may be anybody, though they are spoken to over TLS. */
export function unverified({ upstreams }: Config): string[] {
  return Object.entries(upstreams)
    .filter(([, { tls }]) => !tls.verify && tls.fingerprints.length === 0)
    .filter(([, { origins }]) => origins.some(({ address }) => offerOf(address.scheme) !== null))
    .map(([name]) => name);
}
