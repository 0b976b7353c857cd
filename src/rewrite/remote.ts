import type { Exchange } from '../core/exchange.ts';
import { parseAddress } from '../core/networks.ts';

/**
 * Who asks, behind trusted proxies: `X-Forwarded-For` read from its end, where the nearest proxy wrote, up to the first
 * address that is not a trusted proxy's. What stands before that was written by somebody nobody vouches for, and what is
 * not an address ends the reading.
 */
export function remoteOf(exchange: Exchange): string {
  const { client } = exchange.front;
  let remote = client.address;
  const hops = exchange.request.fields.getAll('x-forwarded-for').join(',').split(',');
  for (let i = hops.length - 1; i >= 0; i--) {
    const hop = bare(hops[i].trim());
    if (parseAddress(hop) === undefined) return remote;
    remote = hop;
    if (!client.proxies.has(hop)) return remote;
  }
  return remote;
}

/** Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function bare(hop: string): string {
  if (hop.startsWith('[')) return hop.slice(1, Math.max(1, hop.indexOf(']')));
  return hop.indexOf(':') === hop.lastIndexOf(':') && hop.includes('.') ? hop.split(':')[0] : hop;
}
