import assert from 'node:assert/strict';
import test from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { balancers } from '../balance/index.ts';
import { check, type ConfigInput, showProblems } from '../config/index.ts';
import type { Config } from '../config/config.ts';
import { explain, type LiveOrigin, type LiveOrigins, type Question } from './explain.ts';
import { explanationView, type Explanation } from './views.ts';

function config(input: unknown): Config {
  const checked = check(input);
  assert.ok(checked.config !== undefined, showProblems(checked.problems ?? []));
  return checked.config;
}

const SITE: ConfigInput = {
  listen: [8080, { address: '127.0.0.1:9090', name: 'inside', trustedProxies: ['loopback'], limits: { target: 64 } }],
  upstreams: {
    app: {
      origins: ['127.0.0.1:3000', { url: '127.0.0.1:3001', weight: 2 }, { url: 'unix:/run/b.sock', backup: true }],
    },
    old: {
      origins: ['old.example:80'],
      host: 'origin',
      balance: 'first',
      retries: { count: 0 },
      timeouts: { firstByte: 'off' },
    },
  },
  routes: [
    { match: { host: 'old.example', method: 'GET' }, to: 'old' },
    { name: 'moved', match: { path: '/was/*' }, redirect: { to: 'https://{host}/is{query}', status: 301 } },
    { name: 'health', match: { path: '/health' }, respond: { status: 204 } },
    { name: 'api', match: { path: '/api/*', remote: 'private' }, to: 'app' },
    { match: { path: '/app/*' }, to: 'app' },
  ],
};

function ask(question: Partial<Question>, live?: LiveOrigins, site: unknown = SITE): Explanation {
  const made = explain(config(site), { method: 'GET', url: '/app/x', fields: [], ...question }, manualClock(), live);
  return explanationView.parse(JSON.parse(JSON.stringify(made)));
}

function origin(name: string, some: Partial<LiveOrigin> = {}): LiveOrigin {
  const [host, port] = [
    name.slice(0, name.lastIndexOf(':')).replace(/^\[|\]$/g, ''),
    Number(name.slice(name.lastIndexOf(':') + 1)),
  ];
  const unix = name.startsWith('unix:');
  const address = unix ? { scheme: 'http', host: '', port: 0, path: name.slice(5) } : { scheme: 'http', host, port };
  return { name, address, state: 'up', inFlight: 0, weight: 1, backup: false, reason: '', ...some };
}

test('the routes that were tried, why each lost, and none behind the one that matches', () => {
  const { routes, action, upstream } = ask({ url: 'http://other.example/app/x' });
  assert.deepEqual(
    routes.map(({ name, matches }) => [name, matches]),
    [
      ['#1', false],
      ['moved', false],
      ['health', false],
      ['api', false],
      ['#5', true],
    ],
  );
  assert.match(routes[0].why.join(' | '), /host is "other\.example"/);
  assert.match(routes[1].why.join(' | '), /path is "\/app\/x"/);
  assert.equal(routes[3].why.length, 2, 'every condition that fails, not only the first');
  assert.deepEqual(routes[4].why, []);
  assert.deepEqual([action, upstream], ['upstream', 'app']);
});

test('redirects, fixed answers and nothing at all', () => {
  const moved = ask({ url: 'http://a.example/was/here?q=1' });
  assert.deepEqual([moved.action, moved.status, moved.location], ['redirect', 301, 'https://a.example/isq=1']);
  const health = ask({ url: '/health' });
  assert.deepEqual([health.action, health.status, health.upstream, health.pick], ['respond', 204, null, null]);
  const nothing = ask({ url: '/nosuch' });
  assert.deepEqual(
    [nothing.action, nothing.status, nothing.error, nothing.routes.length],
    ['refuse', 404, 'no-route', 5],
  );
});

