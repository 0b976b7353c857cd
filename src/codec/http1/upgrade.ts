import type { Fields } from '../../core/fields.ts';
import * as names from '../../core/names.ts';
import { trimmed } from './tokens.ts';

/** `protocol-name [ "/" protocol-version ]`, RFC 9110 §7.8. */
const PROTOCOL = /^[!#$%&'*+.^_`|~0-9a-z-]+(?:\/[!#$%&'*+.^_`|~0-9a-z-]+)?$/i;

/** HTTP over TCP or over TLS, in any of its names. */
const HTTP = /^(?:h2c?|https?|tls)(?:$|[/-])/i;

/**
 * The protocols of a request that may be offered to the origin. HTTP/2 in clear text is taken out, and so is TLS (RFC
 * 2817): an origin that accepts it would open a tunnel through which requests pass that no rule here has seen.
 */
export function offeredProtocols(fields: Fields): string {
  let offered = '';
  for (let i = 0; i < fields.count; i++) {
    if (fields.id(i) !== names.UPGRADE) continue;
    for (const part of fields.value(i).split(',')) {
      const protocol = trimmed(part);
      if (!PROTOCOL.test(protocol) || HTTP.test(protocol)) continue;
      offered += offered === '' ? protocol : `, ${protocol}`;
    }
  }
  return offered;
}

/** Whether all protocols that a 101 names were offered. Anything else would be a tunnel nobody asked for. */
export function isOffered(chosen: string, offered: string): boolean {
  if (chosen === '' || offered === '') return false;
  const allowed = new Set(offered.toLowerCase().split(', '));
  return chosen
    .toLowerCase()
    .split(',')
    .every((one) => allowed.has(trimmed(one)));
}
