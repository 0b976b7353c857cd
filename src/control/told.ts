import { environment } from '../codec/cgi/environment.ts';
import { mergeCgi, type RouteCgiOptions } from '../codec/cgi/options.ts';
import { commandOf } from '../codec/cgi/program.ts';
import { scriptOf } from '../codec/cgi/script.ts';
import type { RequestTarget } from '../codec/codec.ts';
import { codecOf } from '../codec/index.ts';
import type { UpstreamConfig } from '../config/config.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { authorityOf, type OriginAddress } from '../core/origin.ts';
import type { Command } from '../core/program.ts';

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
  const authority = host === 'pass' || host === 'origin' ? authorityOf(origin) : host;
  const { program } = origin;
  const target: RequestTarget = { authority, replaceHost: host !== 'pass', cgi };
  const variables = variablesOf(exchange, program === undefined ? target : { ...target, program });
  if (typeof variables === 'string') return variables;
  return variables.map(([name, value]) => {
    // One character is one byte, and most of them are UTF-8.
    const text = Buffer.from(value, 'latin1').toString('utf8');
    return `${name}=${name === 'HTTP_X_REQUEST_ID' && value === exchange.id ? '(another for each request)' : text}`;
  });
}

/** What is run goes by other rules than what is told of a script. */
function variablesOf(exchange: Exchange, target: RequestTarget): Command['env'] | ErrorCode {
  const { request } = exchange;
  if (target.program !== undefined) {
    const command = commandOf(request, target, exchange);
    return typeof command === 'string' ? command : command.env;
  }
  const script = scriptOf(request, target.cgi);
  if (typeof script === 'string') return script;
  const variables: (readonly [string, string])[] = [];
  environment(request, target, exchange, script, (name, value) => void variables.push([name, value]));
  return variables;
}
