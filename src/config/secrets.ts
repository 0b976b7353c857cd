import { z } from 'zod';
import { findBalancer } from '../balance/index.ts';
import { checks } from '../check/index.ts';
import { codecs } from '../codec/index.ts';
import type { TlsOptions } from '../upstream/options.ts';
import type { Config, UpstreamConfig } from './config.ts';
import { core, metaOf } from './schema-walk.ts';

/** What stands for a secret where a config is shown. */
const HIDDEN = '***';

/** The config as operators may see it. Secret are the admin token, private keys, what processes are told in their environment, and what options of plug-ins say is. */
export function withoutSecrets(config: Config): Config {
  const upstreams = Object.entries(config.upstreams).map(([name, upstream]) => [name, shown(upstream)]);
  const { admin } = config;
  return {
    ...config,
    upstreams: Object.fromEntries(upstreams),
    admin: admin === null || admin.token === null ? admin : { ...admin, token: HIDDEN },
  };
}

function withoutValues(pools: NonNullable<UpstreamConfig['spawn']>): NonNullable<UpstreamConfig['spawn']> {
  const each = Object.entries(pools).map(([pool, options]) => {
    const env = Object.fromEntries(Object.keys(options.env).map((name) => [name, HIDDEN]));
    return [pool, { ...options, env }];
  });
  return Object.fromEntries(each);
}

type Options = Readonly<Record<string, unknown>>;

function shown(upstream: UpstreamConfig): UpstreamConfig {
  const { balance, check, tls, spawn } = upstream;
  const kind = checks.find(({ name }) => name === check?.type);
  const protocols = codecs.flatMap(({ name, options }): [string, Options][] => {
    const own = (upstream as unknown as Readonly<Record<string, Options | undefined>>)[name];
    return own === undefined ? [] : [[name, hide(own, options)]];
  });
  return {
    ...upstream,
    ...Object.fromEntries(protocols),
    balance: { ...balance, options: hide(balance.options, findBalancer(balance.name)?.options) },
    check: check === null ? null : { ...check, options: hide(check.options, kind?.options) },
    tls: shownTls(tls),
    ...(spawn === undefined ? {} : { spawn: withoutValues(spawn) }),
  };
}

/** An empty secret is none, which is worth knowing. */
function hide(options: Options, schema: z.ZodObject | undefined): Options {
  const shape: Readonly<Record<string, z.ZodType>> = schema?.shape ?? {};
  const conceal = (value: unknown): unknown => (value === '' || value === undefined ? value : HIDDEN);
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => {
      const option = Object.hasOwn(shape, key) ? shape[key] : undefined;
      if (option === undefined) return [key, value];
      if (metaOf(option)['secret'] === true) return [key, conceal(value)];
      const inner = core(option);
      if (!(inner instanceof z.ZodRecord) || metaOf(inner.valueType as z.ZodType)['secret'] !== true)
        return [key, value];
      const each = Object.entries(value as Options).map(([name, one]) => [name, conceal(one)]);
      return [key, Object.fromEntries(each)];
    }),
  );
}

/** Certificates are no secret, but long; where they are from tells more. */
function shownTls(tls: TlsOptions): TlsOptions {
  const short = <One extends TlsOptions['cert']>(pem: One): One =>
    pem === null ? pem : { ...pem, text: '(certificates)' };
  return {
    ...tls,
    ca: tls.ca.map((one) => (typeof one === 'string' ? one : short(one))),
    cert: short(tls.cert),
    key: tls.key === null ? null : { ...tls.key, text: HIDDEN },
    passphrase: tls.passphrase === null ? null : HIDDEN,
  };
}
