import type { Clock } from '../core/clock.ts';
import type { Exchange } from '../core/exchange.ts';
import * as names from '../core/names.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const THOUSANDTHS: readonly string[] = Array.from({ length: 1000 }, (_, index) => String(index).padStart(3, '0'));

/** Makes one line of an exchange that is over. */
export type AccessFormat = (exchange: Exchange) => string;

/**
 * Combined Log Format, then what a proxy knows: `id upstream origin attempts queue connect first total reason`.
 * Times are milliseconds with three decimals, `-` for what was not reached: `queue` from the head to a slot, `connect`
 * from there to a channel, `first` from the channel to the answer's head, `total` from the head to the answer's end. Where more is
 * known of a failure than its reason, that follows in quotes: what reads the fields before it need not know of it.
 *
 *     127.0.0.1 - - [21/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8" k2x-1 app 127.0.0.1:3000 1 0.050 0.210 1.300 1.600 -
 */
export function textFormat(clock: Clock): AccessFormat {
  const stamp = secondStamp(clock, (date) => {
    const two = (value: number): string => String(value).padStart(2, '0');
    const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
    return `[${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000]`;
  });
  return (exchange) => {
    const { request } = exchange;
    const line =
      request.method === '' ? '-' : `${request.method} ${quotedTarget(request.target)} HTTP/${request.version}`;
    const now = exchange.ended;
    return (
      `${exchange.remote} - - ${stamp()} "${line}" ${exchange.status || '-'} ${exchange.bytesOut} ` +
      `"${field(exchange, names.REFERER)}" "${field(exchange, names.USER_AGENT)}" ${exchange.id || '-'} ` +
      `${exchange.upstream || '-'} ${exchange.origin === null ? '-' : exchange.origin.name} ${exchange.attempts} ` +
      `${span(exchange.started, exchange.assigned)} ${span(exchange.assigned, exchange.connected)} ` +
      `${span(exchange.connected, exchange.answered)} ${millis(now - exchange.started)} ${exchange.error || '-'}${detail(exchange)}\n`
    );
  };
}

/** The same facts and a few more, one JSON object per line; absent ones are left out. Times in milliseconds. */
export function jsonFormat(clock: Clock): AccessFormat {
  return (exchange) => {
    const { request, front } = exchange;
    const round = (from: number, to: number): number | undefined =>
      from === 0 || to === 0 ? undefined : Math.round((to - from) * 1000) / 1000;
    const text = JSON.stringify({
      time: new Date(clock.wall()).toISOString(),
      listener: front.client.listener,
      client: exchange.remote,
      peer: exchange.remote === front.client.address ? undefined : front.client.address,
      method: request.method || undefined,
      target: request.target || undefined,
      host: request.fields.text === '' ? undefined : request.authority || undefined,
      version: request.version,
      status: exchange.status || undefined,
      bytesIn: exchange.bytesIn,
      bytesOut: exchange.bytesOut,
      referer: plain(exchange, names.REFERER),
      userAgent: plain(exchange, names.USER_AGENT),
      id: exchange.id || undefined,
      traceId: exchange.traceId || undefined,
      spanId: exchange.spanId || undefined,
      route: exchange.route || undefined,
      upstream: exchange.upstream || undefined,
      origin: exchange.origin?.name,
      attempts: exchange.attempts,
      reused: exchange.reused || undefined,
      queue: round(exchange.started, exchange.assigned),
      connect: round(exchange.assigned, exchange.connected),
      first: round(exchange.connected, exchange.answered),
      total: round(exchange.started, exchange.ended),
      error: exchange.error || undefined,
      detail: exchange.errorDetail || undefined,
    });
    return `${Buffer.from(text).latin1Slice()}\n`;
  };
}

/** Formats the wall clock once a second. */
function secondStamp(clock: Clock, format: (date: Date) => string): () => string {
  let second = -1;
  let text = '';
  return () => {
    const present = Math.floor(clock.wall() / 1000);
    if (present !== second) {
      second = present;
      text = format(new Date(present * 1000));
    }
    return text;
  };
}

function span(from: number, to: number): string {
  return from === 0 || to === 0 ? '-' : millis(to - from);
}

/** `toFixed(3)` for what is never negative, at a tenth of its cost: it is asked four times per request. */
function millis(ms: number): string {
  const micros = Math.round(ms * 1000);
  const whole = Math.floor(micros / 1000);
  return `${whole}.${THOUSANDTHS[micros - whole * 1000]}`;
}

function plain(exchange: Exchange, id: number): string | undefined {
  const { fields } = exchange.request;
  const index = fields.find(id);
  return index < 0 ? undefined : fields.value(index);
}

function field(exchange: Exchange, id: number): string {
  const value = plain(exchange, id);
  return value === undefined || value === '' ? '-' : quoted(value);
}

/** UTF-8 byte by byte, as nginx escapes it: a line is ASCII. */
function detail({ errorDetail }: Exchange): string {
  return errorDetail === '' ? '' : ` "${quoted(Buffer.from(errorDetail).latin1Slice())}"`;
}

/** A target that got here is visible ASCII; only these two matter. */
function quotedTarget(target: string): string {
  return target.includes('"') || target.includes('\\') ? quoted(target) : target;
}

/** What a client sends must not end the quotes or the line it stands in. */
function quoted(text: string): string {
  return /["\\]|[^\x20-\x7e]/.test(text)
    ? text.replace(
        /["\\]|[^\x20-\x7e]/g,
        (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
      )
    : text;
}
