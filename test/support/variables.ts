/** Reads what SCGI and uwsgi applications are sent, apart from the code under test. */
import assert from 'node:assert/strict';

export interface Variables {
  /** In the order in which they came. */
  readonly pairs: readonly (readonly [name: string, value: string])[];
  /** What comes behind them: the body. */
  readonly rest: Buffer;
}

/** SCGI specification, "Request Format": a netstring of texts that end with NUL. */
export function readScgi(bytes: Buffer): Variables {
  const [whole, digits = ''] = /^([1-9]\d*):/.exec(bytes.latin1Slice(0, 20)) ?? assert.fail('no netstring');
  const end = whole.length + Number(digits);
  assert.equal(bytes[end], 0x2c, 'a comma ends the netstring');
  const words = bytes.latin1Slice(whole.length, end).split('\0');
  assert.equal(words.pop(), '', 'every text ends with NUL');
  const pairs: [string, string][] = [];
  for (let i = 0; i < words.length; i += 2)
    pairs.push([words[i], words[i + 1] ?? assert.fail('a name without a value')]);
  return { pairs, rest: bytes.subarray(end + 1) };
}

/** uwsgi-docs, "The uwsgi Protocol": a size, and texts behind their lengths, all little-endian. */
export function readUwsgi(bytes: Buffer): Variables & { readonly modifiers: readonly [number, number] } {
  const end = 4 + bytes.readUInt16LE(1);
  const pairs: [string, string][] = [];
  let at = 4;
  const text = (): string => {
    const start = at + 2;
    at = start + bytes.readUInt16LE(at);
    assert.ok(at <= end, 'a text goes beyond its packet');
    return bytes.latin1Slice(start, at);
  };
  while (at < end) pairs.push([text(), text()]);
  return { modifiers: [bytes[0], bytes[3]], pairs, rest: bytes.subarray(end) };
}
