/** CRC-32 as in zlib and IEEE 802.3 (polynomial 0xEDB88320, reflected), of one byte and nothing before it. */
const TABLE: Int32Array = Int32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

/**
 * The CRC-32 of a text's UTF-8 bytes, as a signed integer like all hashes of this room: half of the unsigned ones do not
 * fit the engine's small integers, and would be an object on the heap each time a function returns one. In JavaScript because keys are short: a call into native code would
 * first have to make a buffer of each.
 */
export function crc32(text: string): number {
  let rest = -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return crc32Bytes(Buffer.from(text));
    rest = (rest >>> 8) ^ TABLE[(rest ^ code) & 0xff];
  }
  return ~rest;
}

function crc32Bytes(bytes: Uint8Array): number {
  let rest = -1;
  for (let i = 0; i < bytes.length; i++) rest = (rest >>> 8) ^ TABLE[(rest ^ bytes[i]) & 0xff];
  return ~rest;
}
