/** What the compiler says about configs in TypeScript. Nothing here runs: `npm run test:types` is the test. */
import { defineConfig, type ConfigInput } from '../../src/config/define.ts';

// The least, and everything at once.
defineConfig({ upstreams: { app: { origins: 'http://127.0.0.1:3000' } } });
defineConfig({
  listen: [8080, '[::1]:8080', { address: 'unix:/run/sluice.sock', mode: '660', limits: { head: '32KiB' } }],
  upstreams: {
    app: {
      origins: ['http://127.0.0.1:3000', 3001, { url: 'unix:/run/app.sock', weight: 2, backup: true }],
      balance: { name: 'hash', key: 'header:X-Tenant' },
      maxConnections: 64,
      queue: { size: 100, timeout: '5s' },
      timeouts: { connect: 500, idle: 'off' },
      host: 'origin',
      check: { type: 'http', interval: '1s', first: 'block', status: [200, '204-299'], body: /^ok$/ },
    },
    'static-files': { origins: ['10.0.0.1:80'], balance: 'round-robin', check: '/healthz' },
  },
  routes: [
    { match: { host: ['example.com', '*.example.com'], path: /^\/v\d+\//, method: 'GET' }, to: 'app' },
    { match: { path: ['/assets/*', { regex: '\\.css$' }], header: { 'X-Beta': true } }, to: 'static-files' },
    { match: { query: { old: '~^1' }, remote: 'private' }, redirect: { to: '/new{uri}', status: 307 } },
    {
      name: 'rest',
      respond: { status: 404, headers: { 'Cache-Control': ['no-store', 'private'] }, body: 'nothing here' },
    },
  ],
  log: { access: './access.log', format: 'json' },
  trustedProxies: ['loopback', '10.0.0.0/8'],
});

// A kind of check and a policy without options of their own.
defineConfig({ upstreams: { app: { origins: [3000], check: { type: 'tcp', interval: '1s', fall: 2 } } } });
defineConfig({ upstreams: { app: { origins: [3000], balance: { name: 'round-robin' } } } });

// A route to an upstream that is not there.
defineConfig({
  upstreams: { app: { origins: [3000] }, blog: { origins: [3001] } },
  // @ts-expect-error "nosuch" is not an upstream.
  routes: [{ to: 'app' }, { to: 'nosuch' }],
});
defineConfig({
  upstreams: { app: { origins: [3000] } },
  // @ts-expect-error "ap" is not an upstream.
  routes: [{ match: { path: '/x' }, to: 'ap' }],
});

// Wrong keys, on every level.
// @ts-expect-error The option is `upstreams`.
defineConfig({ upstream: { app: { origins: [3000] } } });
// @ts-expect-error The option is `origins`.
defineConfig({ upstreams: { app: { orgins: [3000] } } });
// @ts-expect-error An upstream has origins.
defineConfig({ upstreams: { app: {} } });
// @ts-expect-error The option is `path`.
defineConfig({ upstreams: { app: { origins: [3000] } }, routes: [{ match: { pth: '/x' }, to: 'app' }] });
// @ts-expect-error The option is `weight`.
defineConfig({ upstreams: { app: { origins: [{ url: 3000, wieght: 2 }] } } });

// Wrong values.
// @ts-expect-error No balancer has this name.
defineConfig({ upstreams: { app: { origins: [3000], balance: 'randomtwo' } } });
// @ts-expect-error hash has `key`.
defineConfig({ upstreams: { app: { origins: [3000], balance: { name: 'hash', kee: 'path' } } } });
// @ts-expect-error first has no key.
defineConfig({ upstreams: { app: { origins: [3000], balance: { name: 'first', key: 'path' } } } });
// @ts-expect-error text or json.
defineConfig({ upstreams: { app: { origins: [3000] } }, log: { format: 'xml' } });
// @ts-expect-error A redirect has a status of its own.
defineConfig({ upstreams: { app: { origins: [3000] } }, routes: [{ redirect: { to: '/', status: 200 } }] });

// A config made elsewhere, whose names nobody knows.
const made: ConfigInput = { upstreams: Object.fromEntries([['app', { origins: [3000] }]]), routes: [{ to: 'app' }] };
defineConfig(made);

// Checks.
// @ts-expect-error A path starts with a slash, and no kind has this name.
defineConfig({ upstreams: { app: { origins: [3000], check: 'healthz' } } });
// @ts-expect-error tcp asks for no path.
defineConfig({ upstreams: { app: { origins: [3000], check: { type: 'tcp', path: '/' } } } });
defineConfig({
  upstreams: { app: { origins: [3000], check: { type: 'tcp', interval: '1s' }, balance: { name: 'least-busy' } } },
});
