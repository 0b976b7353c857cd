import { availableParallelism } from 'node:os';
import type { ResolverOptions } from '../discover/options.ts';
import type { CheckOptions } from '../check/options.ts';
import type { AdminOptions } from '../admin/options.ts';
import type { HeaderOptions } from '../rewrite/options.ts';
import type { LimitOptions, ListenerOptions } from '../listen/options.ts';
import type { LogOptions } from '../observe/options.ts';
import type { RouteOptions } from '../route/options.ts';
import type { ProcessOptions } from '../spawn/options.ts';
import type { ConfiguredOrigin, UpstreamOptions } from '../upstream/options.ts';
import { showListenAddress, type ListenAddress } from '../listen/options.ts';
import type { BalanceOptions, Parsed } from './schema.ts';

/** Asked once: a machine or container that is resized must not change what "auto" was, for threads cannot change on a reload. */
const CORES = availableParallelism();

/**
 * Programs of one origin that run at once when nothing is said. Most of what a CGI program does is to start, which takes
 * processor time and memory: more of them at once would all be slower. Some wait for a database meanwhile, so a few per
 * core. The others wait in the queue.
 */
const PROGRAMS = 4 * CORES;

/**
 * A checked config with everything filled in: plain, immutable data. Times are milliseconds, sizes bytes, both Infinity
 * where switched off.
 */
export interface Config {
  /** At least one. */
  readonly listen: readonly ListenerOptions[];
  readonly upstreams: Readonly<Record<string, UpstreamConfig>>;
  /** At least one, first match wins; `to` names one of `upstreams`. */
  readonly routes: readonly RouteOptions[];
  readonly resolver: ResolverOptions;
  readonly log: LogOptions;
  /** What listeners inherit, and what origins may send. */
  readonly limits: LimitOptions & { readonly answerHead: number };
  readonly timeouts: { readonly drain: number };
  readonly headers: HeaderOptions;
  /** `null`: there is no admin interface. */
  readonly admin: AdminOptions | null;
  readonly threads: number;
}

export interface UpstreamConfig extends UpstreamOptions {
  readonly balance: BalanceOptions;
  /** `null`: no active checks. */
  readonly check: CheckOptions | null;
  readonly process: ProcessOptions;
}

/** Fills in what one part of the config takes from another. */
export function complete(parsed: Parsed): Config {
  const upstreams = Object.fromEntries(
    Object.entries(parsed.upstreams).map(([name, upstream]): [string, UpstreamConfig] => [
      name,
      { ...upstream, origins: upstream.origins.map((origin) => completeOrigin(origin, name, upstream.maxConnections)) },
    ]),
  );
  const { drain, ...timeouts } = parsed.timeouts;
  return deepFreeze({
    listen: parsed.listen.map((listener) => completeListener(listener, { ...parsed, timeouts })),
    upstreams,
    routes: parsed.routes ?? [{ match: {}, to: Object.keys(upstreams)[0] }],
    resolver: parsed.resolver,
    log: parsed.log,
    limits: parsed.limits,
    timeouts: { drain },
    headers: parsed.headers,
    threads: parsed.threads === 'auto' ? CORES : parsed.threads,
    admin: parsed.admin,
  });
}

type ParsedListener = Parsed['listen'][number];

type LongForm = { readonly address: ListenAddress } & Partial<Exclude<ParsedListener, ListenAddress>>;

function completeListener(
  given: ParsedListener,
  top: Pick<Parsed, 'limits' | 'keepAlive' | 'trustedProxies'> & { timeouts: Omit<Parsed['timeouts'], 'drain'> },
): ListenerOptions {
  const own: LongForm = 'address' in given ? given : { address: given };
  const address: ListenAddress =
    own.address.kind === 'unix' && own.mode !== undefined ? { ...own.address, mode: own.mode } : own.address;
  const { answerHead: _, ...limits } = top.limits;
  return {
    address,
    name: own.name ?? showListenAddress(address),
    limits: { ...limits, ...given_(own.limits) },
    timeouts: { ...top.timeouts, ...given_(own.timeouts) },
    keepAlive: { ...top.keepAlive, ...given_(own.keepAlive) },
    trustedProxies: own.trustedProxies ?? top.trustedProxies,
    http2: own.http2 ?? true,
  };
}

function completeOrigin(origin: ConfiguredOrigin, upstream: string, most: number): ConfiguredOrigin {
  const shared = origin.address.program !== undefined && most === Infinity ? PROGRAMS : most;
  const maxConnections = origin.maxConnections ?? shared;
  if (origin.spawn === undefined) return { ...origin, maxConnections };
  const { name = upstream } = origin.spawn;
  const address = { ...origin.address, host: name };
  return { ...origin, maxConnections, url: `spawn:${name}`, address, spawn: { ...origin.spawn, name } };
}

type Given<Options> = { [Key in keyof Options]: Exclude<Options[Key], undefined> };

/** Only what is set: an explicit `undefined` in a TypeScript config overrides nothing. */
function given_<Options extends object>(options: Options | undefined): Partial<Given<Options>> {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined)) as never;
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
