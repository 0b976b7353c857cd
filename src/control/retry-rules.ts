import type { UpstreamConfig } from '../config/config.ts';
import { type ErrorCode, errors } from '../core/errors.ts';
import type { Request } from '../core/request.ts';
import { isIdempotent } from '../core/methods.ts';

/** When a request like this would be sent again, in sentences. The codes are those of docs/errors.md. */
export function retryRules({ method, framing }: Request, { retries, timeouts }: UpstreamConfig): string[] {
  const connect = `not taken on (${coded('always')}): another origin is asked, until none is left; then it waits in the queue, unless waiting mends nothing`;
  if (!isIdempotent(method))
    return [connect, `${method} is not repeated once it was sent: the origin may have acted on it`];
  const rules = [
    connect,
    'a kept connection that closes before the answer begins: once more to the same origin, on a new connection',
  ];
  if (retries.count === 0) return [...rules, 'otherwise not repeated once it was sent: retries.count is 0'];
  const body = framing === 'none' ? '' : `, if its body so far is at most ${retries.buffer} bytes`;
  const wait = timeouts.firstByte === Infinity ? '' : `, or no answer in ${timeouts.firstByte} ms`;
  rules.push(
    `sent, and the connection closed${wait} (${coded('idempotent')}): ${retries.count} more, each to another origin${body}; ` +
      `repeated requests are at most ${Math.round(retries.budget * 100)} % of all`,
  );
  return [...rules, 'never after the first byte of an answer'];
}

/** The codes with a rule, so that this page and the line cannot disagree. Families of them are told by what they begin with. */
function coded(rule: 'always' | 'idempotent'): string {
  const codes = (Object.keys(errors) as ErrorCode[]).filter((code) => errors[code].retry === rule);
  return [...new Set(codes.map((code) => code.replace(/^(connect|program|tls)-.*/, '$1-…')))].join(', ');
}