test('what the line refuses is refused in its words', () => {
  const refused: [Partial<Question>, string, number][] = [
    [{ method: 'TRACE' }, 'method-refused', 405],
    [{ method: 'CONNECT', url: 'a:443' }, 'method-refused', 405],
    [{ method: 'CONNECT' }, 'bad-target', 400],
    [{ method: 'GE T' }, 'bad-version', 400],
    [{ method: '' }, 'bad-method', 400],
    [{ method: 'GET / HTTP/1.1\r\nX: y\r\n\r\nGET' }, 'bad-method', 400],
    [{ url: '/a/../../etc/passwd' }, 'bad-target', 400],
    [{ url: '/%2e%2e/etc' }, 'bad-target', 400],
    [{ url: '/a b' }, 'bad-version', 400],
    [{ url: '/a\r\nX: y' }, 'bad-target', 400],
    [{ url: '/ä' }, 'bad-target', 400],
    [{ url: 'ftp://a/b' }, 'bad-target', 400],
    [{ url: 'http://a b/c' }, 'bad-host', 400],
    [{ url: 'http:///c' }, 'bad-host', 400],
    [{ url: `http://127.0.0.1:9090/${'x'.repeat(64)}` }, 'target-too-long', 414],
    [
      {
        fields: [
          ['Host', 'a'],
          ['Host', 'b'],
        ],
      },
      'bad-host',
      400,
    ],
    [{ fields: [['a b', 'c']] }, 'bad-field', 400],
    [{ fields: [['X', 'a\r\nY: b']] }, 'bad-field', 400],
    [{ fields: [['X', 'a\0b']] }, 'bad-field', 400],
    [
      {
        fields: [
          ['Content-Length', '1'],
          ['Transfer-Encoding', 'chunked'],
        ],
      },
      'conflicting-length',
      400,
    ],
    [{ fields: [['Expect', 'miracles']] }, 'unknown-expectation', 417],
    [{ fields: [['X', 'x'.repeat(20_000)]] }, 'head-too-large', 431],
  ];
  for (const [question, error, status] of refused) {
    const made = ask(question);
    assert.deepEqual([made.action, made.error, made.status], ['refuse', error, status], JSON.stringify(question));
    assert.notEqual(made.because, null);
    assert.deepEqual([made.routes, made.origins], [[], []], 'nothing was asked');
  }
});

test('the rewrites are the difference between what came and what goes', () => {
  const fields = [
    ['Connection', 'keep-alive, X-Private'],
    ['X-Private', '1'],
    ['X-Forwarded-For', '192.0.2.66'],
    ['Accept', '*/*'],
  ] as const;
  assert.deepEqual(ask({ url: 'http://a.example/app/', fields, client: '192.0.2.1' }).rewrites, [
    '- Connection: keep-alive, X-Private',
    '- X-Private: 1',
    '- X-Forwarded-For: 192.0.2.66',
    '+ X-Forwarded-For: 192.0.2.1',
    '+ X-Forwarded-Proto: http',
    '+ X-Forwarded-Port: 8080',
    '+ X-Forwarded-Host: a.example',
    '+ X-Request-Id: (another for each request)',
  ]);
  const old = ask({ url: 'http://old.example:8080/', client: '192.0.2.1' });
  assert.deepEqual(old.rewrites.slice(0, 2), ['- Host: old.example:8080', '+ Host: old.example']);
});

test('a trusted proxy is believed, on the listener that trusts it', () => {
  const fields = [['X-Forwarded-For', '10.1.2.3']] as const;
  const trusted = ask({ url: 'http://x:9090/api/', fields });
  assert.deepEqual([trusted.listener, trusted.client, trusted.upstream], ['inside', '10.1.2.3', 'app']);
  const not = ask({ url: 'http://x:8080/api/', fields });
  assert.deepEqual([not.listener, not.client, not.error], ['*:8080', '127.0.0.1', 'no-route']);
});

test('every origin, whether it is usable and why not; the backup only when no other is', () => {
  const offline = ask({});
  assert.deepEqual(
    offline.origins.map(({ name, usable, why }) => [name, usable, why]),
    [
      ['127.0.0.1:3000', true, ''],
      ['127.0.0.1:3001', true, ''],
      ['unix:/run/b.sock', false, 'a backup: others are usable'],
    ],
  );
  assert.match(offline.because ?? '', /^one of 2 by weight, drawn at random/);
  const down = ask({}, () => [
    origin('127.0.0.1:3000', { state: 'down', reason: 'ECONNREFUSED' }),
    origin('[::1]:3001', { state: 'draining', weight: 0 }),
    origin('unix:/run/b.sock', { backup: true, inFlight: 3 }),
  ]);
  assert.equal(down.pick, 'unix:/run/b.sock');
  assert.equal(down.because, 'it is the only usable one, a backup, because no other is');
  assert.deepEqual(
    down.origins.map(({ name, state, weight, inFlight, why }) => [name, state, weight, inFlight, why]),
    [
      ['127.0.0.1:3000', 'down', 1, 0, 'it is down (ECONNREFUSED)'],
      ['[::1]:3001', 'draining', 0, 0, 'it is draining: it takes nothing new'],
      ['unix:/run/b.sock', 'up', 1, 3, ''],
    ],
  );
});

test('nobody is usable', () => {
  const full = ask({}, () => [origin('a:1', { state: 'full' })]);
  assert.deepEqual([full.action, full.pick], ['upstream', null]);
  assert.match(full.because ?? '', /waits in the queue \(of at most 1024\)/);
  assert.match(ask({}, () => [origin('a:1', { state: 'draining' })]).because ?? '', /503 no-origin/);
});

