import { defineConfig } from 'sluice';

export default defineConfig({
  listen: 8080,
  upstreams: {
    api: { origins: ['http://127.0.0.1:3001'] },
    site: { origins: ['http://127.0.0.1:3002'] },
  },
  routes: [
    { match: { host: 'api.example.com' }, to: 'api' },
    { match: { path: '/api/*' }, to: 'api' },
    { match: { path: '/old/*' }, redirect: { to: '/new{uri}', status: 308 } },
    { match: { path: '/robots.txt' }, respond: { body: 'User-agent: *\nDisallow: /api/\n' } },
    { match: { method: ['GET', 'POST'] }, to: 'site' },
    { respond: { status: 405, headers: { Allow: 'GET, HEAD, POST' } } },
  ],
});
