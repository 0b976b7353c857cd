import type { BalanceInput, TopInput, UpstreamInput } from './schema.ts';
import type { RouteInput as AnyRoute } from '../route/options.ts';

/** A route as it is written; `to` is the name of an upstream. */
export type RouteInput<Name extends string = string> = Omit<AnyRoute, 'to'> & { to?: Name };

/** A config as it is written: everything has a default but the origins of an upstream. `Name` is the names of the upstreams. */
export type ConfigInput<Name extends string = string> = Omit<TopInput, 'upstreams' | 'routes'> & {
  upstreams?: { readonly [Key in Name]: UpstreamInput };
  routes?: readonly RouteInput<NoInfer<Name>>[];
  /** The user's own, such as a place for YAML anchors; not looked at. */
  readonly [Extra: `x-${string}`]: unknown;
};

/**
 * Gives an editor the types of a config, and the compiler the names of its upstreams: a route to one that is not there
 * does not compile. Returns what it got.
 *
 *     export default defineConfig({
 *       upstreams: { app: { origins: ['http://127.0.0.1:3000'] } },
 *       routes: [{ match: { path: '/api/*' }, to: 'app' }],
 *     });
 */
export function defineConfig<const Name extends string>(config: ConfigInput<Name>): ConfigInput<Name> {
  return config;
}

export type { BalanceInput, UpstreamInput };
