import { environment } from '../codec/cgi/environment.ts';
import { mergeCgi, type RouteCgiOptions } from '../codec/cgi/options.ts';
import { scriptOf } from '../codec/cgi/script.ts';
import { codecOf } from '../codec/index.ts';
import type { UpstreamConfig } from '../config/config.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { authorityOf, type OriginAddress } from '../core/origin.ts';

/**
 * The variables that an origin would be told, as `NAME=value`, for protocols that have CGI's names; or why the path names no
 * script. `undefined` for other protocols, which carry fields.
 */
export function told(
  exchange: Exchange,
  { host, cgi: own }: UpstreamConfig,
  route: RouteCgiOptions | undefined,
  origin: OriginAddress,
): string[] | ErrorCode | undefined {
  if (codecOf(origin.scheme).speaksCgi !== true) return undefined;
  const cgi = route === undefined ? own : mergeCgi(own, route);
  const script = scriptOf(exchange.request, cgi);
  if (typeof script === 'string') return script;
  const authority = host === 'pass' || host === 'origin' ? authorityOf(origin) : host;
  const variables: string[] = [];
  environment(exchange.request, { authority, replaceHost: host !== 'pass', cgi }, exchange, script, (name, value) => {
    // One character is one byte, and most of them are UTF-8.
    const text = Buffer.from(value, 'latin1').toString('utf8');
    variables.push(
      `${name}=${name === 'HTTP_X_REQUEST_ID' && value === exchange.id ? '(another for each request)' : text}`,
    );
  });
  return variables;
}
