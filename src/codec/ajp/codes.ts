/**
 * The numbers of AJP/1.3, from Apache's "AJP Protocol Reference v1.3" (tomcat.apache.org/connectors-doc/ajp/ajpv13a.html).
 */

/** First byte of a packet's content. */
export const FORWARD_REQUEST = 2;
export const SEND_BODY_CHUNK = 3;
export const SEND_HEADERS = 4;
export const END_RESPONSE = 5;
export const GET_BODY_CHUNK = 6;
export const CPONG = 9;
export const CPING = 10;

/** Methods by their code, which begins at 1. */
const METHODS = [
  ...['OPTIONS', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE'],
  ...['LOCK', 'UNLOCK', 'ACL', 'REPORT', 'VERSION-CONTROL', 'CHECKIN', 'CHECKOUT', 'UNCHECKOUT', 'SEARCH'],
  ...['MKWORKSPACE', 'UPDATE', 'LABEL', 'MERGE', 'BASELINE-CONTROL', 'MKACTIVITY'],
];

export const METHOD_CODES: ReadonlyMap<string, number> = new Map(METHODS.map((name, index) => [name, index + 1]));

/** The method has no code: it stands in the attribute `STORED_METHOD`. */
export const OTHER_METHOD = 0xff;

const REQUEST_HEADERS = [
  ...['accept', 'accept-charset', 'accept-encoding', 'accept-language', 'authorization', 'connection', 'content-type'],
  ...['content-length', 'cookie', 'cookie2', 'host', 'pragma', 'referer', 'user-agent'],
];

export const REQUEST_HEADER_CODES: ReadonlyMap<string, number> = new Map(
  REQUEST_HEADERS.map((name, index) => [name, 0xa001 + index]),
);

/** Names of an answer's coded fields, the first one being 0xA001. */
export const ANSWER_HEADERS: readonly string[] = [
  ...['Content-Type', 'Content-Language', 'Content-Length', 'Date', 'Last-Modified', 'Location', 'Set-Cookie'],
  ...['Set-Cookie2', 'Servlet-Engine', 'Status', 'WWW-Authenticate'],
];

/** Attributes of a request. */
export const REMOTE_USER = 0x03;
export const AUTH_TYPE = 0x04;
export const QUERY_STRING = 0x05;
export const SSL_CERT = 0x07;
export const SSL_CIPHER = 0x08;
export const SSL_SESSION = 0x09;
export const REQUEST_ATTRIBUTE = 0x0a;
export const SSL_KEY_SIZE = 0x0b;
export const SECRET = 0x0c;
export const STORED_METHOD = 0x0d;
export const ATTRIBUTES_END = 0xff;
