/**
 * The field names the proxy itself looks at. A parser recognises them once, by length and then byte by byte, and later
 * code compares a small number instead of a string.
 */
export const OTHER = 0;
export const HOST = 1;
export const CONTENT_LENGTH = 2;
export const TRANSFER_ENCODING = 3;
export const CONNECTION = 4;
export const KEEP_ALIVE = 5;
export const PROXY_CONNECTION = 6;
export const TE = 7;
export const TRAILER = 8;
export const UPGRADE = 9;
export const EXPECT = 10;
export const PROXY = 11;
export const VIA = 12;
export const FORWARDED = 13;
export const X_FORWARDED_FOR = 14;
export const X_FORWARDED_PROTO = 15;
export const X_FORWARDED_HOST = 16;
export const X_FORWARDED_PORT = 17;
export const X_REQUEST_ID = 18;
export const COOKIE = 19;
export const USER_AGENT = 20;
export const REFERER = 21;
export const ACCEPT = 22;
export const AUTHORIZATION = 23;
export const DATE = 24;
export const HTTP2_SETTINGS = 25;
export const SET_COOKIE = 26;
export const LOCATION = 27;
export const STATUS = 28;
export const MAX_FORWARDS = 29;
export const TRACEPARENT = 30;
export const TRACESTATE = 31;

const KNOWN: readonly (readonly [string, number])[] = [
  ['host', HOST],
  ['content-length', CONTENT_LENGTH],
  ['transfer-encoding', TRANSFER_ENCODING],
  ['connection', CONNECTION],
  ['keep-alive', KEEP_ALIVE],
  ['proxy-connection', PROXY_CONNECTION],
  ['te', TE],
  ['trailer', TRAILER],
  ['upgrade', UPGRADE],
  ['expect', EXPECT],
  ['proxy', PROXY],
  ['via', VIA],
  ['forwarded', FORWARDED],
  ['x-forwarded-for', X_FORWARDED_FOR],
  ['x-forwarded-proto', X_FORWARDED_PROTO],
  ['x-forwarded-host', X_FORWARDED_HOST],
  ['x-forwarded-port', X_FORWARDED_PORT],
  ['x-request-id', X_REQUEST_ID],
  ['cookie', COOKIE],
  ['user-agent', USER_AGENT],
  ['referer', REFERER],
  ['accept', ACCEPT],
  ['authorization', AUTHORIZATION],
  ['date', DATE],
  ['http2-settings', HTTP2_SETTINGS],
  ['set-cookie', SET_COOKIE],
  ['location', LOCATION],
  ['status', STATUS],
  ['max-forwards', MAX_FORWARDS],
  ['traceparent', TRACEPARENT],
  ['tracestate', TRACESTATE],
];

interface Candidate {
  readonly bytes: Uint8Array;
  readonly id: number;
}

/** Candidates by length; at most five share one, and the first byte tells most of them apart. */
const BY_LENGTH: readonly Candidate[][] = (() => {
  const lists: Candidate[][] = Array.from({ length: 32 }, () => []);
  for (const [name, id] of KNOWN) lists[name.length]?.push({ bytes: Uint8Array.from(Buffer.from(name)), id });
  return lists;
})();

/** The number of the field name in `buffer[start, end)`, whatever its case; `OTHER` when it is none of ours. */
export function identify(buffer: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length > 31) return OTHER;
  const candidates = BY_LENGTH[length];
  next: for (let c = 0; c < candidates.length; c++) {
    const { bytes, id } = candidates[c];
    for (let i = 0; i < length; i++) {
      const code = buffer[start + i];
      // Letters only: the tables hold letters, digits and hyphens, and no other token byte folds onto a letter.
      if (code !== bytes[i] && (code | 0x20) !== bytes[i]) continue next;
      if (code !== bytes[i] && (code < 0x41 || code > 0x5a)) continue next;
    }
    return id;
  }
  return OTHER;
}

/** The same for a name given as text. */
export function identifyText(name: string): number {
  return identify(Buffer.from(name, 'latin1'), 0, name.length);
}
