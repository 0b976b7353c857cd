import type { RouteCgiOptions } from '../codec/cgi/options.ts';
import type { Request } from '../core/request.ts';
import { indexByHost } from './host-index.ts';
import { matchers, type MatcherName } from './index.ts';
import type { Matcher, MatcherKind } from './matcher.ts';
import type { AuthorizeOptions, MatchOptions, RouteOptions } from './options.ts';
import { compileRedirect } from './redirect.ts';

/** What happens to a request, decided once. Plain records, one per route, shared by all requests. */
export type RouteAction =
  | {
      readonly kind: 'upstream';
      readonly upstream: string;
      readonly cgi: RouteCgiOptions | undefined;
      readonly authorize: AuthorizeOptions | undefined;
    }
  /** `fields`: complete field lines. `body`: UTF-8 in the latin1 form of the wire, one character per byte. */
  | { readonly kind: 'respond'; readonly status: number; readonly fields: string; readonly body: string }
  | { readonly kind: 'redirect'; readonly status: number; location(request: Request): string };

/** A route in its compiled form. */
interface CompiledRoute {
  /** For logs and metrics. */
  readonly name: string;
  readonly action: RouteAction;
  /** Every condition that the request does not meet, for people; empty when the route matches. */
  explain(request: Request, remote: string): string[];
}

/** The routes of a config, first match wins. */
export interface Table {
  readonly routes: readonly CompiledRoute[];
  /**
   * The first route that matches; `undefined` when none does, and when routes look at paths and the request's leads
   * above the root. `remote` is the client's IP address, or `unix:`.
   */
  find(request: Request, remote: string): CompiledRoute | undefined;
}

/** Compiles checked routes. */
export function compile(routes: readonly RouteOptions[]): Table {
  const compiled = routes.map((route, index) => new Route(route, index));
  const [first] = compiled;
  if (first !== undefined && first.takesAll) return { routes: compiled, find: () => first };
  return new RouteTable(
    compiled,
    routes.some((route) => route.match.path !== undefined),
  );
}

class RouteTable implements Table {
  readonly routes: readonly Route[];
  readonly #usesHost: boolean;
  readonly #usesPath: boolean;
  readonly #forHost: (host: string) => readonly Route[];

  constructor(routes: readonly Route[], usesPath: boolean) {
    this.routes = routes;
    this.#usesPath = usesPath;
    this.#forHost = indexByHost(routes);
    this.#usesHost = this.#forHost('') !== routes;
  }

  find(request: Request, remote: string): CompiledRoute | undefined {
    // A route that guards a path comes before one that takes all: what has no path must not reach the second.
    if (this.#usesPath && request.path === undefined) return undefined;
    const routes = this.#usesHost ? this.#forHost(request.host) : this.routes;
    for (let i = 0; i < routes.length; i++) if (routes[i].matches(request, remote)) return routes[i];
    return undefined;
  }
}

class Route implements CompiledRoute {
  readonly name: string;
  readonly hosts: readonly string[] | undefined;
  readonly action: RouteAction;
  readonly #matchers: readonly Matcher[];

  constructor(options: RouteOptions, index: number) {
    this.name = options.name ?? `#${index + 1}`;
    this.action = compileAction(options);
    this.hosts = options.match.host;
    this.#matchers = compileMatchers(options.match);
  }

  get takesAll(): boolean {
    return this.#matchers.length === 0;
  }

  matches(request: Request, remote: string): boolean {
    const list = this.#matchers;
    for (let i = 0; i < list.length; i++) if (!list[i].matches(request, remote)) return false;
    return true;
  }

  explain(request: Request, remote: string): string[] {
    return this.#matchers
      .filter((matcher) => !matcher.matches(request, remote))
      .map((matcher) => matcher.explain(request, remote));
  }
}

/** Whether `later` can never match because every request that would has been taken by `earlier`. */
export function shadows(earlier: MatchOptions, later: MatchOptions): boolean {
  return entries(earlier).every(([kind, wide]) => {
    const narrow = later[kind.name as MatcherName];
    if (narrow === undefined) return kind.coversAll?.(wide as never) === true;
    return kind.covers(wide as never, narrow as never);
  });
}

function compileMatchers(match: MatchOptions): Matcher[] {
  return entries(match).map(([kind, pattern]) => kind.compile(pattern as never));
}

/** The conditions that are set, in the order of the list. */
function entries(match: MatchOptions): [kind: MatcherKind, pattern: unknown][] {
  return Object.values(matchers as unknown as Record<string, MatcherKind>)
    .map((kind): [MatcherKind, unknown] => [kind, match[kind.name as MatcherName]])
    .filter(([, pattern]) => pattern !== undefined);
}

function compileAction({ to, cgi, authorize, respond, redirect }: RouteOptions): RouteAction {
  if (to !== undefined) return { kind: 'upstream', upstream: to, cgi, authorize };
  if (redirect !== undefined) {
    return { kind: 'redirect', status: redirect.status, location: compileRedirect(redirect.to) };
  }
  const { status, headers, body } = respond ?? { status: 404, headers: {}, body: '' };
  const lines = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name}: ${value}\r\n`),
  );
  const typed = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  if (body !== '' && !typed) lines.push('Content-Type: text/plain; charset=utf-8\r\n');
  return { kind: 'respond', status, fields: lines.join(''), body: Buffer.from(body).toString('latin1') };
}
