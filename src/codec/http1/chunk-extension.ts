import { CR, FIELD_VALUE, HTAB, SEMICOLON, SP, TOKEN } from '../../core/bytes.ts';

/** The line's CR has been reached. */
export const LINE_END = 0;
/** Before a `;`: after white space that follows the size or a value. */
export const BEFORE = 1;
/** Right behind a `;`. */
export const BEGIN = 2;
const NAME = 3;
const AFTER_NAME = 4;
const EQUALS = 5;
const VALUE = 6;
const QUOTED = 7;
const ESCAPE = 8;
const AFTER_QUOTED = 9;
/** The byte may not stand there. */
export const WRONG = -1;

const QUOTE = 0x22;
const EQUALS_SIGN = 0x3d;
const BACKSLASH = 0x5c;

/**
 * One byte of `chunk-ext` (RFC 9112 §7.1.1): `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`, up to
 * the CR of the line. What it says is never used. It is read closely because a line whose end two servers see in
 * different places is a request one of them does not see.
 *
 * @param state where the last byte led
 * @returns where this one leads
 */
export function extensionStep(state: number, code: number): number {
  switch (state) {
    case BEFORE:
      return isSpace(code) ? BEFORE : code === SEMICOLON ? BEGIN : WRONG;
    case BEGIN:
      return isSpace(code) ? BEGIN : TOKEN[code] === 1 ? NAME : WRONG;
    case NAME:
      if (TOKEN[code] === 1) return NAME;
      return code === EQUALS_SIGN ? EQUALS : isSpace(code) ? AFTER_NAME : next(code);
    case AFTER_NAME:
      return code === EQUALS_SIGN ? EQUALS : isSpace(code) ? AFTER_NAME : code === SEMICOLON ? BEGIN : WRONG;
    case EQUALS:
      return isSpace(code) ? EQUALS : code === QUOTE ? QUOTED : TOKEN[code] === 1 ? VALUE : WRONG;
    case VALUE:
      return TOKEN[code] === 1 ? VALUE : isSpace(code) ? BEFORE : next(code);
    case QUOTED:
      if (FIELD_VALUE[code] === 0) return WRONG;
      return code === QUOTE ? AFTER_QUOTED : code === BACKSLASH ? ESCAPE : QUOTED;
    case ESCAPE:
      return FIELD_VALUE[code] === 0 ? WRONG : QUOTED;
    default:
      return isSpace(code) ? BEFORE : next(code);
  }
}

/** After something that may be the line's last: a further extension, or the end. */
function next(code: number): number {
  return code === SEMICOLON ? BEGIN : code === CR ? LINE_END : WRONG;
}

function isSpace(code: number): boolean {
  return code === SP || code === HTAB;
}
