import { parseAddress } from '../core/networks.ts';

/** One address that a name leads to. The last four are those of an SRV record. */
export interface Found {
  /** In canonical spelling (RFC 5952), so that two texts are equal when the addresses are. */
  readonly ip: string;
  readonly family: 4 | 6;
  readonly port?: number;
  readonly weight?: number;
  readonly priority?: number;
  /** The host that the SRV record names, lower case and without a dot at the end. */
  readonly target?: string;
}

/**
 * What became of asking for a name. `empty`: the name is not known, or has no address that can be dialled; `failed`:
 * nobody could say. Times are milliseconds.
 */
export type Answer =
  | {
      readonly outcome: 'found';
      /** Sorted, without duplicates, at least one. */
      readonly records: readonly Found[];
      /** The lowest of the set. */
      readonly ttl: number;
      /** Parts that could not be asked for, and why: their addresses are those known before. */
      readonly missing: readonly string[];
    }
  | { readonly outcome: 'empty'; readonly why: string }
  | { readonly outcome: 'failed'; readonly why: string };

/**
 * Most addresses that one name may bring. A DNS message has room for 4000; a pool of more than this is nothing that
 * one process balances, but something that an attacker or a mistake in a zone could make it open connections to.
 */
export const MOST_ADDRESSES = 1024;

/**
 * The canonical form of an address, or `undefined` when it is none that a connection can be made to. Filters answer
 * 0.0.0.0 for names that they block, and connecting to that reaches this machine; link-local addresses need a zone,
 * which DNS cannot tell.
 */
export function canonical(text: string): { readonly ip: string; readonly family: 4 | 6 } | undefined {
  const bytes = text.includes('%') ? undefined : parseAddress(text);
  if (bytes === undefined) return undefined;
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (mapped) {
    if (bytes[12] === 0 || bytes[12] >= 224) return undefined;
    return { ip: bytes.subarray(12).join('.'), family: 4 };
  }
  const unspecified = bytes.every((byte) => byte === 0);
  const linkLocal = bytes[0] === 0xfe && (bytes[1] & 0xc0) === 0x80;
  if (unspecified || linkLocal || bytes[0] === 0xff) return undefined;
  // The URL parser writes IPv6 as RFC 5952 wants it.
  return { ip: new URL(`http://[${text}]`).hostname.slice(1, -1), family: 6 };
}

/**
 * Sorted by priority, family, address and port, one of each address and port (the one of the lowest priority, the
 * heaviest of those), and no more than `MOST_ADDRESSES`.
 */
export function orderly(records: readonly Found[]): Found[] {
  const seen = new Set<string>();
  const sorted = records.map((record) => ({ record, key: sortKey(record) })).toSorted((a, b) => compare(a.key, b.key));
  return sorted
    .map(({ record }) => record)
    .filter(({ ip, port }) => {
      const key = `${ip} ${port ?? ''}`;
      return !seen.has(key) && seen.add(key);
    })
    .slice(0, MOST_ADDRESSES);
}

function sortKey({ ip, family, port = 0, weight = 0, priority = 0, target = '' }: Found): string {
  const number = (value: number): string => String(value).padStart(5, '0');
  const bytes = Buffer.from(parseAddress(ip) ?? []).toString('hex');
  return `${number(priority)} ${family} ${bytes} ${number(port)} ${number(65_535 - weight)} ${target}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
