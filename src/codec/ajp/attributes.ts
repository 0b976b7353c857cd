import type { Asker, RequestTarget } from '../codec.ts';
import { bytesOf } from '../cgi/script.ts';
import * as codes from './codes.ts';
import type { PacketWriter } from './packet.ts';

/** Variables that the protocol has a number for, by the names that Apache's mod_ssl and CGI have for them. */
const CODED: ReadonlyMap<string, number> = new Map([
  ['REMOTE_USER', codes.REMOTE_USER],
  ['AUTH_TYPE', codes.AUTH_TYPE],
  ['SSL_CLIENT_CERT', codes.SSL_CERT],
  ['SSL_CIPHER', codes.SSL_CIPHER],
  ['SSL_SESSION_ID', codes.SSL_SESSION],
  ['SSL_CIPHER_USEKEYSIZE', codes.SSL_KEY_SIZE],
]);

/** Tomcat and Undertow know these request attributes by name, and let them in. */
const REMOTE_PORT = 'AJP_REMOTE_PORT';
const NAMED: ReadonlyMap<string, string> = new Map([['SSL_PROTOCOL', 'AJP_SSL_PROTOCOL']]);

/**
 * What is told of a request beside its head: the port of the client, and the variables of `cgi.env` and of authorizers.
 *
 * Containers refuse requests with attributes that they have not been told to expect (Tomcat's
 * `allowedRequestAttributesPattern`). So what an authorizer says comes over by itself only where the protocol has a number
 * for it, or every container a name; `wanted` names the rest.
 *
 * No field of the client's becomes an attribute: containers trust those (CVE-2020-1938 read any file that way).
 */
export function writeAttributes(
  packet: PacketWriter,
  { cgi: { env } }: RequestTarget,
  { remote, front: { client }, variables = null }: Asker,
  wanted: readonly string[],
): void {
  const told = new Map<string, string>();
  // The port is the peer's: of a client behind other proxies nobody knows it.
  if (remote === client.address && client.port > 0) told.set(REMOTE_PORT, String(client.port));
  if (variables !== null) {
    for (const [name, value] of variables) {
      // An authorizer that speaks HTTP/2 has small letters only.
      const upper = name.toUpperCase();
      const known = CODED.has(upper) || NAMED.has(upper) ? upper : wanted.find((one) => one.toUpperCase() === upper);
      if (known !== undefined) told.set(known, value);
    }
  }
  for (const [name, value] of Object.entries(env)) told.set(name, bytesOf(value));
  for (const [name, value] of told) write(packet, name, value);
}

function write(packet: PacketWriter, name: string, value: string): void {
  const code = CODED.get(name);
  if (code === codes.SSL_KEY_SIZE) {
    // The only one that is a number; a container would read two bytes of any text.
    const bits = Number(value);
    if (!Number.isInteger(bits) || bits < 0 || bits > 0xffff) return;
    packet.byte(code);
    packet.word(bits);
    return;
  }
  packet.byte(code ?? codes.REQUEST_ATTRIBUTE);
  if (code === undefined) packet.string(NAMED.get(name) ?? name);
  packet.string(value);
}
