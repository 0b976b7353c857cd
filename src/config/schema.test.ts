import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { balancers } from '../balance/index.ts';
import { jsonSchema } from './json-schema.ts';
import { configSchema } from './schema.ts';
import { options } from './schema-walk.ts';

/** Options for which "not given" means something that no value says. */
const WITHOUT_DEFAULT = new Set([
  'upstreams.NAME.origins.resolve',
  '$schema',
  'listen.name',
  'listen.mode',
  'listen.limits',
  'listen.timeouts',
  'listen.keepAlive',
  'listen.trustedProxies',
  'routes',
  'routes[].name',
  'routes[].to',
  'routes[].respond',
  'routes[].redirect',
  'routes[].cgi',
  'routes[].cgi.localRedirect',
  'routes[].authorize',
  'routes[].authorize.path',
  'upstreams.NAME.cgi.localRedirect',
  ...['root', 'split', 'index', 'front', 'prefix', 'env'].map((key) => `routes[].cgi.${key}`),
  'upstreams.NAME.origins.maxConnections',
  'upstreams.NAME.check (type: tcp).timeout',
  'upstreams.NAME.check (type: ajp).timeout',
  'upstreams.NAME.check (type: http).timeout',
  'upstreams.NAME.check (type: http).host',
  'upstreams.NAME.check (type: http).body',
  ...['fastcgi', 'scgi', 'uwsgi'].flatMap((type) =>
    ['timeout', 'body'].map((key) => `upstreams.NAME.check (type: ${type}).${key}`),
  ),
  'upstreams.NAME.check (type: fastcgi).script',
  'admin.token',
  'admin.tokenFile',
]);

const NEEDED = new Set([
  'listen.address',
  'admin.address',
  'upstreams.NAME.origins',
  'upstreams.NAME.origins.url',
  'routes[].redirect.to',
  'routes[].authorize.by',
  'routes[].match.path.regex',
  'routes[].match.header.NAME.regex',
  'routes[].match.query.NAME.regex',
  'upstreams.NAME.check.body.regex',
]);

test('every option is described, and has a default or a reason not to', () => {
  const all = options(configSchema).filter(({ key, above }) => !above.includes(`(${key}:`));
  assert.ok(all.length > 60);
  const seen = new Set<string>();
  for (const { key, above, schema } of all) {
    const path = above === '' ? key : `${above}.${key}`;
    seen.add(path);
    assert.ok((schema.description ?? '').length > 5, `${path} has no description`);
    assert.match(schema.description ?? '', /^["`$A-Z0-9].*[.)]$/, `the description of ${path} is a sentence`);
    if (/^listen\.(limits|timeouts|keepAlive)\.|^routes\[\]\.match\.\w+$/.test(path)) continue;
    const { success } = schema.safeParse(undefined);
    assert.equal(success, !NEEDED.has(path), `${path} is needed`);
    const fallback = schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;
    if (success) assert.equal(fallback, !WITHOUT_DEFAULT.has(path), `${path} has a default`);
  }
  for (const path of [...WITHOUT_DEFAULT, ...NEEDED]) assert.ok(seen.has(path), `${path} is gone`);
});

test('every object is strict: an unknown key is never passed over', () => {
  const node = jsonSchema();
  let objects = 0;
  (function walk(value: unknown): void {
    if (typeof value !== 'object' || value === null) return;
    const one = value as Record<string, unknown>;
    if (one['type'] === 'object' && one['properties'] !== undefined) {
      objects++;
      assert.equal(one['additionalProperties'], false, JSON.stringify(one).slice(0, 200));
    }
    Object.values(one).forEach(walk);
  })(node);
  assert.ok(objects > 20);
});

test('the JSON Schema is of draft 2020-12, holds descriptions, defaults as people write them, and nothing of ours', () => {
  const text = JSON.stringify(jsonSchema());
  assert.match(text, /^\{"\$schema":"https:\/\/json-schema\.org\/draft\/2020-12\/schema"/);
  for (const ours of [
    'shownDefault',
    'wanted',
    'scriptOnly',
    'sameAs',
    '"unit"',
    '"aliases"',
    '"secret":true',
    '{}]',
  ]) {
    assert.ok(!text.includes(ours), ours);
  }
  assert.match(text, /"default":"60s"/);
  assert.match(text, /"default":"16KiB"/);
});

test('the JSON Schema has every balancer with its options', () => {
  const schema = z.fromJSONSchema(jsonSchema());
  const accepts = (balance: unknown): boolean =>
    schema.safeParse({ upstreams: { app: { origins: [3000], balance } } }).success;
  for (const { name, options: own } of balancers) {
    assert.ok(accepts(name), name);
    assert.ok(accepts({ name, ...own.parse({}) }), name);
    assert.ok(!accepts({ name, nosuch: 1 }), name);
  }
  assert.ok(!accepts('nosuch'));
});

test('the JSON Schema finds what is mistyped', () => {
  const schema = z.fromJSONSchema(jsonSchema());
  const upstreams = { app: { origins: [3000] } };
  assert.ok(schema.safeParse({ upstreams, 'x-mine': 1 }).success);
  for (const wrong of [
    { upstream: upstreams },
    { upstreams: { app: { orgins: [3000] } } },
    { upstreams: { app: {} } },
    { upstreams: { app: { origins: [] } } },
    { upstreams, timeouts: { head: '3 0 s' } },
    { upstreams, limits: { head: 'off' } },
    { upstreams, limits: { fields: 0 } },
    { upstreams, routes: [{ match: { pth: '/' }, to: 'app' }] },
    { upstreams, routes: [{ redirect: { to: '/', status: 200 } }] },
    { upstreams, log: { format: 'xml' } },
  ]) {
    assert.ok(!schema.safeParse(wrong).success, JSON.stringify(wrong));
  }
});
