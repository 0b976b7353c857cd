/**
 * Character classes of the HTTP grammar as 256-entry tables, so that a parser's inner loop is one load and one branch.
 * Sources: RFC 9110 §5.6.2 (token), §5.5 (field-value), RFC 9112 §3 (request-target), RFC 3986 §3.2.2 (host).
 */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;

function table(allowed: (code: number) => boolean): Uint8Array {
  const out = new Uint8Array(256);
  for (let code = 0; code < 256; code++) out[code] = allowed(code) ? 1 : 0;
  return out;
}

const alphanumeric = (code: number): boolean => /[0-9A-Za-z]/.test(String.fromCharCode(code));

/** `tchar`: what a method or a field name is made of. */
export const TOKEN: Uint8Array = table(
  (code) => alphanumeric(code) || "!#$%&'*+-.^_`|~".includes(String.fromCharCode(code)),
);

/** `field-vchar`, SP and HTAB. NUL, CR, LF and the other controls are refused: they end requests inside other servers. */
export const FIELD_VALUE: Uint8Array = table((code) => code === HTAB || (code >= 0x20 && code !== 0x7f));

/**
 * Visible ASCII without `#`. A fragment never travels in a request-target, and servers disagree about what follows it
 * (CVE-2023-45539 in HAProxy), so it is refused rather than interpreted.
 */
export const TARGET: Uint8Array = table((code) => code > 0x20 && code < 0x7f && code !== 0x23);

/** `reg-name` and the inside of an `IP-literal`, without the colon. */
export const HOST_CHARACTER: Uint8Array = table(
  (code) => alphanumeric(code) || "-._~%!$&'()*+,;=".includes(String.fromCharCode(code)),
);

/** The value of a hex digit, 255 for every other byte. */
export const HEX_VALUE: Uint8Array = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) {
  const character = digit.toString(16);
  HEX_VALUE[character.charCodeAt(0)] = digit;
  HEX_VALUE[character.toUpperCase().charCodeAt(0)] = digit;
}

/** Whether a whole string is a `token`. */
export function isToken(text: string): boolean {
  if (text === '') return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255 || TOKEN[code] === 0) return false;
  }
  return true;
}

/** Whether a whole string may be a field value (no leading or trailing white space is required here). */
export function isFieldValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255 || FIELD_VALUE[code] === 0) return false;
  }
  return true;
}
