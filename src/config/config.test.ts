import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Config } from './config.ts';
import { check, defineConfig, showProblems } from './index.ts';

function config(input: unknown): Config {
  const checked = check(input);
  assert.ok(checked.problems === undefined, showProblems(checked.problems ?? []));
  return checked.config;
}

const upstreams = { app: { origins: [3000] } };

type Fields = Readonly<Record<string, unknown>>;

test('the least config, with everything filled in', () => {
  assert.deepEqual(config({ upstreams }), {
    listen: [
      {
        address: { kind: 'tcp', host: '', port: 8080 },
        name: '*:8080',
        limits: {
          head: 16_384,
          fields: 100,
          target: 8192,
          body: Infinity,
          connections: 100_000,
          connectionsPerAddress: Infinity,
          streams: 100,
          streamWindow: 262_144,
          window: 65_536,
          underscores: 'drop',
        },
        timeouts: { head: 15_000, body: 60_000, write: 60_000, keepAlive: 75_000, tunnel: 3_600_000 },
        keepAlive: { requests: 1000 },
        trustedProxies: [],
        http2: true,
      },
    ],
    upstreams: {
      app: {
        origins: [
          {
            url: '3000',
            address: { scheme: 'http', host: '127.0.0.1', port: 3000 },
            weight: 1,
            backup: false,
            maxConnections: Infinity,
          },
        ],
        balance: { name: 'random-two', options: {} },
        check: null,
        maxConnections: Infinity,
        queue: { size: 1024, timeout: 30_000 },
        retries: { count: 1, budget: 0.2, buffer: 65_536 },
        timeouts: { connect: 3000, firstByte: 60_000, idle: 60_000 },
        keepAlive: { idle: 4000, maxIdle: 128, maxAge: 3_600_000, maxRequests: 100_000 },
        maxInFlight: Infinity,
        slowStart: 0,
        tls: {
          verify: true,
          ca: [],
          serverName: '',
          fingerprints: [],
          cert: null,
          key: null,
          passphrase: null,
          minVersion: 'TLSv1.2',
          ciphers: '',
          alpn: [],
        },
        disableTime: { first: 1000, most: 30_000 },
        eject: {
          on: ['connect', 'timeout', 'reset', 502, 503, 504],
          failures: 5,
          share: Infinity,
          window: 10_000,
          requests: 20,
          first: 10_000,
          longest: 300_000,
          most: 0.5,
        },
        cgi: { root: '', split: [], index: '', front: '', prefix: '', env: {} },
        fastcgi: { keepConnection: false, multiplex: 'off' },
        ajp: { secret: '', packetSize: 8192, attributes: [] },
        h2: { streams: 100, window: 262_144 },
        process: {
          user: '',
          group: '',
          pass: [],
          cpu: Infinity,
          memory: Infinity,
          files: Infinity,
          fileSize: Infinity,
          umask: '',
          finish: 5000,
          kill: 3000,
        },
        uwsgi: { modifier1: 0, modifier2: 0 },
        spool: { memory: 1_048_576, total: 67_108_864, size: 1_073_741_824, folder: '' },
        host: 'pass',
      },
    },
    routes: [{ match: {}, to: 'app' }],
    resolver: {
      servers: [],
      timeout: 2000,
      tries: 2,
      least: 1000,
      most: 300_000,
      retry: 30_000,
      start: 5000,
      family: 'auto',
    },
    log: {
      access: 'stdout',
      format: 'text',
      error: 'stderr',
      level: 'info',
      recent: 100,
      slow: { over: 1000, keep: 100 },
      spans: false,
    },
    limits: {
      head: 16_384,
      fields: 100,
      target: 8192,
      body: Infinity,
      connections: 100_000,
      connectionsPerAddress: Infinity,
      streams: 100,
      streamWindow: 262_144,
      window: 65_536,
      underscores: 'drop',
      answerHead: 65_536,
    },
    timeouts: { drain: 30_000 },
    headers: { forwarded: false, via: false, requestId: true, trace: 'off', traceSample: 0 },
    admin: null,
    threads: 1,
  });
});

