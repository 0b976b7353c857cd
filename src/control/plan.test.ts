import assert from 'node:assert/strict';
import test from 'node:test';
import { check, type ConfigInput } from '../config/index.ts';
import type { Config } from '../config/config.ts';
import { plan, showChange } from './plan.ts';

function config(input: ConfigInput): Config {
  const checked = check(input);
  assert.ok(checked.config !== undefined, JSON.stringify(checked.problems));
  return checked.config;
}

const before: ConfigInput = {
  listen: [8080, { address: '127.0.0.1:9090', name: 'inside' }],
  upstreams: {
    app: { origins: ['127.0.0.1:3000', { url: '127.0.0.1:3001', weight: 2 }] },
    old: { origins: 4000 },
  },
  routes: [{ match: { path: '/old/*' }, to: 'old' }, { to: 'app' }],
};

const shown = (to: ConfigInput): string[] => plan(config(before), config(to)).map(showChange);

test('the same config, written differently, is no change', () => {
  assert.deepEqual(shown(before), []);
  assert.deepEqual(
    shown({
      ...before,
      listen: ['8080', { name: 'inside', address: '127.0.0.1:9090' }],
      upstreams: { ...before.upstreams, old: { origins: ['http://127.0.0.1:4000'], queue: { timeout: '30s' } } },
    }),
    [],
  );
});

test('says what comes, goes and changes', () => {
  assert.deepEqual(
    shown({
      listen: [8080, 8081],
      upstreams: {
        app: { origins: [{ url: '127.0.0.1:3001', weight: 3 }, '127.0.0.1:3002'], queue: { size: 5 }, balance: 'hash' },
        fresh: { origins: 5000 },
      },
      routes: [{ to: 'app' }],
      log: { format: 'json' },
      headers: { via: 'edge' },
      limits: { answerHead: '32KiB' },
    }),
    [
      'remove listener inside',
      'add listener *:8081',
      'remove upstream old',
      'change upstream app: balance, queue',
      'add upstream fresh',
      'remove origin app 127.0.0.1:3000',
      'change origin app 127.0.0.1:3001: weight',
      'add origin app 127.0.0.1:3002',
      'remove route #1',
      'change log',
      'change headers',
      'change limits',
    ],
  );
});

test('routes: by their names, or by what they say; or only in another order', () => {
  const routes = (...list: NonNullable<ConfigInput['routes']>): string[] => shown({ ...before, routes: list });
  const [old, all] = before.routes ?? [];
  assert.deepEqual(routes({ match: { path: '/new/*' }, to: 'old' }, old, all), ['add route #1']);
  assert.deepEqual(routes({ match: { path: '/other/*' }, to: 'old' }, all), ['remove route #1', 'add route #1']);
  const named = config({ ...before, routes: [{ name: 'shop', match: { path: '/shop/*' }, to: 'app' }, all] });
  const moved = config({ ...before, routes: [{ name: 'shop', match: { path: '/store/*' }, to: 'old' }, all] });
  assert.deepEqual(plan(named, moved).map(showChange), ['change route shop: match, to']);
  const two = [{ match: { path: '/a/*' }, to: 'app' }, { match: { path: '/b/*' }, to: 'old' }, { to: 'app' }] as const;
  const turned = [two[1], two[0], two[2]];
  assert.deepEqual(
    plan(config({ ...before, routes: two.slice() }), config({ ...before, routes: turned })).map(showChange),
    ['change routes: order'],
  );
});

test('an origin whose URL is only spelled differently stays', () => {
  assert.deepEqual(
    shown({
      ...before,
      upstreams: {
        ...before.upstreams,
        app: { origins: ['http://127.0.0.1:3000', { url: 'http://127.0.0.1:3001/', weight: 2 }] },
      },
    }),
    [],
  );
});

test('other name servers are a change, and not "nothing has changed"', () => {
  assert.deepEqual(shown({ ...before, resolver: { servers: '127.0.0.53' } }), ['change resolver']);
});
