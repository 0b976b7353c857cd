import { type ErrorCode, errors } from './errors.ts';

/** Reason phrases: IANA's registry of status codes. HTTP/2 and some containers send none, and HTTP/1.1 wants one. */
const PHRASES: Record<number, string> = {
  100: 'Continue',
  101: 'Switching Protocols',
  102: 'Processing',
  103: 'Early Hints',
  104: 'Upload Resumption Supported',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  207: 'Multi-Status',
  208: 'Already Reported',
  226: 'IM Used',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  305: 'Use Proxy',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  423: 'Locked',
  424: 'Failed Dependency',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  506: 'Variant Also Negotiates',
  507: 'Insufficient Storage',
  508: 'Loop Detected',
  511: 'Network Authentication Required',
};

export function phraseOf(status: number): string {
  return PHRASES[status] ?? '';
}

/**
 * The answer to a request that failed: field lines and a short body in the format the client accepts. It names the
 * error's code and the request's id, so that a user's report can be found in the log, and nothing of the inside.
 *
 * @param accept the request's `Accept`, '' without one
 * @param retryAfter seconds for `Retry-After`, 0 for none
 * @param cause what an attempt had met before this error came of it; '' for nothing
 */
export function errorAnswer(
  code: ErrorCode,
  accept: string,
  id: string,
  retryAfter = 0,
  cause: ErrorCode | '' = '',
): { status: number; lines: string; body: string } {
  const { status, proxy } = errors[code];
  const phrase = phraseOf(status);
  let lines =
    proxy === '-'
      ? ''
      : `Proxy-Status: sluice; error=${proxy}; details="${code}${cause === '' || cause === code ? '' : `; ${cause}`}"\r\n`;
  if (retryAfter > 0) lines += `Retry-After: ${retryAfter}\r\n`;
  if (status === 405) lines += 'Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n';
  lines += 'Cache-Control: no-store\r\n';
  const safe = /^[\w.:+/=-]{0,200}$/.test(id) ? id : '';
  if (/\bjson\b/i.test(accept)) {
    const body = JSON.stringify({ status, error: code, message: phrase, ...(safe === '' ? {} : { id: safe }) });
    return { status, lines: `${lines}Content-Type: application/json\r\n`, body: `${body}\n` };
  }
  if (/\btext\/html\b/i.test(accept)) {
    const line = `${code}${safe === '' ? '' : ` (request ${safe})`}`;
    const body = `<!doctype html><meta charset="utf-8"><title>${status} ${phrase}</title><h1>${status} ${phrase}</h1><p>${line}</p>\n`;
    return { status, lines: `${lines}Content-Type: text/html; charset=utf-8\r\n`, body };
  }
  const body = `${status} ${phrase}: ${code}${safe === '' ? '' : ` (request ${safe})`}\n`;
  return { status, lines: `${lines}Content-Type: text/plain; charset=utf-8\r\n`, body };
}
