/** The Huffman code of RFC 7541 §5.2 and Appendix B, both ways. */

/**
 * How long the code of each symbol is, from which the codes follow: the shorter first, among equals in the order of the
 * symbols. Symbol 256 is the end of a string.
 */
const LENGTHS: readonly (readonly [bits: number, symbols: string])[] = [
  [5, '48-50 97 99 101 105 111 115 116'],
  [6, '32 37 45-47 51-57 61 65 95 98 100 102-104 108-110 112 114 117'],
  [7, '58 66-87 89 106 107 113 118-122'],
  [8, '38 42 44 59 88 90'],
  [10, '33 34 40 41 63'],
  [11, '39 43 124'],
  [12, '35 62'],
  [13, '0 36 64 91 93 126'],
  [14, '94 125'],
  [15, '60 96 123'],
  [19, '92 195 208'],
  [20, '128 130 131 162 184 194 224 226'],
  [21, '153 161 167 172 176 177 179 209 216 217 227 229 230'],
  [22, '129 132-134 136 146 154 156 160 163 164 169 170 173 178 181 185-187 189 190 196 198 228 232 233'],
  [23, '1 135 137-141 143 147 149-152 155 157 158 165 166 168 174 175 180 182 183 188 191 197 231 239'],
  [24, '9 142 144 145 148 159 171 206 215 225 236 237'],
  [25, '199 207 234 235'],
  [26, '192 193 200-202 205 210 213 218 219 238 240 242 243 255'],
  [27, '203 204 211 212 214 221-223 241 244-248 250-254'],
  [28, '2-8 11 12 14-21 23-31 127 220 249'],
  [30, '10 13 22 256'],
];
const END = 256;

const CODE = new Uint32Array(257);
const BITS = new Uint8Array(257);

{
  let code = 0;
  let before = 0;
  for (const [bits, symbols] of LENGTHS) {
    for (const part of symbols.split(' ')) {
      const [first, last = first] = part.split('-').map(Number);
      for (let symbol = first; symbol <= last; symbol++) {
        code <<= bits - before;
        before = bits;
        CODE[symbol] = code++;
        BITS[symbol] = bits;
      }
    }
  }
}

/** Bytes that `text` (one character per byte) has when coded. */
export function codedLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += BITS[text.charCodeAt(i)];
  return (bits + 7) >>> 3;
}

/** Writes `text` coded at `at`; returns the offset after it. The last byte is filled with ones. */
export function encode(text: string, into: Uint8Array, at: number): number {
  let out = at;
  let held = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    const code = CODE[symbol];
    let left = BITS[symbol];
    // At most 7 bits wait, so a code of up to 24 fits beside them; the rare longer ones go in two parts.
    if (left > 24) {
      left -= 16;
      held = (held << 16) | (code >>> left);
      bits += 16;
      while (bits >= 8) into[out++] = held >>> (bits -= 8);
      held &= (1 << bits) - 1;
    }
    held = (held << left) | (code & ((1 << left) - 1));
    bits += left;
    while (bits >= 8) into[out++] = held >>> (bits -= 8);
    held &= (1 << bits) - 1;
  }
  if (bits > 0) into[out++] = (held << (8 - bits)) | (0xff >>> bits);
  return out;
}

/**
 * Decoding goes by half bytes: `state * 16 + half` leads to the next state, and to a symbol when one is complete. No code is
 * shorter than 5 bits, so there is never more than one. States are the inner nodes of the code's tree.
 */
const NEXT = new Uint16Array(256 * 16);
const SYMBOL = new Int16Array(256 * 16).fill(-1);
/** A string may end here: fewer than 8 bits since the last symbol, all ones (RFC 7541 §5.2). */
const MAY_END = new Uint8Array(256);
/** The next state where the string is wrong: it holds the symbol END. */
const WRONG = 0xffff;

{
  // Children of inner nodes: a node's number, or -1 - symbol.
  const children: [number, number][] = [[0, 0]];
  for (let symbol = 0; symbol <= END; symbol++) {
    let node = 0;
    for (let bit = BITS[symbol] - 1; bit >= 0; bit--) {
      const side = (CODE[symbol] >>> bit) & 1;
      if (bit === 0) children[node][side] = -1 - symbol;
      else {
        if (children[node][side] === 0) children[node][side] = children.push([0, 0]) - 1;
        node = children[node][side];
      }
    }
  }
  for (const state of children.keys()) {
    for (let half = 0; half < 16; half++) {
      const slot = state * 16 + half;
      let node = state;
      for (let bit = 3; bit >= 0; bit--) {
        const child: number = children[node][(half >>> bit) & 1];
        if (child === -1 - END) {
          NEXT[slot] = WRONG;
          break;
        }
        if (child < 0) SYMBOL[slot] = -1 - child;
        node = child < 0 ? 0 : child;
        NEXT[slot] = node;
      }
    }
  }
  for (let ones = 0, node = 0; ones < 8; ones++, node = children[node][1]) MAY_END[node] = 1;
}

/** Bytes that a string of `length` coded bytes can become at most. */
export function mostDecoded(length: number): number {
  return Math.floor((length * 8) / 5);
}

/** Decodes `from[start, end)` to `into`, from its beginning; returns the length, or -1 when it is no such code. */
export function decode(from: Uint8Array, start: number, end: number, into: Uint8Array): number {
  let out = 0;
  let state = 0;
  for (let i = start; i < end; i++) {
    const byte = from[i];
    let slot = state * 16 + (byte >>> 4);
    if (SYMBOL[slot] >= 0) into[out++] = SYMBOL[slot];
    state = NEXT[slot];
    if (state === WRONG) return -1;
    slot = state * 16 + (byte & 15);
    if (SYMBOL[slot] >= 0) into[out++] = SYMBOL[slot];
    state = NEXT[slot];
    if (state === WRONG) return -1;
  }
  return MAY_END[state] === 1 ? out : -1;
}