test('listeners inherit what they do not say', () => {
  const { listen } = config({
    upstreams,
    listen: [
      8080,
      { address: 8081, limits: { head: '8KiB', body: undefined }, timeouts: { body: '5s' }, trustedProxies: [] },
      { address: 'unix:/s', mode: '660', name: 'local', keepAlive: { requests: 1 } },
    ],
    limits: { head: '32KiB', body: '1MiB' },
    timeouts: { body: '10s', head: '1s' },
    keepAlive: { requests: 7 },
    trustedProxies: 'loopback',
  });
  assert.deepEqual(
    listen.map(({ limits, timeouts, keepAlive, trustedProxies }) => [
      limits.head,
      limits.body,
      timeouts.body,
      timeouts.head,
      keepAlive.requests,
      trustedProxies,
    ]),
    [
      [32_768, 1_048_576, 10_000, 1000, 7, ['loopback']],
      [8192, 1_048_576, 5000, 1000, 7, []],
      [32_768, 1_048_576, 10_000, 1000, 1, ['loopback']],
    ],
  );
  assert.deepEqual(listen[2]?.address, { kind: 'unix', path: '/s', mode: 0o660 });
  assert.equal(listen[2]?.name, 'local');
  const [bare] = config({ upstreams, listen: { address: 'unix:/s', name: 'n' } }).listen;
  assert.deepEqual(bare?.address, { kind: 'unix', path: '/s', mode: -1 });
});

test('origins inherit maxConnections', () => {
  const { origins } = config({
    upstreams: {
      app: {
        origins: [3000, { url: 3001, maxConnections: 2 }, { url: 3002, maxConnections: 'off' }],
        maxConnections: 5,
      },
    },
  }).upstreams['app'] ?? { origins: [] };
  assert.deepEqual(
    origins.map(({ maxConnections }) => maxConnections),
    [5, 2, Infinity],
  );
});

test('short forms come to the same as the long ones', () => {
  const { app, php, cgi } = config({
    upstreams: {
      app: { origins: { spawn: { command: 'app', args: '--all', env: { LEVEL: 3 }, instances: 3 } } },
      php: { origins: 'fastcgi://127.0.0.1:9000', cgi: { root: '/srv', split: '.php', env: { LEVEL: 0 } } },
      cgi: { origins: 'cgi:/bin/sh', process: { umask: 27 } },
    },
    routes: [{ match: { path: '/app' }, to: 'app' }, { match: { path: '/cgi' }, to: 'cgi' }, { to: 'php' }],
  }).upstreams;
  const { args, env, instances } = app?.origins[0]?.spawn ?? {};
  assert.deepEqual([args, env, instances], [['--all'], { LEVEL: '3' }, { min: 3, max: 3, load: Infinity }]);
  assert.deepEqual([php?.cgi.split, php?.cgi.env], [['.php'], { LEVEL: '0' }]);
  assert.equal(cgi?.process.umask, '027');
  // No shell reads an argument, so nothing is divided.
  const { spawn } = config({ upstreams: { app: { origins: { spawn: { command: 'sh', args: '-c true' } } } } })
    .upstreams['app'].origins[0];
  assert.deepEqual(spawn?.args, ['-c true']);
});

test('a balancer gets its own options, filled in', () => {
  const balance = (given: unknown): unknown =>
    config({ upstreams: { app: { origins: [3000], balance: given } } }).upstreams['app']?.balance;
  assert.deepEqual(balance('hash'), { name: 'hash', options: { key: 'path' } });
  assert.deepEqual(balance({ name: 'hash', key: 'uri' }), { name: 'hash', options: { key: 'uri' } });
});

test('a check is completed with the options of its kind', () => {
  const checkOf = (given: unknown): unknown =>
    config({ upstreams: { app: { origins: [3000], check: given } } }).upstreams['app']?.check;
  const common = { interval: 5000, timeout: 2000, rise: 2, fall: 3, first: 'pass' };
  const http = { path: '/', method: 'GET', headers: {}, status: [[200, 399]] };
  assert.equal(checkOf('off'), null);
  assert.deepEqual(checkOf('tcp'), { type: 'tcp', ...common, options: {} });
  assert.deepEqual(checkOf('tcp-check'), checkOf('tcp'));
  assert.deepEqual(checkOf({ type: 'tcp-check' }), checkOf('tcp'));
  assert.deepEqual(checkOf('http'), { type: 'http', ...common, options: http });
  assert.deepEqual(checkOf('/up?a=1'), { type: 'http', ...common, options: { ...http, path: '/up?a=1' } });
  assert.deepEqual(checkOf({ type: 'http', path: '/up?a=1' }), checkOf('/up?a=1'));
  const body = (given: unknown): unknown =>
    (checkOf({ type: 'http', body: given }) as { options: Fields }).options['body'];
  assert.deepEqual(body('/healthz'), { kind: 'text', text: '/healthz' });
  for (const given of ['/^o k$/', '~^o k$', { regex: '^o k$' }, /^o k$/])
    assert.deepEqual(body(given), { kind: 'regex', source: '^o k$' });
  // The default timeout is never the longer one.
  assert.equal((checkOf({ type: 'tcp', interval: '500ms' }) as Fields)['timeout'], 500);
});

