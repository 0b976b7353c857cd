import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { requestOf } from '../../test/support/request.ts';
import { Request } from '../core/request.ts';
import { routeSchema, shadows, type MatchOptions, type RouteInput } from './options.ts';
import { compile, type Table } from './table.ts';

function table(...routes: RouteInput[]): Table {
  return compile(routes.map((route) => routeSchema.parse(route)));
}

function found(routes: Table, ...head: string[]): string | undefined {
  return routes.find(requestOf(...head), '192.0.2.1')?.name;
}

describe('the table', () => {
  test('takes the first route that matches', () => {
    const routes = table(
      { name: 'one', match: { path: '/a/b' }, to: 'x' },
      { name: 'two', match: { path: '/a/*' }, to: 'x' },
      { name: 'three', match: { path: '/a/b/c' }, to: 'x' },
      { name: 'rest', to: 'x' },
    );
    assert.equal(found(routes, 'GET /a/b HTTP/1.1'), 'one');
    assert.equal(found(routes, 'GET /a/b/c HTTP/1.1'), 'two');
    assert.equal(found(routes, 'GET /b HTTP/1.1'), 'rest');
  });

  test('wants all conditions of a route', () => {
    const routes = table({ name: 'both', match: { path: '/a', method: 'POST', host: 'example.com' }, to: 'x' });
    assert.equal(found(routes, 'POST /a HTTP/1.1', 'Host: example.com'), 'both');
    assert.equal(found(routes, 'GET /a HTTP/1.1', 'Host: example.com'), undefined);
    assert.equal(found(routes, 'POST /b HTTP/1.1', 'Host: example.com'), undefined);
    assert.equal(found(routes, 'POST /a HTTP/1.1', 'Host: example.org'), undefined);
  });

  test('finds nothing when no route matches, or when there are none', () => {
    assert.equal(found(table({ match: { path: '/a' }, to: 'x' }), 'GET /b HTTP/1.1'), undefined);
    assert.equal(found(table(), 'GET /b HTTP/1.1'), undefined);
  });

  test('names routes by their place when they have no name', () => {
    const routes = table({ match: { path: '/a' }, to: 'x' }, { to: 'x' });
    assert.deepEqual(
      routes.routes.map(({ name }) => name),
      ['#1', '#2'],
    );
  });

  test('a single route for everything does not look at the request', () => {
    const untouchable = new Proxy(new Request(), {
      get(_, key) {
        throw new Error(`asked for ${String(key)}`);
      },
    });
    assert.equal(table({ to: 'x' }).find(untouchable, '')?.name, '#1');
  });

  test('a path that leads above the root finds nothing once any route looks at paths', () => {
    const routes = table({ match: { path: '/admin/*' }, respond: { status: 403 } }, { name: 'rest', to: 'x' });
    assert.equal(found(routes, 'GET /../admin/x HTTP/1.1'), undefined);
    assert.equal(found(routes, 'GET /a/%2e%2E/../x HTTP/1.1'), undefined);
    assert.equal(found(routes, 'GET /a/../x HTTP/1.1'), 'rest');
    const hosts = table({ match: { host: 'example.com' }, to: 'x' }, { name: 'rest', to: 'x' });
    assert.equal(found(hosts, 'GET /../x HTTP/1.1'), 'rest');
  });

  test('no spelling of a path slips past its route', () => {
    const routes = table(
      { name: 'guard', match: { path: '/admin/*' }, respond: { status: 403 } },
      { name: 'rest', to: 'x' },
    );
    for (const target of [
      '/admin',
      '/admin/',
      '/admin/x',
      '/%61dmin/x',
      '/%61%64%6d%69%6e',
      '//admin',
      '/./admin/x',
      '/x/../admin',
      '/x/%2e%2e/admin',
      '/x/.%2E/admin/',
      '///x///..//admin//y',
      '/admin?x=/public',
      '/admin/../admin/x',
      'http://example.com/admin',
      'HTTP://example.com//admin',
    ]) {
      assert.equal(found(routes, `GET ${target} HTTP/1.1`), 'guard', target);
    }
    for (const target of ['/', '/administrator', '/Admin', '/x/admin', '/x?/admin', '/admin/../x', '/%2561dmin']) {
      assert.equal(found(routes, `GET ${target} HTTP/1.1`), 'rest', target);
    }
  });

  test('explains what does not match, and says nothing when all does', () => {
    const [route] = table({ match: { path: '/a/*', method: 'POST', host: 'example.com' }, to: 'x' }).routes;
    assert.deepEqual(route?.explain(requestOf('GET /b HTTP/1.1', 'Host: EXAMPLE.com:80'), ''), [
      'method is GET, not "POST"',
      'path is "/b", not "/a/*"',
    ]);
    assert.deepEqual(route?.explain(requestOf('POST /a/b HTTP/1.1', 'Host: example.com'), ''), []);
  });
});

