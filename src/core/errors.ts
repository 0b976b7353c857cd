/**
 * Everything that can go wrong with a request, once: who is to blame, what the client is told, what RFC 9209 calls it,
 * and whether another origin may be asked. Codes are stable; wording is not.
 *
 * `retry`: `always` nothing was sent to the origin, or it says that it has not begun · `idempotent` something was, so only a request that may be repeated
 * (RFC 9110 §9.2.2) is sent again · `never`.
 * `proxy`: the error type of the `Proxy-Status` field (RFC 9209 §2.3); `-` where the proxy sends none.
 */
export const errors = {
  // The client's message breaks the grammar. The connection is closed: what follows cannot be trusted to be a request.
  'bad-request-line': row(
    'client',
    400,
    'http_request_error',
    'never',
    'The request line is not `METHOD SP target SP HTTP/x.y CRLF`.',
  ),
  'bad-method': row(
    'client',
    400,
    'http_request_error',
    'never',
    'The method is not a token, or longer than 64 characters.',
  ),
  'bad-target': row(
    'client',
    400,
    'http_request_error',
    'never',
    'The request target is not in a form this method allows, holds a byte that must be percent-encoded, or leaves the root with `..`.',
  ),
  'bad-version': row(
    'client',
    400,
    'http_request_error',
    'never',
    'The protocol version is not of the form `HTTP/digit.digit`.',
  ),
  'unsupported-version': row('client', 505, 'http_request_error', 'never', 'The major protocol version is not 1.'),
  'bad-field': row(
    'client',
    400,
    'http_request_error',
    'never',
    'A field line has a bad name, a space before its colon, or a control character in its value.',
  ),
  'folded-field': row(
    'client',
    400,
    'http_request_error',
    'never',
    'A field line is folded (starts with white space), which RFC 9112 §5.2 forbids.',
  ),
  'bare-line-end': row(
    'client',
    400,
    'http_request_error',
    'never',
    'A line ends with LF or CR alone instead of CRLF.',
  ),
  'bad-host': row('client', 400, 'http_request_error', 'never', 'Host is missing, repeated or not `host[:port]`.'),
  'bad-content-length': row(
    'client',
    400,
    'http_request_error',
    'never',
    'Content-Length is repeated, not a plain decimal number, or too large to be one.',
  ),
  'conflicting-length': row(
    'client',
    400,
    'http_request_error',
    'never',
    'The request has both Content-Length and Transfer-Encoding: the classic smuggling vehicle.',
  ),
  'bad-transfer-encoding': row(
    'client',
    400,
    'http_request_error',
    'never',
    'Transfer-Encoding does not end in one plain `chunked`, or the request is HTTP/1.0.',
  ),
  'unknown-transfer-coding': row(
    'client',
    501,
    'http_request_error',
    'never',
    'A transfer coding other than `chunked` is used.',
  ),
  'bad-chunk': row(
    'client',
    400,
    'http_request_error',
    'never',
    'A chunk of the body has a malformed or oversized size line, or does not end in CRLF.',
  ),
  'target-too-long': row(
    'client',
    414,
    'http_request_error',
    'never',
    'The request target is longer than `limits.target`.',
  ),
  'head-too-large': row(
    'client',
    431,
    'http_request_error',
    'never',
    'The head is larger than `limits.head`, or has more fields than `limits.fields`.',
  ),
  'head-too-large-for-origin': row(
    'client',
    431,
    'http_request_error',
    'never',
    "The head does not fit into what the origin's protocol can carry: a packet of `ajp.packetSize`, or 64 KiB of variables with uwsgi. Nothing was sent.",
  ),
  'trailers-too-large': row(
    'client',
    431,
    'http_request_error',
    'never',
    'The trailer section is larger than `limits.head`, or has more fields than `limits.fields`.',
  ),
  'length-required': row(
    'client',
    411,
    'http_request_denied',
    'never',
    "The body is chunked, the origin's protocol wants to know its length first, and `spool.size` is 0.",
  ),
  'body-too-large': row('client', 413, 'http_request_denied', 'never', 'The body is larger than `limits.body`.'),
  'spool-full': row(
    'client',
    413,
    'http_request_denied',
    'never',
    'A chunked body for an origin that wants to know the length first is larger than `spool.size`.',
  ),
  'head-timeout': row('client', 408, 'http_request_error', 'never', 'The head did not arrive within `timeouts.head`.'),
  'body-timeout': row('client', 408, 'http_request_error', 'never', 'No byte of the body arrived for `timeouts.body`.'),
  'unknown-expectation': row(
    'client',
    417,
    'http_request_error',
    'never',
    'Expect holds something other than `100-continue`.',
  ),
  'method-refused': row('client', 405, 'http_request_denied', 'never', 'TRACE and CONNECT are not served.'),
  'client-gone': row(
    'client',
    499,
    '-',
    'never',
    'The client closed its connection before the answer was complete. Nobody is told. The log shows 499, or the status of the answer that had begun.',
  ),
  'client-slow': row(
    'client',
    499,
    '-',
    'never',
    'The client took no byte of its answer for `timeouts.write`, and was cut off.',
  ),

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
  ),
  'program-not-started': row(
    'sluice',
    503,
    'proxy_internal_error',
    'always',
    'A CGI program could not be started: this machine has no processes, files or memory left, or `process.user` cannot be had.',
  ),
  'name-not-found': row('origin', 502, 'dns_error', 'always', "The origin's host name does not resolve."),

  // The origin failed after something was sent.
  'origin-closed': row(
    'origin',
    502,
    'connection_terminated',
    'idempotent',
    'The origin closed or reset the connection before it answered.',
  ),
  'origin-overloaded': row(
    'origin',
    503,
    'connection_limit_reached',
    'always',
    'The FastCGI application turned the request away before it began with it: it is overloaded, or busy with another one.',
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
  'hook-failed': row('sluice', 500, 'proxy_internal_error', 'never', 'A hook of the embedding program threw.'),
  internal: row(
    'sluice',
    500,
    'proxy_internal_error',
    'never',
    'A defect in sluice. Please report it with the log line.',
  ),
} as const satisfies Record<string, ErrorRow>;

export type Side = 'client' | 'origin' | 'sluice';
type RetryRule = 'always' | 'idempotent' | 'never';

export interface ErrorRow {
  readonly side: Side;
  /** The status the client is answered with, when the answer has not begun. */
  readonly status: number;
  readonly proxy: string;
  readonly retry: RetryRule;
  readonly about: string;
}

export type ErrorCode = keyof typeof errors;

function row(side: Side, status: number, proxy: string, retry: RetryRule, about: string): ErrorRow {
  return { side, status, proxy, retry, about };
}

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