test('each policy says why', () => {
  const says: Record<(typeof balancers)[number]['name'], [options: object, RegExp, fields?: Question['fields']]> = {
    'random-two': [{}, /drawn at random/],
    'round-robin': [{}, /^3 take turns by weight/],
    'least-busy': [{}, /^it has 1 in flight at weight 1, the least of 3 per weight$/],
    hash: [{}, /^its hash with this key is the highest; the same path always leads there$/],
    carp: [{ key: 'header:X-Key' }, /^the request has no header:X-Key: one of 3 by weight, drawn/],
    first: [{}, /^it is the first usable one in the list$/],
    sticky: [{}, /^its cookie sluice leads there if it is valid/, [['Cookie', 'sluice=abc']]],
  };
  for (const { name } of balancers) {
    const [options, because, fields = []] = says[name];
    const site = { upstreams: { app: { origins: [1, 2, 3], balance: { name, ...options } } } };
    const made = ask(
      { fields },
      () => [origin('a:1', { inFlight: 2 }), origin('a:2', { inFlight: 1 }), origin('a:3', { inFlight: 9 })],
      site,
    );
    assert.match(made.because ?? '', because, name);
    assert.equal(made.balance, name);
    if (name === 'least-busy') assert.equal(made.pick, 'a:2');
    if (name === 'first') assert.equal(made.pick, 'a:1');
    if (name === 'hash') assert.equal(made.key, '/app/x');
  }
});

test('the pick of a hash is that of the balancer itself, whatever is asked around it', () => {
  const site = { upstreams: { app: { origins: [1, 2, 3], balance: 'hash' } } };
  const picks = new Set(Array.from({ length: 40 }, (_, i) => ask({ url: `/${i}` }, undefined, site).pick));
  assert.equal(picks.size, 3);
  assert.equal(ask({ url: '/7' }, undefined, site).pick, ask({ url: '/7' }, undefined, site).pick);
});

test('timeouts and retry rules', () => {
  const app = ask({});
  assert.deepEqual(app.timeouts, {
    'client.head': 15_000,
    'client.body': 60_000,
    'client.write': 60_000,
    queue: 30_000,
    'origin.connect': 3000,
    'origin.firstByte': 60_000,
    'origin.idle': 60_000,
  });
  assert.match(app.retries.join('\n'), /origin-closed, .*answer-timeout.*1 more.*20 %/);
  assert.match(ask({ method: 'POST' }).retries.join('\n'), /POST is not repeated once it was sent/);
  assert.match(ask({ method: 'PUT', fields: [['Content-Length', '5']] }).retries.join('\n'), /at most 65536 bytes/);
  const old = ask({ url: 'http://old.example/' });
  assert.equal(old.timeouts['origin.firstByte'], null);
  assert.match(old.retries.join('\n'), /retries\.count is 0/);
});

test('OPTIONS with no hop left is answered here', () => {
  const ends = ask({ method: 'OPTIONS', fields: [['Max-Forwards', '0']] });
  assert.deepEqual([ends.action, ends.status], ['respond', 200]);
  const goes = ask({ method: 'OPTIONS', fields: [['Max-Forwards', '2']] });
  assert.ok(goes.rewrites.includes('- Max-Forwards: 2') && goes.rewrites.includes('+ Max-Forwards: 1'));
});

test('origins that are told in the names of CGI: script and variables instead of fields', () => {
  const site: ConfigInput = {
    upstreams: {
      php: {
        origins: 'fastcgi+unix:/run/php.sock',
        cgi: { root: '/srv/app', split: ['.php'], env: { APP_ENV: 'test', CAFE: 'é' } },
      },
    },
    routes: [
      { match: { path: '/shop/*' }, to: 'php', cgi: { root: '/srv/shop', env: { APP_ENV: 'shop' } } },
      { to: 'php' },
    ],
  };
  const made = ask({ url: 'http://a.example/x.php/in%20fo?q=1', fields: [['X-One', '1']] }, undefined, site);
  assert.deepEqual([made.action, made.pick, made.rewrites], ['upstream', 'unix:/run/php.sock', []]);
  for (const one of [
    ...['SCRIPT_FILENAME=/srv/app/x.php', 'SCRIPT_NAME=/x.php', 'PATH_INFO=/in fo', 'QUERY_STRING=q=1'],
    ...['REQUEST_URI=/x.php/in%20fo?q=1', 'HTTP_X_ONE=1', 'APP_ENV=test', 'CAFE=é', 'HTTP_HOST=a.example'],
    ...['REMOTE_ADDR=127.0.0.1', 'HTTP_X_REQUEST_ID=(another for each request)'],
  ]) {
    assert.ok(made.variables.includes(one), `${one} in ${made.variables.join(' ')}`);
  }
  const shop = ask({ url: '/shop/a.php' }, undefined, site).variables;
  assert.ok(shop.includes('SCRIPT_FILENAME=/srv/shop/shop/a.php') && shop.includes('APP_ENV=shop'), shop.join(' '));
  const none = ask({ url: '/picture.jpg' }, undefined, site);
  assert.deepEqual([none.action, none.status, none.error, none.upstream], ['refuse', 404, 'no-script', 'php']);
  assert.deepEqual(ask({}).variables, []);
});

