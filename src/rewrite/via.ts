import type { Pass } from './pass.ts';

/** Adds this hop to `Via` in both directions (RFC 9110 §7.6.3); off unless given a name. */
export function via(name: string): Pass {
  return {
    name: 'via',
    request(exchange) {
      exchange.request.fields.append('Via', `${exchange.request.version} ${name}`);
    },
    answer(_exchange, answer) {
      answer.fields.append('Via', `1.${answer.minor} ${name}`);
    },
  };
}
