import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { requestOf } from '../../test/support/request.ts';
import { normalizePath } from './request.ts';

function pathOf(target: string): string | undefined {
  return requestOf(`GET ${target} HTTP/1.1`).path;
}

/** The same by rewriting the text until nothing changes; `undefined` when it climbs. */
function slowly(decoded: string): string | undefined {
  let path = decoded;
  for (let before = ''; before !== path;) {
    before = path;
    path = path.replace(/\/{2,}/, '/');
    path = path.replace(/\/\.(?:\/|$)/, '/');
    if (!path.includes('//') && !/\/\.(?:\/|$)/.test(path)) path = path.replace(/\/(?!\.\.\/)[^/]+\/\.\.(?:\/|$)/, '/');
  }
  return /^\/\.\.(?:\/|$)/.test(path) ? undefined : path;
}

describe('the path that routes see', () => {
  const cases: [target: string, path: string | undefined][] = [
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/b/', '/a/b/'],
    ['/a?b=/../..', '/a'],
    ['/?', '/'],
    // Escapes
    ['/%61dmin', '/admin'],
    ['/%61%64min', '/admin'],
    ['/caf%C3%A9', '/café'],
    ['/%e2%82%ac', '/€'],
    ['/a%20b', '/a b'],
    ['/a%3Fb', '/a?b'],
    ['/a%23b', '/a#b'],
    // Once: what was escaped twice stays escaped once.
    ['/%2561', '/%61'],
    ['/%252e%252e/x', '/%2e%2e/x'],
    ['/%252F', '/%2F'],
    // An escaped slash is not a separator, and NUL ends no string.
    ['/a%2Fb', '/a%2Fb'],
    ['/a%2fb', '/a%2fb'],
    ['/%61%2F%62', '/a%2Fb'],
    ['/caf%c3%a9%2Fx', '/café%2Fx'],
    ['/a%00b', '/a%00b'],
    ['/..%2Fx', '/..%2Fx'],
    // Neither escape nor UTF-8
    ['/%', '/%'],
    ['/%6', '/%6'],
    ['/%zz', '/%zz'],
    ['/%ff', '/%ff'],
    ['/%61%ff', '/a%ff'],
    ['/%ff%2F%61', '/%ff%2Fa'],
    // Overlong forms of `.` and `/` are not UTF-8 (CVE-2000-0884).
    ['/%c0%ae%c0%ae/x', '/%c0%ae%c0%ae/x'],
    ['/%c0%af', '/%c0%af'],
    // Slashes and dots
    ['//a', '/a'],
    ['/a//b', '/a/b'],
    ['/a///', '/a/'],
    ['//', '/'],
    ['/.', '/'],
    ['/./', '/'],
    ['/a/.', '/a/'],
    ['/a/./b', '/a/b'],
    ['/a/..', '/'],
    ['/a/../b', '/b'],
    ['/a/b/../../c', '/c'],
    ['/a/b/..', '/a/'],
    ['/a//../b', '/b'],
    ['/a/%2e%2e/b', '/b'],
    ['/a/.%2E/b', '/b'],
    ['/a/%2e/b', '/a/b'],
    ['/x/../admin', '/admin'],
    ['/.../a', '/.../a'],
    ['/..a/b', '/..a/b'],
    ['/a../b', '/a../b'],
    ['/.well-known/x', '/.well-known/x'],
    ['/a/.b', '/a/.b'],
    // Above the root
    ['/..', undefined],
    ['/../a', undefined],
    ['/a/../../b', undefined],
    ['/%2e%2e/a', undefined],
    ['/.%2e', undefined],
    ['/a/../../a/b/c', undefined],
    ['//../a', undefined],
    // The other forms of a target
    ['*', '*'],
    ['http://example.org', '/'],
    ['http://example.org/a/../b?c', '/b'],
    ['http://example.org?x=/y', '/'],
    ['HTTP://example.org//a', '/a'],
    ['http://example.org/..', undefined],
  ];
  for (const [target, path] of cases) {
    test(`${target} is ${path ?? 'refused'}`, () => {
      const request = requestOf(`GET ${target} HTTP/1.1`);
      assert.equal(request.path, path);
      assert.equal(request.climbs, path === undefined);
    });
  }

  test('the quick way for plain paths and the thorough one agree', () => {
    const piece = fc.constantFrom('a', 'B', '/', '/', '.', '..', '%2e', '%2E', '%61', '%2F', '%', '-');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const target = `/${pieces.join('')}`;
        assert.equal(pathOf(target), normalizePath(target));
      }),
    );
  });

  test('any path is what slow rewriting makes of it', () => {
    const piece = fc.constantFrom('a', 'b', '/', '/', '/', '.', '..', '/..', '%2e', '%61', '%2F');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        const raw = `/${pieces.join('')}`;
        const decoded = raw.replaceAll('%2e', '.').replaceAll('%61', 'a');
        assert.equal(normalizePath(raw), slowly(decoded));
      }),
      { numRuns: 1000 },
    );
  });

  test('climbing in the query does not count', () => {
    const request = requestOf('GET /a?x=/../../..&y=%2e%2e HTTP/1.1');
    assert.equal(request.climbs, false);
    assert.equal(request.query, 'x=/../../..&y=%2e%2e');
  });
});