test('a CGI program is told as it is run: by the first segment, or as the one program', () => {
  const site = {
    upstreams: {
      bin: { origins: 'cgi:', cgi: { root: '/usr/lib/cgi-bin', prefix: '/cgi-bin' } },
      one: { origins: 'cgi:/usr/lib/git-core/git-http-backend', cgi: { env: { GIT_PROJECT_ROOT: '/srv/git' } } },
    },
    routes: [{ match: { path: '/cgi-bin/*' }, to: 'bin' as const }, { to: 'one' as const }],
  };
  const bin = ask({ url: '/cgi-bin/env.pl/more/of?q' }, undefined, site);
  assert.deepEqual([bin.action, bin.pick], ['upstream', 'cgi:']);
  for (const one of [
    'SCRIPT_NAME=/cgi-bin/env.pl',
    'PATH_INFO=/more/of',
    'SCRIPT_FILENAME=/usr/lib/cgi-bin/cgi-bin/env.pl',
  ])
    assert.ok(bin.variables.includes(one), `${one} in ${bin.variables.join(' ')}`);
  assert.deepEqual(bin.variables.filter((one) => one.startsWith('SCRIPT_NAME=')).length, 1);
  assert.equal(ask({ url: '/cgi-bin/.git/hook' }, undefined, site).error, 'no-script');
  const one = ask({ url: '/a.git/info/refs' }, undefined, site);
  assert.equal(one.origins[0]?.address, 'cgi:/usr/lib/git-core/git-http-backend');
  for (const told of [
    'SCRIPT_FILENAME=/usr/lib/git-core/git-http-backend',
    'PATH_INFO=/a.git/info/refs',
    'SCRIPT_NAME=',
  ])
    assert.ok(one.variables.includes(told), `${told} in ${one.variables.join(' ')}`);
});

test('origins are shown with what they speak, processes that are not there by their name', () => {
  const origins = [
    ...['127.0.0.1:80', 'unix:/run/a.sock', 'https://10.0.0.1', 'fastcgi+unix:/run/php.sock', 'ajp://10.0.0.2:8009'],
    { spawn: { name: 'web', command: 'node' } },
    { spawn: { name: 'php', command: 'php-cgi', protocol: 'fastcgi', listen: 'fd0' as const } },
  ];
  const made = ask({}, undefined, { upstreams: { app: { origins, cgi: { prefix: '/x' } } } });
  assert.deepEqual(
    made.origins.map(({ address }) => address),
    [
      ...[
        '127.0.0.1:80',
        'unix:/run/a.sock',
        'https://10.0.0.1:443',
        'fastcgi+unix:/run/php.sock',
        'ajp://10.0.0.2:8009',
      ],
      ...['spawn:web', 'spawn:php, fastcgi'],
    ],
  );
  assert.deepEqual(
    made.origins.slice(5).map(({ name }) => name),
    ['spawn:web', 'spawn:php'],
  );
  assert.ok(made.origins.some(({ name }) => name === made.pick));
});

test('an upstream whose processes are not there yet, or have crashed', () => {
  const site = (state: 'come' | 'stopped'): Config => {
    const children = { state, why: state === 'come' ? '' : 'app.3 ended with code 1' };
    const given = config({ upstreams: { app: { origins: { spawn: { command: 'app' } } } } });
    return { ...given, upstreams: { app: { ...given.upstreams['app'], origins: [], children } } };
  };
  const because = (children: 'come' | 'stopped'): string | null =>
    explain(site(children), { method: 'GET', url: '/', fields: [] }, manualClock()).because;
  assert.match(because('come') ?? '', /^no process is ready: it waits in the queue/);
  assert.match(
    because('stopped') ?? '',
    /^no process is started any more \(app\.3 ended with code 1\): 503 children-stopped$/,
  );
  // Without a running process they are taken for ready.
  const made = ask({}, undefined, { upstreams: { app: { origins: { spawn: { command: 'app' } } } } });
  assert.deepEqual(
    made.origins.map(({ child, usable }) => [child, usable]),
    [['app', true]],
  );
});
