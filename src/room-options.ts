/** From the config to what rooms ask for, where the two are not the same. */
import type { CodecLimits } from './codec/codec.ts';
import type { Config } from './config/config.ts';
import { Networks } from './core/networks.ts';
import type { ListenerOptions } from './listen/listener.ts';
import type { ProcessOptions } from './spawn/options.ts';

/** Applications send more fields than clients do: at least 200. */
export function codecLimits({ limits }: Config): CodecLimits {
  return { head: limits.answerHead, fields: Math.max(limits.fields, 200) };
}

export function listenerOptions(options: Config['listen'][number]): ListenerOptions {
  const { name, address, limits, timeouts, keepAlive, trustedProxies, http2 } = options;
  return {
    name,
    address,
    limits: { ...limits, underscores: limits.underscores === 'allow', requests: keepAlive.requests },
    timeouts,
    http2,
    trusted: new Networks(trustedProxies),
  };
}

/** How an upstream's programs are run. */
export function processOptions(upstream: object): ProcessOptions {
  return (upstream as { readonly process: ProcessOptions }).process;
}

/** A protocol with options has them in a part of the upstream that is named like it. */
export function codecOptions(upstream: object, { name }: { readonly name: string }): Readonly<Record<string, unknown>> {
  return (upstream as Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>)[name] ?? {};
}