describe('what goes on to the origin', () => {
  for (const [line, sent] of [
    ['GET /a/../%61//b?c HTTP/1.1', '/a/../%61//b?c'],
    ['GET http://example.org/a?b HTTP/1.1', '/a?b'],
    ['GET http://example.org?b HTTP/1.1', '/?b'],
    ['GET http://example.org HTTP/1.1', '/'],
    ['OPTIONS http://example.org HTTP/1.1', '*'],
    ['OPTIONS http://example.org/ HTTP/1.1', '/'],
    ['OPTIONS * HTTP/1.1', '*'],
  ] as const) {
    test(`${line}: ${sent}`, () => assert.equal(requestOf(line).pathAndQuery, sent));
  }
});

describe('query, authority, host', () => {
  test('the query begins behind the first question mark', () => {
    for (const [target, query] of [
      ['/a', ''],
      ['/a?', ''],
      ['/a?b', 'b'],
      ['/a?b?c', 'b?c'],
      ['http://h?q', 'q'],
    ] as const) {
      assert.equal(requestOf(`GET ${target} HTTP/1.1`).query, query);
    }
  });

  test('by Host', () => {
    for (const [host, authority, name] of [
      ['Example.ORG', 'example.org', 'example.org'],
      ['example.org:8080', 'example.org:8080', 'example.org'],
      ['example.org.', 'example.org.', 'example.org'],
      ['example.org.:80', 'example.org.:80', 'example.org'],
      ['[::1]', '[::1]', '[::1]'],
      ['[FE80::1]:80', '[fe80::1]:80', '[fe80::1]'],
      ['127.0.0.1:1', '127.0.0.1:1', '127.0.0.1'],
    ] as const) {
      const request = requestOf('GET / HTTP/1.1', `Host: ${host}`);
      assert.equal(request.authority, authority);
      assert.equal(request.host, name);
    }
  });

  test('an absolute target overrules Host: RFC 9112 §3.2.2', () => {
    const request = requestOf('GET http://One.example:81/ HTTP/1.1', 'Host: two.example');
    assert.equal(request.authority, 'one.example:81');
    assert.equal(request.host, 'one.example');
  });

  test('HTTP/1.0 may name none', () => {
    const request = requestOf('GET / HTTP/1.0');
    assert.equal(request.authority, '');
    assert.equal(request.host, '');
  });
});

describe('cookies', () => {
  test('by exact name, the first of several, from any Cookie field', () => {
    const request = requestOf(
      'GET / HTTP/1.1',
      'Cookie: a=1; b = two ;c="3=4"; empty=; novalue',
      'X-Other: d=9',
      'cookie: a=9; d=5;;e=6',
    );
    for (const [name, value] of [
      ['a', '1'],
      ['b', 'two'],
      ['c', '"3=4"'],
      ['empty', ''],
      ['novalue', undefined],
      ['d', '5'],
      ['e', '6'],
      ['A', undefined],
      ['', undefined],
    ] as const) {
      assert.equal(request.cookie(name), value, name);
    }
  });

  test('as the origin will see them: dropped ones are gone, added ones are there', () => {
    const request = requestOf('GET / HTTP/1.1', 'Cookie: a=1');
    request.fields.set('Cookie', 'b=2');
    assert.equal(request.cookie('a'), undefined);
    assert.equal(request.cookie('b'), '2');
  });
});

test('cleared, a request remembers nothing of the last one', () => {
  const request = requestOf('POST http://a.example/x?y HTTP/1.1', 'Host: a', 'Cookie: c=1');
  Object.assign(request, {
    minor: 0,
    framing: 'length',
    length: 5,
    expectsContinue: true,
    keepAlive: false,
    takesTrailers: true,
    upgrade: 'h2c',
  });
  // Asked for, and so kept.
  assert.deepEqual([request.path, request.query, request.authority], ['/x', 'y', 'a.example']);
  request.clear();
  const fresh = requestOf('');
  fresh.clear();
  assert.deepEqual(request, fresh);
  assert.deepEqual([request.path, request.query, request.authority, request.cookie('c')], ['', '', '', undefined]);
  assert.deepEqual(request.fields.entries(), []);
});