describe('what happens to a request', () => {
  test('an upstream', () => {
    assert.deepEqual(table({ to: 'app' }).routes[0]?.action, {
      kind: 'upstream',
      upstream: 'app',
      cgi: undefined,
      authorize: undefined,
    });
  });

  test('a fixed answer: field lines, and a body with a character per byte', () => {
    const headers = { 'X-A': ['1', '2'], 'X-B': '3' };
    assert.deepEqual(table({ respond: { status: 410, headers, body: 'é\n' } }).routes[0]?.action, {
      kind: 'respond',
      status: 410,
      fields: 'X-A: 1\r\nX-A: 2\r\nX-B: 3\r\nContent-Type: text/plain; charset=utf-8\r\n',
      body: '\u00c3\u00a9\n',
    });
  });

  test('no Content-Type without a body, and none beside the one that is given', () => {
    const [bare, typed] = table(
      { match: { path: '/a' }, respond: {} },
      { respond: { headers: { 'content-TYPE': 'text/html' }, body: '<p>' } },
    ).routes;
    assert.deepEqual(bare?.action, { kind: 'respond', status: 200, fields: '', body: '' });
    assert.deepEqual(typed?.action, {
      kind: 'respond',
      status: 200,
      fields: 'content-TYPE: text/html\r\n',
      body: '<p>',
    });
  });

  test('a redirect', () => {
    const [route] = table({ redirect: { to: 'https://{host}{uri}' } }).routes;
    assert.ok(route?.action.kind === 'redirect');
    assert.equal(route.action.status, 308);
    assert.equal(
      route.action.location(requestOf('GET /a/%20b?c=d HTTP/1.1', 'Host: Example.com:8080')),
      'https://example.com/a/%20b?c=d',
    );
  });
});

describe('a route is never reached behind one', () => {
  function match(given: RouteInput['match']): MatchOptions {
    return routeSchema.parse({ match: given, to: 'x' }).match;
  }

  const covered: [RouteInput['match'], RouteInput['match']][] = [
    [{}, { path: '/a' }],
    [{ path: '/*' }, { host: 'example.com' }],
    [{ path: '/a' }, { path: '/a', method: 'GET' }],
    [{ path: '/a/*' }, { path: '/a/*' }],
    [{ path: '/a/*' }, { path: ['/a', '/a/b', '/a/b/*'] }],
    [{ path: ['/a', '/b/*'] }, { path: '/b/c' }],
    [{ path: '~^/a' }, { path: '~^/a', method: 'GET' }],
    [{ path: '/*' }, { path: '~x' }],
    [{ host: '*.example.com' }, { host: ['a.example.com', '*.b.example.com', '*.example.com'] }],
    [{ method: 'GET' }, { method: ['HEAD', 'GET'] }],
    [{ remote: 'private' }, { remote: 'private', path: '/a' }],
    [{ header: { 'X-A': true } }, { header: { 'x-a': '1', 'x-b': '2' } }],
    [{ query: { a: '1' } }, { query: { a: '1', b: false } }],
  ];
  const open: [RouteInput['match'], RouteInput['match']][] = [
    [{ path: '/a' }, { path: '/a/*' }],
    [{ path: '/a/*' }, { path: '/ab' }],
    [{ path: '/a' }, {}],
    [{ path: '/a', method: 'GET' }, { path: '/a' }],
    [{ path: '~^/a' }, { path: '/a' }],
    [{ host: '*.example.com' }, { host: 'example.com' }],
    [{ host: '*.b.example.com' }, { host: '*.example.com' }],
    [{ method: 'HEAD' }, { method: 'GET' }],
    [{ remote: 'private' }, { remote: '10.0.0.1' }],
    [{ header: { 'X-A': '1' } }, { header: { 'X-A': true } }],
    [{ header: { 'X-A': true } }, { header: { 'X-A': false } }],
    [{ header: { 'X-A': true } }, { header: { 'X-B': '1' } }],
    [{ query: { toString: '1' } }, { query: { b: '1' } }],
  ];
  for (const [earlier, later] of covered) {
    test(`${JSON.stringify(earlier)} takes all of ${JSON.stringify(later)}`, () => {
      assert.equal(shadows(match(earlier), match(later)), true);
    });
  }
  for (const [earlier, later] of open) {
    test(`${JSON.stringify(earlier)} leaves some of ${JSON.stringify(later)}`, () => {
      assert.equal(shadows(match(earlier), match(later)), false);
    });
  }
});
