import { findBalancer } from '../balance/index.ts';
import type { Config } from './config.ts';
import { metaOf } from './schema-walk.ts';

/** What stands for a secret where a config is shown. */
const HIDDEN = '***';

/** The config as operators may see it. Secret are the admin token, what a balancer's options say is, and what processes are told in their environment. */
export function withoutSecrets(config: Config): Config {
  const upstreams = Object.entries(config.upstreams).map(([name, upstream]) => {
    const { name: policy, options } = upstream.balance;
    const shape = findBalancer(policy)?.options.shape ?? {};
    const shown = Object.entries(options).map(([key, value]) => {
      // An empty one is none, which is worth knowing.
      const secret = Object.hasOwn(shape, key) && metaOf(shape[key])['secret'] === true && value !== '';
      return [key, secret ? HIDDEN : value];
    });
    const hidden = { ...upstream, balance: { name: policy, options: Object.fromEntries(shown) } };
    if (upstream.spawn === undefined) return [name, hidden];
    const spawn = Object.entries(upstream.spawn).map(([pool, options]) => [pool, withoutValues(options)]);
    return [name, { ...hidden, spawn: Object.fromEntries(spawn) }];
  });
  const { admin } = config;
  return {
    ...config,
    upstreams: Object.fromEntries(upstreams),
    admin: admin === null || admin.token === null ? admin : { ...admin, token: HIDDEN },
  };
}

function withoutValues<Options extends { readonly env: Readonly<Record<string, string>> }>(options: Options): Options {
  return { ...options, env: Object.fromEntries(Object.keys(options.env).map((name) => [name, HIDDEN])) };
}
