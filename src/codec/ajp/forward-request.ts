import * as names from '../../core/names.ts';
import type { Request } from '../../core/request.ts';
import type { Asker, RequestTarget } from '../codec.ts';
import { cameByHttps, hostOf, splitHost } from '../host.ts';
import { writeAttributes } from './attributes.ts';
import * as codes from './codes.ts';
import { PacketWriter } from './packet.ts';

export interface AjpOptions {
  readonly secret: string;
  readonly packetSize: number;
  /** Variables of authorizers that are request attributes. */
  readonly attributes: readonly string[];
}

/** Fields that this hop frames by itself: the container learns of the body by the length and by packets. */
const OWN = new Set([names.HOST, names.CONTENT_LENGTH, names.TRANSFER_ENCODING, names.EXPECT, names.CONNECTION]);

/** FORWARD_REQUEST: the whole head of a request as one packet; `undefined` when it does not fit into one. */
export function forwardRequest(
  request: Request,
  target: RequestTarget,
  from: Asker,
  { secret, packetSize, attributes }: AjpOptions,
): Buffer | undefined {
  const packet = new PacketWriter(packetSize);
  const { client } = from.front;
  const https = cameByHttps(request, client);
  const host = hostOf(request, target);
  const [name, port] = splitHost(host, https ? 443 : 80);
  const whole = request.pathAndQuery;
  const mark = whole.indexOf('?');
  const method = codes.METHOD_CODES.get(request.method);
  packet.byte(codes.FORWARD_REQUEST);
  packet.byte(method ?? codes.OTHER_METHOD);
  packet.string(`HTTP/${request.version}`);
  packet.string(mark < 0 ? whole : whole.slice(0, mark));
  packet.string(from.remote);
  // The client's host name: nobody looks it up, and containers do it themselves where they are told to.
  packet.string(from.remote);
  packet.string(name);
  packet.word(port);
  packet.byte(https ? 1 : 0);
  const lines = linesOf(request, host);
  packet.word(lines.length);
  for (const [field, value] of lines) {
    const code = codes.REQUEST_HEADER_CODES.get(field.toLowerCase());
    if (code === undefined) packet.string(field);
    else packet.word(code);
    packet.string(value);
  }
  const attribute = (code: number, text: string): void => {
    packet.byte(code);
    packet.string(text);
  };
  if (mark >= 0) attribute(codes.QUERY_STRING, whole.slice(mark + 1));
  if (method === undefined) attribute(codes.STORED_METHOD, request.method);
  if (secret !== '') attribute(codes.SECRET, secret);
  writeAttributes(packet, target, from, attributes);
  packet.byte(codes.ATTRIBUTES_END);
  return packet.overflow ? undefined : packet.finish();
}

function linesOf(request: Request, host: string): [name: string, value: string][] {
  const lines: [string, string][] = [];
  if (host !== '') lines.push(['Host', host]);
  for (const line of request.fields.entries()) if (!OWN.has(names.identifyText(line[0]))) lines.push(line);
  if (request.framing === 'length') lines.push(['Content-Length', String(request.length)]);
  // Nothing is chunked here, but Tomcat reads the parameters of a form without a length only when it sees this.
  else if (request.framing === 'chunked') lines.push(['Transfer-Encoding', 'chunked']);
  else if (request.framing === 'none' && mayHaveBody(request.method)) lines.push(['Content-Length', '0']);
  return lines;
}

/** Without a length the container would ask for a body, and wait for packets that say there is none. */
function mayHaveBody(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD';
}
