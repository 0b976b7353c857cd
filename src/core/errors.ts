import { clientErrors } from './client-errors.ts';
import { type ErrorRow, row } from './error-row.ts';

export type { ErrorRow, Side } from './error-row.ts';

/**
 * Everything that can go wrong with a request, once: who is to blame, what the client is told, what RFC 9209 calls it,
 * and whether another origin may be asked. Codes are stable; wording is not.
 *
 * `retry`: `always` nothing was sent to the origin, or it says that it has not begun · `idempotent` something was, so only a request that may be repeated
 * (RFC 9110 §9.2.2) is sent again · `never`.
 * `lasts`: see `ErrorRow`.
 * `proxy`: the error type of the `Proxy-Status` field (RFC 9209 §2.3); `-` where the proxy sends none.
 */
export const errors = {
  ...clientErrors,

  // Nobody may be asked.
  'no-route': row('sluice', 404, 'destination_not_found', 'never', 'No route matches the request.'),
  'too-many-connections': row(
    'sluice',
    503,
    'connection_limit_reached',
    'never',
    'The listener has `limits.connections` connections, or the address `limits.connectionsPerAddress`.',
  ),
  draining: row(
    'sluice',
    503,
    'proxy_internal_response',
    'never',
    'sluice is shutting down and takes no new requests.',
  ),
  'no-script': row(
    'sluice',
    404,
    'destination_not_found',
    'never',
    'The path names no script: no segment of it ends with one of `cgi.split`, and neither `cgi.index` nor `cgi.front` stands in.',
  ),
  'script-missing': row(
    'sluice',
    404,
    'destination_not_found',
    'never',
    'The path names a CGI script that is not below `cgi.root`.',
  ),
  'script-forbidden': row(
    'sluice',
    403,
    'http_request_denied',
    'never',
    'The file that the path names is not run: it is not executable, has no interpreter, or is a link that leads out of `cgi.root`.',
  ),
  'no-origin': row(
    'sluice',
    503,
    'destination_unavailable',
    'never',
    'Every origin that could be asked has been, or the upstream has none.',
  ),
  'children-stopped': row(
    'sluice',
    503,
    'destination_unavailable',
    'never',
    'The processes that sluice starts for this upstream have crashed too often, or cannot be started at all. The log says why; `sluice restart` begins again.',
  ),
  'backlog-full': row(
    'sluice',
    503,
    'connection_limit_reached',
    'never',
    'All origins are busy and `queue.size` requests wait already.',
  ),
  'backlog-timeout': row(
    'sluice',
    504,
    'connection_limit_reached',
    'never',
    'No origin became free within `queue.timeout`.',
  ),

  // The origin could not be reached: nothing was sent, so any request may go elsewhere.
  'connect-refused': row(
    'origin',
    502,
    'connection_refused',
    'always',
    'The origin refused the connection: nothing listens there.',
  ),
  'connect-timeout': row(
    'origin',
    504,
    'connection_timeout',
    'always',
    'The connection to the origin was not established within `timeouts.connect`.',
  ),
  'connect-failed': row(
    'origin',
    502,
    'destination_ip_unroutable',
    'always',
    'The origin cannot be reached: no route, no socket file, no permission.',
  ),
  'program-missing': row(
    'origin',
    502,
    'destination_unavailable',
    'always',
    'The program of a `cgi:` origin is not there, or sluice may not run it.',
    'lasts',
  ),
  'program-not-started': row(
    'sluice',
    503,
    'proxy_internal_error',
    'always',
    'A CGI program could not be started: this machine has no processes, files or memory left, or `process.user` cannot be had.',
  ),
  'name-not-found': row('origin', 502, 'dns_error', 'always', "The origin's host name does not resolve."),

  // The connection was made, but not over TLS as the config wants it: nothing was sent, or nothing was looked at.
  'tls-untrusted': row(
    'origin',
    502,
    'tls_certificate_error',
    'always',
    "The origin's certificate is not issued by anybody who is trusted: `tls.ca` is missing, or the origin does not send its whole chain.",
    'lasts',
  ),
  'tls-expired': row(
    'origin',
    502,
    'tls_certificate_error',
    'always',
    "The origin's certificate has expired.",
    'lasts',
  ),
  'tls-not-yet-valid': row(
    'origin',
    502,
    'tls_certificate_error',
    'always',
    "The origin's certificate is not valid yet, or the clock of one of the machines is wrong.",
    'lasts',
  ),
  'tls-wrong-name': row(
    'origin',
    502,
    'tls_certificate_error',
    'always',
    "The origin's certificate is for other names than `tls.serverName`, which is the host in the origin's URL unless given.",
    'lasts',
  ),
  'tls-wrong-fingerprint': row(
    'origin',
    502,
    'tls_certificate_error',
    'always',
    "The origin's certificate is none of those in `tls.fingerprint`.",
    'lasts',
  ),
  'tls-bad-certificate': row(
    'origin',
    502,
    'tls_certificate_error',
    'always',
    "The origin's certificate cannot be used: a signature is wrong, a key is too weak, or it is for another purpose.",
    'lasts',
  ),
  'tls-client-certificate': row(
    'origin',
    502,
    'tls_alert_received',
    'always',
    'The origin wants a client certificate (`tls.cert`), or does not accept the one it got.',
    'lasts',
  ),
  'tls-refused': row(
    'origin',
    502,
    'tls_alert_received',
    'always',
    'The origin ended the TLS handshake with an alert: no common version, cipher or name.',
    'lasts',
  ),
  'tls-no-protocol': row(
    'origin',
    502,
    'tls_protocol_error',
    'always',
    "The origin speaks TLS, but not the protocol of its URL's scheme: it has not chosen it by ALPN.",
    'lasts',
  ),
  'tls-not-spoken': row(
    'origin',
    502,
    'tls_protocol_error',
    'always',
    'The origin does not speak TLS: it answered with something else. Its URL may have to begin with http://.',
    'lasts',
  ),
  'tls-failed': row(
    'origin',
    502,
    'tls_protocol_error',
    'always',
    'The TLS handshake failed, or the origin closed the connection in the middle of it.',
  ),

  // The origin failed after something was sent.
  'origin-closed': row(
    'origin',
    502,
    'connection_terminated',
    'idempotent',
    'The origin closed or reset the connection before it answered, or broke it by what it sent for another request.',
  ),
  'origin-overloaded': row(
    'origin',
    503,
    'connection_limit_reached',
    'always',
    'The FastCGI application turned the request away before it began with it: it is overloaded, or busy with another one.',
  ),
  'stream-refused': row(
    'origin',
    503,
    'connection_limit_reached',
    'always',
    'The HTTP/2 origin says that it has not begun with the request: REFUSED_STREAM, or GOAWAY because it ends the connection.',
  ),
  'stream-reset': row(
    'origin',
    502,
    'connection_terminated',
    'idempotent',
    'The HTTP/2 origin gave up the request (RST_STREAM) before it answered.',
  ),
  'version-refused': row(
    'origin',
    502,
    'http_protocol_error',
    'never',
    'The HTTP/2 origin wants HTTP/1.1 for this request (HTTP_1_1_REQUIRED). Write its URL with http:// or https://.',
  ),
  'no-websocket': row(
    'origin',
    502,
    'http_upgrade_failed',
    'always',
    'The HTTP/2 origin takes no WebSockets (RFC 8441), or has not said so. Write its URL with http:// or https://, or switch them on there.',
  ),
  'bad-answer': row(
    'origin',
    502,
    'http_protocol_error',
    'never',
    "The origin's answer is not HTTP, or its framing is contradictory.",
  ),
  'answer-head-too-large': row(
    'origin',
    502,
    'http_response_header_section_size',
    'never',
    "The head of the origin's answer is larger than `limits.answerHead`.",
  ),
  'answer-incomplete': row(
    'origin',
    502,
    'http_response_incomplete',
    'never',
    "The origin closed the connection in the middle of its answer. The client's connection is cut, so the answer looks cut off.",
  ),
  'answer-timeout': row(
    'origin',
    504,
    'http_response_timeout',
    'idempotent',
    'The origin sent no answer within `timeouts.firstByte`.',
  ),
  'program-ended': row(
    'origin',
    502,
    'connection_terminated',
    'idempotent',
    'A CGI program ended, or closed its output, before the head of its answer was complete.',
  ),
  'answer-stalled': row(
    'origin',
    504,
    'connection_read_timeout',
    'never',
    'The origin sent nothing for `timeouts.idle` in the middle of its answer.',
  ),
  'origin-stalled': row(
    'origin',
    504,
    'connection_write_timeout',
    'never',
    'The origin took no byte of the request for `timeouts.idle`.',
  ),
  'origin-removed': row(
    'sluice',
    503,
    'destination_unavailable',
    'idempotent',
    'The origin was taken out of the config, and its requests did not end within `timeouts.drain`.',
  ),
  'bad-upgrade': row(
    'origin',
    502,
    'http_upgrade_failed',
    'never',
    'The origin switched to a protocol the client did not ask for.',
  ),

  'spool-failed': row(
    'sluice',
    507,
    'proxy_internal_error',
    'never',
    'A chunked body that has to be gathered cannot be written to `spool.folder`, or not be read again: the disk is full, or sluice may not write there.',
  ),
  'too-many-detours': row(
    'sluice',
    500,
    'proxy_loop_detected',
    'never',
    'The request was led elsewhere more than 8 times: applications whose local redirects go round in a circle.',
  ),
  'hook-failed': row('sluice', 500, 'proxy_internal_error', 'never', 'A hook of the embedding program threw.'),
  internal: row(
    'sluice',
    500,
    'proxy_internal_error',
    'never',
    'A defect in sluice. Please report it with the log line.',
  ),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errors;

/** The one error class. Match on `code`; `message` is for people. */
export class SluiceError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, detail?: string, cause?: unknown) {
    super(detail === undefined ? errors[code].about : `${errors[code].about} (${detail})`, { cause });
    this.name = 'SluiceError';
    this.code = code;
  }

  get row(): ErrorRow {
    return errors[this.code];
  }
}

/** All codes in an order that stays while sluice runs, for memory that has only numbers; 0 is none. */
const NUMBERED: readonly (ErrorCode | '')[] = ['', ...(Object.keys(errors) as ErrorCode[])];

export function numberOf(code: ErrorCode | ''): number {
  return NUMBERED.indexOf(code);
}

export function codeOf(number: number): ErrorCode | '' {
  return NUMBERED[number] ?? '';
}
