import { codecs, type CodecKind, kindsFor, partsOf, programs } from '../codec/index.ts';
import { isOriginProblem } from '../upstream/options.ts';
import { addressOf } from './address.ts';
import type { Complaint } from './issues.ts';
import { showPath, type PropertyPath } from './problems.ts';
import { schemes } from './schema.ts';

/**
 * Parts of an upstream that no protocol of its origins goes by: whoever writes one expects something of it.
 *
 * @param origins as they were given, as a list
 */
export function unheard(
  upstream: Readonly<Record<string, unknown>>,
  origins: readonly unknown[],
  above: PropertyPath,
): Complaint[] {
  const addresses = origins.map(addressOf);
  // What an origin speaks that cannot be read, nobody knows.
  if (addresses.length === 0 || addresses.some(isOriginProblem)) return [];
  const { tls } = upstream;
  const alpn = typeof tls === 'object' && tls !== null && 'alpn' in tls ? [tls.alpn].flat().map(String) : [];
  const spoken = addresses.flatMap((one) => (isOriginProblem(one) ? [] : kindsFor(one.scheme, alpn)));
  return Object.entries(upstream).flatMap(([part, value]): Complaint[] => {
    const kinds = (codecs as readonly CodecKind[]).filter((kind) => partsOf(kind).includes(part));
    if (value === undefined || kinds.length === 0 || kinds.some((kind) => spoken.includes(kind))) return [];
    const named = schemes.filter((scheme) => kinds.some((kind) => kind.schemes.includes(scheme)));
    const message =
      `${showPath(above)}: no origin here goes by ${JSON.stringify(part)}, which is for ${named.join(', ')}: ` +
      `leave it out, or write what they speak: ${how(named[0])}`;
    return [{ code: 'config/unheard', message, path: [...above, part], at: 'key' }];
  });
}

function how(scheme: string): string {
  return programs.includes(scheme)
    ? `\`${scheme}:/path\``
    : `\`${scheme}://HOST:PORT\`, \`${scheme}+unix:/path\`, or of a \`spawn\` \`protocol: ${scheme}\``;
}
