/**
 * Everything that can be wrong with a config, once. Codes are stable; wording is not. docs/errors.md is made of this.
 */
export const problemCodes = {
  // The file.
  'config/not-found': 'There is no such file, or no config in the folder.',
  'config/ambiguous-file': 'The folder has several configs; name the one that is meant.',
  'config/unknown-format': 'The file is neither TypeScript nor JavaScript, YAML or JSON, by the end of its name.',
  'config/unreadable': 'The file cannot be read.',
  'config/syntax': 'The file breaks the grammar of its language.',
  'config/duplicate-key': 'The same key occurs twice in one place, so one of them would be ignored.',
  'config/empty': 'The file holds nothing.',
  'config/no-default-export': 'A script has to export the config: `export default defineConfig({ … })`.',
  'config/failed': 'The script threw an error, or imports what is not there.',

  // Keys and values, one by one.
  'config/unknown-key': 'There is no such option here.',
  'config/missing': 'An option without a default is missing.',
  'config/wrong-type': 'The value is of another type than the option.',
  'config/unknown-value': 'The option takes one of a few names, and this is none of them.',
  'config/bad-value': 'The value has the right type but not the right form.',
  'config/out-of-range': 'The number is too small or too large.',
  'config/bad-name': 'A name has characters that it cannot have.',
  'config/bad-address': 'The address of a listener is not PORT, HOST:PORT, [IPv6]:PORT or unix:/path.',
  'config/bad-url': 'The URL of an origin is not one.',
  'config/scheme': 'No codec of this release speaks the protocol of an origin.',
  'config/bad-host': 'The host of a route is neither a name nor *.name.',
  'config/bad-path': 'The path of a route has no known form, or could never match.',
  'config/bad-regex': 'The regular expression is not one, or needs what RE2 leaves out to stay linear.',
  'config/bad-method': 'The method of a route is not one, or never reaches a route.',
  'config/bad-network': 'Not an IP address or network.',
  'config/bad-redirect': 'The target of a redirect is neither a path nor an http(s) URL.',

  // One part against another.
  'config/unknown-upstream': 'A route leads to an upstream that does not exist.',
  'config/no-action': 'A route has none of `to`, `respond` and `redirect`.',
  'config/two-actions': 'A route has more than one of `to`, `respond` and `redirect`.',
  'config/no-routes': 'There is nothing to serve, or several upstreams and no routes to tell which requests go where.',
  'config/unreachable-route': 'Every request that the route matches is taken by an earlier one.',
  'config/unheard': 'A part of an upstream is for protocols that none of its origins speaks.',
  'config/no-origins': 'An upstream has no origins.',
  'config/duplicate-origin': 'An upstream has the same origin twice; a weight gives it a larger share.',
  'config/duplicate-listener': 'Two listeners have the same address or name.',
  'config/admin-token': 'The admin interface on a TCP address has no token, or has two.',
  'config/admin-public': 'Other machines could reach the admin interface, and the config does not say that they shall.',
  'config/no-body': 'The status of a fixed answer allows no body.',

  // The config against the machine, and what it will most likely not do: `sluice check` says it, and the log at each start and reload.
  'config/missing-program':
    'A program that is to be run is not there, or is not executable. A warning: it may come yet.',
  'config/missing-folder': 'A folder or file is not there. A warning: it may be mounted yet.',
  'config/missing-account': 'There is no such user or group, so nothing can run as it.',
  'config/no-script':
    'FastCGI applications such as php-fpm are told of no script. A warning: there are some that need none.',
} as const satisfies Record<string, string>;

export type ProblemCode = keyof typeof problemCodes;

/** Keys and indexes from the top of the config. */
export type PropertyPath = readonly (string | number)[];

/** One thing that is wrong with a config. */
export interface Problem {
  readonly code: ProblemCode;
  /** What is wrong, where in the config, and what was probably meant; one line. */
  readonly message: string;
  readonly path: PropertyPath;
  /** As it was given; missing when the config did not come from a file. */
  readonly file?: string;
  /** From 1; missing when the place in the text is not known. */
  readonly line?: number;
  /** It can be run all the same. */
  readonly warning?: true;
  /** In characters, from 1. */
  readonly column?: number;
  /** The line, and a line of carets below what is wrong. */
  readonly excerpt?: string;
}

/** `file:line:column: message`, `warning: ` before it where it is one, then the line with a caret. */
export function showProblem({ file, line, column, message, excerpt, warning }: Problem): string {
  const place = [file, line, column].filter((part) => part !== undefined).join(':');
  return `${place === '' ? '' : `${place}: `}${warning === true ? 'warning: ' : ''}${message}${excerpt === undefined ? '' : `\n${excerpt}`}`;
}

/** All problems, one paragraph each. */
export function showProblems(problems: readonly Problem[]): string {
  return problems.map(showProblem).join('\n\n');
}

/** `upstreams.app.origins[0]`; '' at the top. */
export function showPath(path: PropertyPath): string {
  return path
    .map((part, i) => {
      if (typeof part === 'number') return `[${part}]`;
      if (!/^[\w$-]+$/.test(part)) return `[${JSON.stringify(part)}]`;
      return i === 0 ? part : `.${part}`;
    })
    .join('');
}
