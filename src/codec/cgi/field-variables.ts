import type { Fields } from '../../core/fields.ts';
import { ownText } from '../../core/own-text.ts';
import type { Tell } from './environment.ts';

/** One thread tells one request at a time. */
const found: string[] = [];
const values: string[] = [];

/**
 * Tells the fields of a request as variables.
 *
 * @param from where the added lines begin that are to be told; those before it are told elsewhere
 * @param elsewhere the variables of those. When another field is one of them, too, nothing is told
 * @returns whether they have been told
 */
export function tellFields(fields: Fields, tell: Tell, from = 0, elsewhere: readonly string[] = []): boolean {
  found.length = 0;
  values.length = 0;
  for (let i = 0; i < fields.count; i++) {
    if (fields.kept(i)) collect(variableOf(fields.name(i)), fields.value(i));
  }
  collectLines(fields.added, from);
  for (const name of elsewhere) if (found.includes(name)) return false;
  for (let i = 0; i < found.length; i++) tell(found[i], values[i]);
  return true;
}

/** Tells complete field lines as variables. */
export function tellLines(lines: string, tell: Tell): void {
  found.length = 0;
  values.length = 0;
  collectLines(lines, 0);
  for (let i = 0; i < found.length; i++) tell(found[i], values[i]);
}

function collectLines(lines: string, from: number): void {
  for (let at = from; at < lines.length;) {
    const end = lines.indexOf('\r\n', at);
    const colon = lines.indexOf(':', at);
    collect(variableOf(lines.slice(at, colon)), lines.slice(colon + 2, end));
    at = end + 2;
  }
}

/** RFC 3875 §4.1.18: fields of one name become one variable. Cookies are joined as RFC 6265 §5.4 separates them. */
function collect(name: string, value: string): void {
  if (name === '') return;
  const index = found.indexOf(name);
  if (index < 0) {
    found.push(name);
    values.push(value);
  } else values[index] += (name === 'HTTP_COOKIE' ? '; ' : ', ') + value;
}

/** Variables by the name of the field, as it was spelled. Bounded, since clients choose the names. */
const spelled = new Map<string, string>();
const MOST_SPELLED = 1000;

function variableOf(name: string): string {
  const known = spelled.get(name);
  if (known !== undefined) return known;
  const variable = mangle(name);
  if (spelled.size < MOST_SPELLED) spelled.set(ownText(name), ownText(variable));
  return variable;
}

/** No variables: they concern the connection, or are told in another way. */
const NEVER = new Set([
  'HOST',
  'CONTENT_LENGTH',
  'TRANSFER_ENCODING',
  'CONNECTION',
  'KEEP_ALIVE',
  'PROXY_CONNECTION',
  'TE',
  'TRAILER',
  'UPGRADE',
  'EXPECT',
  'HTTP2_SETTINGS',
  // "httpoxy", CVE-2016-5385 and others: programs take HTTP_PROXY for the proxy that they should use.
  'PROXY',
]);

/**
 * `User-Agent` is HTTP_USER_AGENT. A name with anything but letters, digits and hyphens is no variable, as in Apache:
 * `X_User` would become what `X-User` becomes, and a client could pass for the proxy before us that sets the other.
 */
function mangle(name: string): string {
  if (!/^[a-z0-9-]+$/i.test(name)) return '';
  const upper = name.toUpperCase().replaceAll('-', '_');
  if (NEVER.has(upper)) return '';
  return upper === 'CONTENT_TYPE' ? upper : `HTTP_${upper}`;
}
