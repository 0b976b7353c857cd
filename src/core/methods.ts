/** Methods that may be sent again without harm (RFC 9110 §9.2.2, and QUERY by its own definition). */
const IDEMPOTENT = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'PUT',
  'DELETE',
  'TRACE',
  'QUERY',
  'PROPFIND',
  'REPORT',
  'SEARCH',
]);

export function isIdempotent(method: string): boolean {
  return method === 'GET' || IDEMPOTENT.has(method);
}
