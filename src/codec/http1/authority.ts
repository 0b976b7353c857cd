import { COLON, HEX_VALUE, HOST_CHARACTER } from '../../core/bytes.ts';
import { parseAddress } from '../../core/networks.ts';

const PERCENT = 0x25;
const OPENING_BRACKET = 0x5b;

/**
 * `uri-host [ ":" port ]` (RFC 9110 §7.2), without userinfo: RFC 9110 §4.2.4 has recipients treat that as an error. The
 * host may not be empty (§4.2.1). Runs once per request, so the usual name or IPv4 address is one loop.
 */
export function isAuthority(text: string, portRequired: boolean): boolean {
  let i = 0;
  if (text.charCodeAt(0) === OPENING_BRACKET) {
    const close = text.indexOf(']');
    if (close < 0 || !isAddress6(text.slice(1, close))) return false;
    i = close + 1;
  } else {
    for (; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (HOST_CHARACTER[code] !== 1 || (code === PERCENT && !isEscape(text, i))) break;
    }
    if (i === 0) return false;
  }
  if (i === text.length) return !portRequired;
  if (text.charCodeAt(i) !== COLON) return false;
  if (++i === text.length) return !portRequired;
  let port = 0;
  for (; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
    if (port > 65_535) return false;
  }
  return true;
}

/** An `IP-literal` without its brackets. Zones stay on their machine (RFC 6874 §4); nobody has a future version. */
function isAddress6(text: string): boolean {
  return text.includes(':') && !text.includes('%') && parseAddress(text) !== undefined;
}

/** `%` and two hex digits, RFC 3986 §2.1. */
function isEscape(text: string, at: number): boolean {
  const first = HEX_VALUE[text.charCodeAt(at + 1)] ?? 255;
  const second = HEX_VALUE[text.charCodeAt(at + 2)] ?? 255;
  return first < 16 && second < 16;
}
