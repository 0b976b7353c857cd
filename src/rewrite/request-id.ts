import type { Clock } from '../core/clock.ts';
import * as names from '../core/names.ts';
import type { Pass } from './pass.ts';

/** What an id taken over from a trusted proxy is made of: it stands in the log between spaces, without quotes. */
const USABLE = /^[!#-[\]-~]{1,200}$/;

/**
 * Names every request: `X-Request-Id` to the origin and in the log. A trusted proxy's id is kept. Ours are a prefix
 * drawn at the start and a counter: unique, short, in order, and cheap; not secret.
 */
export function requestId(clock: Clock): Pass {
  const prefix = Math.floor((1 + clock.random()) * 36 ** 6)
    .toString(36)
    .slice(-6);
  let count = 0;
  return {
    name: 'request-id',
    request(exchange) {
      const { fields } = exchange.request;
      for (let i = 0; i < fields.count; i++) {
        if (fields.id(i) !== names.X_REQUEST_ID) continue;
        if (exchange.front.client.trusted && exchange.id === '' && USABLE.test(fields.value(i))) {
          exchange.id = fields.value(i);
        } else fields.drop(i);
      }
      if (exchange.id !== '') return;
      exchange.id = `${prefix}-${(++count).toString(36)}`;
      fields.added += `X-Request-Id: ${exchange.id}\r\n`;
    },
  };
}