test('the config is frozen, the input is not', () => {
  const input = { upstreams: { app: { origins: [{ url: 3000 }] } } };
  const made = config(input);
  for (const part of [made, made.listen, made.listen[0]?.limits, made.upstreams, made.upstreams['app']?.origins[0]]) {
    assert.ok(Object.isFrozen(part));
  }
  assert.ok(!Object.isFrozen(input) && !Object.isFrozen(input.upstreams.app.origins[0]));
});

test('a frozen config can be checked, and checking does not change it', () => {
  const input = Object.freeze({ upstreams: Object.freeze({ app: Object.freeze({ origins: Object.freeze([3000]) }) }) });
  assert.equal(config(input).listen.length, 1);
});

test('a config can be sent to another thread', () => {
  const made = config({
    upstreams,
    routes: [
      { match: { path: [/^\/a/, '/b/*'], header: { x: true }, remote: 'private' }, to: 'app' },
      { match: { path: '/c' }, redirect: { to: '/d' } },
      { respond: { status: 404 } },
    ],
  });
  assert.deepEqual(structuredClone(made), made);
});

test("keys that start with x- are the user's own, at the top", () => {
  config({ upstreams, 'x-mine': { anything: 1 } });
  assert.equal(check({ upstreams: { app: { origins: [3000], 'x-mine': 1 } } }).problems?.length, 1);
});

test('a name from Object.prototype is a name like others', () => {
  const made = config({ upstreams: { constructor: { origins: [3000] } }, routes: [{ to: 'constructor' }] });
  assert.equal(made.routes[0]?.to, 'constructor');
  for (const name of ['constructor', 'toString', '__proto__']) {
    const { problems } = check({ upstreams, routes: [{ to: name }] });
    assert.equal(problems?.[0].code, 'config/unknown-upstream', name);
    assert.equal(
      check(JSON.parse(`{ "upstreams": { "app": { "origins": [3000], "${name}": 1 } } }`)).problems?.length,
      1,
    );
  }
});

test('without a source problems tell the path', () => {
  const { problems } = check({ upstreams: { app: { origins: [3000], balance: 'nosuch', queue: { size: -1 } } } });
  assert.deepEqual(
    problems?.map(({ code, path, line, file }) => [code, path.join('.'), line, file]),
    [
      ['config/unknown-value', 'upstreams.app.balance', undefined, undefined],
      ['config/out-of-range', 'upstreams.app.queue.size', undefined, undefined],
    ],
  );
});

test('no input makes it throw', () => {
  const cyclic: Record<string, unknown> = {};
  cyclic['upstreams'] = cyclic;
  for (const input of [
    undefined,
    null,
    0,
    '',
    'x',
    [],
    [[]],
    () => 1,
    new Map(),
    cyclic,
    new Date(0),
    Symbol('x'),
    1n,
  ]) {
    assert.ok((check(input).problems?.length ?? 0) > 0, String(typeof input));
  }
  for (const key of [
    'listen',
    'upstreams',
    'routes',
    'log',
    'limits',
    'timeouts',
    'headers',
    'threads',
    'trustedProxies',
  ]) {
    for (const value of [null, 'x', {}, [null], [[]], { app: null }, [{ match: null }], true, Symbol('x'), NaN]) {
      check({ upstreams, [key]: value });
    }
  }
});

test('defineConfig returns what it got', () => {
  const input = { upstreams: { app: { origins: ['http://127.0.0.1:3000'] } } };
  assert.equal(defineConfig(input), input);
});
