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
      'change routes',
      'change log',
      'change headers',
      'change limits',
    ],
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
