import type { Fields } from '../core/fields.ts';
import * as names from '../core/names.ts';
import type { Pass } from './pass.ts';

/** Bit n is set when the field numbered n concerns this connection only, RFC 9110 §7.6.1. */
const HOP_BY_HOP =
  (1 << names.CONNECTION) |
  (1 << names.KEEP_ALIVE) |
  (1 << names.PROXY_CONNECTION) |
  (1 << names.TE) |
  (1 << names.UPGRADE) |
  (1 << names.TRANSFER_ENCODING) |
  (1 << names.HTTP2_SETTINGS) |
  // CGI programs see `Proxy` as HTTP_PROXY and send their own requests through it ("httpoxy").
  (1 << names.PROXY);

/** A sender may nominate any field, but without these the next hop would read another message than we did. */
const NEVER_NOMINATED = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'close', 'keep-alive']);

/** Takes out what is meant for the connection it came by, and what `Connection` says is. */
export const hopByHop: Pass = {
  name: 'hop-by-hop',
  request(exchange) {
    const { request } = exchange;
    strip(request.fields, (value) => {
      if (value.toLowerCase().split(',').some(isTrailers)) request.takesTrailers = true;
    });
  },
  answer(_exchange, answer) {
    strip(answer.fields, undefined);
  },
};

function strip(fields: Fields, te: ((value: string) => void) | undefined): void {
  let nominated: Set<string> | null = null;
  for (let i = 0; i < fields.count; i++) {
    const id = fields.id(i);
    if (id === names.OTHER || (HOP_BY_HOP & (1 << id)) === 0 || !fields.kept(i)) continue;
    if (id === names.CONNECTION) nominated = nominate(fields.value(i), nominated);
    else if (id === names.TE) te?.(fields.value(i));
    fields.drop(i);
  }
  if (nominated === null) return;
  // One pass whatever was nominated: a list of thousands of names is cheap to send.
  for (let i = 0; i < fields.count; i++) {
    if (fields.kept(i) && nominated.has(fields.name(i).toLowerCase())) fields.drop(i);
  }
}

function nominate(value: string, before: Set<string> | null): Set<string> | null {
  const { length } = value;
  if ((length === 5 || length === 10) && NEVER_NOMINATED.has(value.toLowerCase())) return before;
  const nominated = before ?? new Set<string>();
  for (const part of value.split(',')) {
    const name = part.trim().toLowerCase();
    if (name !== '' && name !== 'te' && !NEVER_NOMINATED.has(name)) nominated.add(name);
  }
  return nominated;
}

function isTrailers(member: string): boolean {
  return member.trim().split(';')[0]?.trim() === 'trailers';
}
