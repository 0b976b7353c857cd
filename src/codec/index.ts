import { ajp } from './ajp/ajp.ts';
import { cgi } from './cgi/cgi.ts';
import type { CodecKind } from './codec.ts';
import { fastcgi } from './fastcgi/fastcgi.ts';
import { http1 } from './http1/http1.ts';
import { scgi } from './scgi/scgi.ts';
import { uwsgi } from './uwsgi/uwsgi.ts';

export { ajp, fastcgi, uwsgi };

/** Every protocol towards origins, the default first. */
export const codecs = [http1, fastcgi, scgi, uwsgi, ajp, cgi] as const satisfies readonly CodecKind[];

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
