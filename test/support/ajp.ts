/** Writes and reads AJP/1.3 as a container does, apart from the code under test: from the protocol's reference. */
import assert from 'node:assert/strict';

export const word = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);

export const string = (text: string): Buffer =>
  Buffer.concat([word(text.length), Buffer.from(text, 'latin1'), Buffer.of(0)]);

/** A packet of a container. */
export function fromContainer(...content: readonly Buffer[]): Buffer {
  const all = Buffer.concat(content);
  return Buffer.concat([Buffer.from('AB'), word(all.length), all]);
}

/** A packet of a server. */
export function toContainer(...content: readonly Buffer[]): Buffer {
  const all = Buffer.concat(content);
  return Buffer.concat([word(0x1234), word(all.length), all]);
}

export function sendHeaders(status: number, fields: readonly (readonly [string, string])[] = []): Buffer {
  const lines = fields.flatMap(([name, value]) => [string(name), string(value)]);
  return fromContainer(Buffer.of(4), word(status), string(String(status)), word(fields.length), ...lines);
}

export const sendBody = (bytes: Buffer | string): Buffer => {
  const body = Buffer.from(bytes as string, 'latin1');
  return fromContainer(Buffer.of(3), word(body.length), body, Buffer.of(0));
};

export const endResponse = (reuse = true): Buffer => fromContainer(Buffer.of(5, reuse ? 1 : 0));

export const getBody = (size: number): Buffer => fromContainer(Buffer.of(6), word(size));

/** The contents of all packets of a server; bytes of one that is not complete stay out. */
export function packetsOf(bytes: Buffer): Buffer[] {
  const all: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    assert.equal(bytes.readUInt16BE(at), 0x1234, 'the magic of a packet to a container');
    const length = bytes.readUInt16BE(at + 2);
    assert.ok(at + 4 + length <= bytes.length, 'a packet is sent whole');
    all.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return all;
}

export interface Forwarded {
  readonly method: number;
  readonly protocol: string;
  readonly uri: string;
  readonly remote: string;
  readonly host: string;
  readonly name: string;
  readonly port: number;
  readonly https: boolean;
  /** Names as text, or the code in hex. */
  readonly fields: readonly (readonly [string, string])[];
  /** By code in hex; request attributes are `0a NAME`. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Reads FORWARD_REQUEST. */
export function forwardedOf(content: Buffer): Forwarded {
  let at = 0;
  const byte = (): number => content[at++];
  const two = (): number => content.readUInt16BE((at += 2) - 2);
  const text = (): string => {
    const length = two();
    const start = at;
    at += length + 1;
    assert.equal(content[at - 1], 0, 'a string ends with NUL');
    return content.latin1Slice(start, start + length);
  };
  assert.equal(byte(), 2, 'FORWARD_REQUEST');
  const method = byte();
  const [protocol, uri, remote, host, name] = [text(), text(), text(), text(), text()];
  const port = two();
  const https = byte() === 1;
  const fields: [string, string][] = [];
  for (let left = two(); left > 0; left--) {
    const coded = content[at] === 0xa0;
    fields.push([coded ? two().toString(16) : text(), text()]);
  }
  const attributes: Record<string, string> = {};
  for (let code = byte(); code !== 0xff; code = byte()) {
    const key = code.toString(16).padStart(2, '0');
    if (code === 0x0a) attributes[`${key} ${text()}`] = text();
    else attributes[key] = text();
  }
  assert.equal(at, content.length, 'nothing follows the attributes');
  return { method, protocol, uri, remote, host, name, port, https, fields, attributes };
}
