import type { ClientAddress, Exchange } from '../core/exchange.ts';
import type { Fields } from '../core/fields.ts';
import * as names from '../core/names.ts';
import type { Pass } from './pass.ts';

/**
 * Tells the origin who asked: `X-Forwarded-For`, `-Proto`, `-Host`, `-Port`. What a client that is not a trusted proxy
 * says about itself is replaced; behind a trusted one, its address is appended and the rest kept.
 */
export const forwarded: Pass = {
  name: 'forwarded',
  request(exchange) {
    const { client } = exchange.front;
    const { fields } = exchange.request;
    if (client.trusted) return append(exchange, client, fields);
    for (let i = 0; i < fields.count; i++) {
      const id = fields.id(i);
      // `Forwarded` as well, though we send none unless asked: frameworks that read it first would believe it.
      if (id >= names.FORWARDED && id <= names.X_FORWARDED_PORT) fields.drop(i);
    }
    if (client.lines === '') client.lines = linesFor(client);
    fields.added += client.lines;
    const authority = hostAsSent(exchange);
    if (authority !== '') fields.added += `X-Forwarded-Host: ${authority}\r\n`;
  },
};

/** The same in the standard's form, RFC 7239; off unless asked for. */
export const forwardedStandard: Pass = {
  name: 'forwarded-standard',
  request(exchange) {
    const { client } = exchange.front;
    const { fields } = exchange.request;
    const before = client.trusted ? fields.getAll('forwarded').filter((value) => value !== '') : [];
    fields.dropAll(names.FORWARDED);
    const who = client.address.includes(':') ? `"[${client.address}]"` : client.address;
    const host = hostAsSent(exchange);
    const own = `for=${client.address === 'unix:' ? 'unknown' : who}${host === '' ? '' : `;host="${host}"`};proto=${client.scheme}`;
    fields.append('Forwarded', [...before, own].join(', '));
  },
};

function linesFor(client: ClientAddress): string {
  const address = client.address === 'unix:' ? 'unknown' : client.address;
  const port = client.localPort === 0 ? '' : `X-Forwarded-Port: ${client.localPort}\r\n`;
  return `X-Forwarded-For: ${address}\r\nX-Forwarded-Proto: ${client.scheme}\r\n${port}`;
}

function append(exchange: Exchange, client: ClientAddress, fields: Fields): void {
  const before = fields.getAll('x-forwarded-for').filter((value) => value !== '');
  fields.dropAll(names.X_FORWARDED_FOR);
  fields.append('X-Forwarded-For', [...before, client.address === 'unix:' ? 'unknown' : client.address].join(', '));
  if (fields.find(names.X_FORWARDED_PROTO) < 0) fields.append('X-Forwarded-Proto', client.scheme);
  if (fields.find(names.X_FORWARDED_PORT) < 0 && client.localPort !== 0) {
    fields.append('X-Forwarded-Port', String(client.localPort));
  }
  const authority = hostAsSent(exchange);
  if (fields.find(names.X_FORWARDED_HOST) < 0 && authority !== '') fields.append('X-Forwarded-Host', authority);
}

function hostAsSent(exchange: Exchange): string {
  const { request } = exchange;
  if (request.form === 'absolute') return request.authority;
  const index = request.fields.find(names.HOST);
  return index < 0 ? '' : request.fields.value(index);
}
