import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { requestOf } from '../../test/support/request.ts';
import { indexByHost } from './host-index.ts';
import { routeSchema, type RouteInput } from './options.ts';
import { compile } from './table.ts';

const names = ['a.example', 'b.example', 'c.a.example', 'd.c.a.example', 'other'];
const patterns = fc.constantFrom(...names, '*.example', '*.a.example', '*.c.a.example');
const route = fc.record({
  host: fc.option(fc.uniqueArray(patterns, { minLength: 1, maxLength: 3 }), { nil: undefined }),
  method: fc.option(fc.constantFrom('GET', 'PUT'), { nil: undefined }),
});

test('with or without the index the same route is found', () => {
  fc.assert(
    fc.property(
      fc.array(route, { minLength: 9, maxLength: 30 }),
      fc.constantFrom(...names, 'x.example', 'y'),
      (matches, host) => {
        const options = matches.map((match) => routeSchema.parse({ match, to: 'x' } satisfies RouteInput));
        const request = requestOf('GET / HTTP/1.1', `Host: ${host}`);
        const indexed = compile(options).find(request, '');
        // Tables of one route have no index.
        const at = options.findIndex((one) => compile([one]).find(request, '') !== undefined);
        assert.equal(indexed?.name, at < 0 ? undefined : `#${at + 1}`);
      },
    ),
    { numRuns: 1000 },
  );
});

test('many hosts: each look-up yields few routes', () => {
  const routes = Array.from({ length: 1000 }, (_, i) => ({ hosts: i % 100 === 99 ? undefined : [`h${i}.example`] }));
  const find = indexByHost(routes);
  assert.equal(find('h5.example').length, 11);
  assert.equal(find('h5.example')[0], routes[5]);
  assert.equal(find('nosuch').length, 10);
  assert.equal(find('constructor').length, 10);
});

test('few routes, or none with an exact host, have no index', () => {
  const few = Array.from({ length: 8 }, (_, i) => ({ hosts: [`h${i}`] }));
  assert.equal(indexByHost(few)('h1'), few);
  const wild = Array.from({ length: 20 }, (_, i) => ({ hosts: [`*.h${i}`] }));
  assert.equal(indexByHost(wild)('a.h1'), wild);
});
