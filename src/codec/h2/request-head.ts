import { createHash } from 'node:crypto';
import type { Request } from '../../core/request.ts';
import type { RequestTarget } from '../codec.ts';
import { hostOf } from '../host.ts';
import type { BlockWriter } from './block-writer.ts';
import { writeFields } from './field-lines.ts';
import type { HpackEncoder } from './hpack-encoder.ts';
import { nameOf } from './names.ts';

const METHOD = nameOf(':method');
const SCHEME = nameOf(':scheme');
const AUTHORITY = nameOf(':authority');
const PATH = nameOf(':path');
const PROTOCOL = nameOf(':protocol');
const TE = nameOf('te');
const KEY = 'sec-websocket-key';

/** Names of the pseudo-fields, `te: trailers`, and 32 bytes for each of them. */
const PSEUDO = 320;

/** RFC 6455 §1.3. */
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** RFC 9113 §8.3.1, or RFC 8441 §4 for a WebSocket: the head of a request as one block. */
export function writeHead(
  request: Request,
  target: RequestTarget,
  websocket: boolean,
  encoder: HpackEncoder,
  into: BlockWriter,
): void {
  encoder.begin(into);
  encoder.field(METHOD, websocket ? 'CONNECT' : request.method, into);
  if (websocket) encoder.field(PROTOCOL, 'websocket', into);
  // Of this hop: origins compare it with how they were reached. What the client used is in X-Forwarded-Proto.
  encoder.field(SCHEME, target.secure === true ? 'https' : 'http', into);
  encoder.field(PATH, request.pathAndQuery, into);
  const host = hostOf(request, target);
  if (host !== '') encoder.field(AUTHORITY, host, into);
  // RFC 8441 §5: the key proves that HTTP/1.1 was understood, and means nothing here.
  writeFields(request.fields, encoder, into, websocket ? KEY : '');
  if (request.takesTrailers) encoder.field(TE, 'trailers', into);
}

/** Whether the head counts for more than this against SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113 §6.5.2). */
export function exceeds(most: number, request: Request, target: RequestTarget): boolean {
  const { fields } = request;
  const host = hostOf(request, target);
  let size = request.method.length + request.pathAndQuery.length + host.length + PSEUDO;
  // No added line is shorter than `a: \r\n`. Hardly any head comes near the limit, so this is the usual end.
  if (size + fields.text.length + fields.count * 32 + fields.added.length * 8 <= most) return false;
  for (let i = 0; i < fields.count; i++) {
    if (fields.kept(i)) size += fields.name(i).length + fields.value(i).length + 32;
  }
  return size + fields.added.length + (fields.added.split('\n').length - 1) * 32 > most;
}

/** What a WebSocket's opening is to be answered with; '' when the request opens none. RFC 6455 §4.1, §4.2.2. */
export function websocketAccept(request: Request): string {
  if (request.upgrade === '' || request.method !== 'GET' || request.framing !== 'none') return '';
  if (!request.upgrade.toLowerCase().split(', ').includes('websocket')) return '';
  const key = request.fields.get(KEY);
  if (key === undefined) return '';
  return createHash('sha1')
    .update(key + WEBSOCKET_GUID, 'latin1')
    .digest('base64');
}
