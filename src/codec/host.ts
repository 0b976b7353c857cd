import * as names from '../core/names.ts';
import type { Request } from '../core/request.ts';
import type { Asker, RequestTarget } from './codec.ts';

/** The Host an origin is to see: a hook's, the upstream's own, or the client's; the origin's where there is none. */
export function hostOf(request: Request, target: Pick<RequestTarget, 'authority' | 'replaceHost'>): string {
  const { fields } = request;
  const index = fields.find(names.HOST);
  // A Host among the added lines is a hook's, which knew the others.
  const own = index >= 0 || fields.added === '' ? undefined : fields.get('host');
  if (own !== undefined) return own;
  if (target.replaceHost) return target.authority;
  // RFC 9112 §3.2.2: the authority of an absolute target replaces what the Host field says.
  if (request.form === 'absolute') return request.authority;
  return index < 0 ? target.authority : fields.value(index);
}

/** A trusted proxy knows how its client came; from others the field says only what we know ourselves. */
export function cameByHttps({ fields }: Request, { scheme, trusted }: Asker['front']['client']): boolean {
  const stated = trusted ? fields.get('x-forwarded-proto') : undefined;
  return stated === undefined ? scheme === 'https' : /^https$/i.test(stated);
}

/** Host name and port of an authority; an IPv6 literal keeps its brackets. */
export function splitHost(authority: string, otherwise: number): [host: string, port: number] {
  const colon = authority.lastIndexOf(':');
  if (colon < 0 || authority.endsWith(']')) return [authority, otherwise];
  const port = Number(authority.slice(colon + 1));
  const valid = Number.isInteger(port) && port > 0 && port <= 65_535;
  return [authority.slice(0, colon), valid ? port : otherwise];
}
