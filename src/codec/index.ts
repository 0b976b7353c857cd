import { ajp } from './ajp/ajp.ts';
import { cgi } from './cgi/cgi.ts';
import type { CodecKind } from './codec.ts';
import { fastcgi } from './fastcgi/fastcgi.ts';
import { h2 } from './h2/h2.ts';
import { http1 } from './http1/http1.ts';
import { scgi } from './scgi/scgi.ts';
import { uwsgi } from './uwsgi/uwsgi.ts';

export { ajp, fastcgi, h2, uwsgi };
export type { CodecKind } from './codec.ts';

/** Every protocol towards origins, the default first. */
export const codecs = [http1, fastcgi, scgi, uwsgi, ajp, h2, cgi] as const satisfies readonly CodecKind[];

/** The schemes of those whose origins are programs. */
export const programs: readonly string[] = (codecs as readonly CodecKind[])
  .filter(({ runs }) => runs === true)
  .flatMap((kind) => kind.schemes);

const byScheme: ReadonlyMap<string, CodecKind> = new Map(
  (codecs as readonly CodecKind[]).flatMap((kind) => kind.schemes.map((scheme) => [scheme, kind] as const)),
);

/** The protocol of origins with this scheme; a config has been checked for schemes that are none. */
export function codecOf(scheme: string): CodecKind {
  return byScheme.get(scheme) as CodecKind;
}

const byAlpn: ReadonlyMap<string, CodecKind> = new Map(
  (codecs as readonly CodecKind[]).flatMap((kind) => (kind.alpn === undefined ? [] : [[kind.alpn, kind] as const])),
);

/** What may be offered by ALPN. */
export const alpnNames: readonly string[] = [...byAlpn.keys()];

/**
 * What an origin of this scheme is offered by ALPN when a connection over TLS begins; `null`: it speaks in clear text.
 *
 * @param wanted for schemes that leave a choice: those whose protocol is also spoken without ALPN; none: that protocol
 */
export function offerOf(
  scheme: string,
  wanted: readonly string[] = [],
): { readonly names: readonly string[]; readonly required: boolean } | null {
  const { secure = [], alpn, withoutAlpn } = codecOf(scheme);
  if (!secure.includes(scheme)) return null;
  const names = withoutAlpn === true && wanted.length > 0 ? wanted : alpn === undefined ? [] : [alpn];
  return { names, required: names.length > 0 && !names.some((name) => byAlpn.get(name)?.withoutAlpn === true) };
}

/** What is spoken on a connection to an origin of this scheme: `chosen` by ALPN, or else what the scheme says. */
export function spoken(scheme: string, chosen = ''): CodecKind {
  return byAlpn.get(chosen) ?? codecOf(scheme);
}

/** All protocols that may come to be spoken to an origin of this scheme, when `alpn` is offered. */
export function kindsFor(scheme: string, alpn: readonly string[]): CodecKind[] {
  return ['', ...(offerOf(scheme, alpn)?.names ?? [])].map((name) => spoken(scheme, name));
}

/** The parts of an upstream's options that are for protocols like this one, and mean nothing to all others. */
export function partsOf({ name, speaksCgi, takesVariables, needsLength, runs }: CodecKind): string[] {
  return [
    name,
    ...(speaksCgi === true || takesVariables === true ? ['cgi'] : []),
    ...(needsLength === true ? ['spool'] : []),
    ...(runs === true ? ['process'] : []),
  ];
}

/** Whether exchanges share connections, with these options of the protocol. */
export function multiplexes(kind: CodecKind, options: Readonly<Record<string, unknown>>): boolean {
  return kind.multiplexes ?? kind.multiplexesWith?.(options) ?? false;
}
