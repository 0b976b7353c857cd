import type { ErrorCode } from '../../core/errors.ts';
import { normalizePath, type Request } from '../../core/request.ts';
import type { CgiOptions } from './options.ts';

/** Which script a request is for. One character is one byte, escapes are decoded. */
export interface Script {
  /** SCRIPT_NAME: the part of the path that leads to the script; '' for an application at the root. */
  readonly name: string;
  /** PATH_INFO: the part behind it; `name` and `info` together are the path, except where `index` or `front` stepped in. */
  readonly info: string;
}

/**
 * Finds the script of a request, or why it has none.
 *
 * It goes by the path that routes see, with dot segments and `//` resolved, or else `/public/../admin.php` would be routed as
 * one thing and run as another. A `%2F` stays escaped for the same reason: `..%2f` must not become a step upwards
 * behind the routes' back. A NUL is refused: C programs end a string there, and run `evil.jpg` for `evil.jpg%00.php`.
 * REQUEST_URI has everything as it was sent.
 */
export function scriptOf(request: Request, cgi: CgiOptions): Script | ErrorCode {
  const path = bytePath(request);
  if (path === undefined) return 'bad-target';
  if (cgi.split.length > 0) return split(path, cgi);
  const prefix = bytesOf(cgi.prefix);
  // A path elsewhere than at the mount point: the two still make up the path, as applications expect.
  if (prefix === '' || !startsWithin(path, prefix)) return { name: '', info: path };
  return { name: prefix, info: path.slice(prefix.length) };
}

/**
 * The same where the script is a file that sluice runs itself. Without `split` it is named by the first segment below
 * `prefix`, as in the cgi-bin folders of old.
 */
export function scriptFileOf(request: Request, cgi: CgiOptions): Script | ErrorCode {
  const script = cgi.split.length > 0 ? scriptOf(request, cgi) : firstSegment(request, cgi);
  // What begins with a dot is hidden for a reason: .git has executables, too.
  return typeof script === 'object' && script.name.includes('/.') ? 'no-script' : script;
}

function firstSegment(request: Request, cgi: CgiOptions): Script | ErrorCode {
  const path = bytePath(request);
  if (path === undefined) return 'bad-target';
  const prefix = bytesOf(cgi.prefix);
  const from = prefix.length + 1;
  if (startsWithin(path, prefix) && path.length > from) {
    const slash = path.indexOf('/', from);
    const end = slash < 0 ? path.length : slash;
    return { name: path.slice(0, end), info: path.slice(end) };
  }
  if (cgi.index !== '' && path === `${prefix}/`) return { name: path + bytesOf(cgi.index), info: '' };
  if (cgi.front !== '') return { name: bytesOf(cgi.front), info: path };
  return 'no-script';
}

/** Text of a config as the bytes of its UTF-8, one character each, as everything on the wire. */
export function bytesOf(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/**
 * A path without a script never becomes a file name: a PHP that is told to run `/uploads/picture.jpg` runs the PHP in it.
 */
function split(path: string, { split: ends, index, front }: CgiOptions): Script | ErrorCode {
  const end = scriptEnd(path, ends);
  if (end > 0) return { name: path.slice(0, end), info: path.slice(end) };
  if (index !== '' && path.endsWith('/')) return { name: path + bytesOf(index), info: '' };
  if (front !== '') return { name: bytesOf(front), info: path };
  return 'no-script';
}

/** Where the first segment ends that ends with one of `ends`; -1 when none does. `/a.php.txt` and `/a.php5` are none. */
function scriptEnd(path: string, ends: readonly string[]): number {
  let first = -1;
  for (const one of ends) {
    const tail = bytesOf(one);
    for (let i = path.indexOf(tail); i >= 0; i = path.indexOf(tail, i + 1)) {
      const after = i + tail.length;
      if (first >= 0 && after >= first) break;
      if (after !== path.length && path.charCodeAt(after) !== SLASH) continue;
      first = after;
      break;
    }
  }
  return first;
}

const SLASH = 0x2f;

function startsWithin(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return path.length === prefix.length || path.charCodeAt(prefix.length) === SLASH;
}

function bytePath(request: Request): string | undefined {
  // `OPTIONS *` is about the application as a whole.
  if (request.form === 'asterisk') return '/';
  const whole = request.pathAndQuery;
  const mark = whole.indexOf('?');
  const raw = mark < 0 ? whole : whole.slice(0, mark);
  if (raw === '*') return '/';
  return raw.includes('%00') ? undefined : normalizePath(raw, decodeBytes);
}

/** Every escape but that of a slash becomes its byte, UTF-8 or not: what a file is called is the application's matter. */
function decodeBytes(run: string): string {
  return run.replace(/%(?!2f)([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}
