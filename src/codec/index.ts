import { ajp } from './ajp/ajp.ts';
import type { CodecKind } from './codec.ts';
import { fastcgi } from './fastcgi/fastcgi.ts';
import { http1 } from './http1/http1.ts';
import { scgi } from './scgi/scgi.ts';
import { uwsgi } from './uwsgi/uwsgi.ts';

export { ajp, fastcgi, uwsgi };

/** Every protocol towards origins, the default first. */
export const codecs = [http1, fastcgi, scgi, uwsgi, ajp] as const satisfies readonly CodecKind[];

const byScheme: ReadonlyMap<string, CodecKind> = new Map(
  (codecs as readonly CodecKind[]).flatMap((kind) => kind.schemes.map((scheme) => [scheme, kind] as const)),
);

/** The protocol of origins with this scheme; a config has been checked for schemes that are none. */
export function codecOf(scheme: string): CodecKind {
  return byScheme.get(scheme) as CodecKind;
}

/** What an origin of this scheme is offered by ALPN when a connection over TLS begins; `null`: it speaks in clear text. */
export function offerOf(scheme: string): { readonly names: readonly string[]; readonly required: boolean } | null {
  const { secure = [], alpn, needsAlpn = false } = codecOf(scheme);
  if (!secure.includes(scheme)) return null;
  return { names: alpn === undefined ? [] : [alpn], required: needsAlpn };
}

/** Whether exchanges share connections, with these options of the protocol. */
export function multiplexes(kind: CodecKind, options: Readonly<Record<string, unknown>>): boolean {
  return kind.multiplexes ?? kind.multiplexesWith?.(options) ?? false;
}
