import type { Request } from '../core/request.ts';

/** What a placeholder becomes, as it can stand in a Location: nothing here is decoded. */
const PLACEHOLDERS: Readonly<Record<string, (request: Request) => string>> = {
  host: (request) => request.host,
  path: (request) => request.pathAndQuery.split('?', 1)[0],
  query: (request) => request.query,
  uri: (request) => request.pathAndQuery,
};

/** What is wrong with the target of a redirect, or `undefined` when nothing is. */
export function redirectProblem(
  to: string,
): { message: string; within?: string; near?: readonly string[] } | undefined {
  for (const [text, name = ''] of to.matchAll(/\{([^{}]*)\}/g)) {
    if (Object.hasOwn(PLACEHOLDERS, name)) continue;
    const names = Object.keys(PLACEHOLDERS);
    return {
      message: `unknown placeholder ${text}; known: ${names.map((one) => `{${one}}`).join(', ')}`,
      within: text,
    };
  }
  const plain = to.replace(/\{[a-z]+\}/g, 'x');
  if (/[{}\s\x00-\x1f\x7f]/.test(plain)) return { message: 'a space or a brace has to be percent-encoded' };
  if (/^(?:\/(?!\/)|https?:\/\/[^/])/i.test(to) || /^\{(?:path|uri)\}/.test(to)) return undefined;
  return { message: 'expected a path such as /new, or a URL such as https://{host}{uri}' };
}

/**
 * Compiles the target: the Location for a request. A path that starts with `//` would name another host, so leading
 * slashes become one wherever the request's own path comes first.
 */
export function compileRedirect(to: string): (request: Request) => string {
  const parts = to.split(/\{([a-z]+)\}/).map((part, i) => (i % 2 === 0 ? encode(part) : PLACEHOLDERS[part]));
  const fromPath = /^\{(?:path|uri)\}/.test(to);
  return (request) => {
    let location = '';
    for (const part of parts) location += typeof part === 'function' ? part(request) : (part ?? '');
    return fromPath ? location.replace(/^[/\\]{2,}/, '/') : location;
  };
}

/** Characters beyond ASCII as UTF-8 escapes; what is escaped already stays. */
function encode(text: string): string {
  return text.replace(/[^\x21-\x7e]+/g, encodeURIComponent);
}
