import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasName, isOriginProblem, parseOrigin } from './origin-url.ts';

const SCHEMES = ['http', 'fastcgi'];

test('every form of an origin', () => {
  const http = (host: string, port: number) => ({ scheme: 'http', host, port });
  const good: [string, object][] = [
    ['http://127.0.0.1:3000', http('127.0.0.1', 3000)],
    ['http://127.0.0.1:3000/', http('127.0.0.1', 3000)],
    ['HTTP://Example.COM', http('example.com', 80)],
    ['http://[::1]:3000', http('::1', 3000)],
    ['http://[::1]', http('::1', 80)],
    ['[::1]:3000', http('::1', 3000)],
    ['app_1.internal.:3000', http('app_1.internal.', 3000)],
    ['app', http('app', 80)],
    ['3000', http('127.0.0.1', 3000)],
    ['unix:/run/a.sock', { scheme: 'http', host: '', port: 0, path: '/run/a.sock' }],
    ['unix:///run/a.sock', { scheme: 'http', host: '', port: 0, path: '/run/a.sock' }],
    ['http+unix:/run/a.sock', { scheme: 'http', host: '', port: 0, path: '/run/a.sock' }],
    ['fastcgi+unix:/run/a.sock', { scheme: 'fastcgi', host: '', port: 0, path: '/run/a.sock' }],
    [`unix:/${'x'.repeat(106)}`, { scheme: 'http', host: '', port: 0, path: `/${'x'.repeat(106)}` }],
    ['srv:80', http('srv', 80)],
    ['srv:_http._tcp.App.Example.', { scheme: 'http', host: '_http._tcp.app.example', port: 0, srv: true }],
    ['srv://_http._tcp.app.example/', { scheme: 'http', host: '_http._tcp.app.example', port: 0, srv: true }],
    ['http+srv:web.service.consul', { scheme: 'http', host: 'web.service.consul', port: 0, srv: true }],
    ['fastcgi+srv://web', { scheme: 'fastcgi', host: 'web', port: 0, srv: true }],
    ['fastcgi://php:9000', { scheme: 'fastcgi', host: 'php', port: 9000 }],
  ];
  for (const [text, address] of good) assert.deepEqual(parseOrigin(text, SCHEMES), address, text);
});

test('what is none, why, and which part of it', () => {
  const bad: [string, RegExp, string | undefined][] = [
    ['', /host is missing/, undefined],
    ['http://', /host is missing/, undefined],
    ['http://:80', /host is missing/, undefined],
    ['http://a/b', /path of the request/, '/b'],
    ['http://a:80?b', /path of the request/, '?b'],
    ['http://a#b', /path of the request/, '#b'],
    ['http://u:p@a', /no user name/, 'u:p@'],
    ['http://a@b@c', /no user name/, 'a@b@'],
    ['http://a:0', /port from 1/, '0'],
    ['http://a:65536', /port from 1/, '65536'],
    ['http://a:8o', /port from 1/, '8o'],
    ['http://a:', /port is missing/, undefined],
    ['fastcgi://a', /port is missing/, undefined],
    ['0', /port from 1/, '0'],
    ['http:a', /expected http:\/\/HOST:PORT/, undefined],
    ['http:/a', /expected http:\/\/HOST:PORT/, undefined],
    ['http://1.2.3.256', /bad host name/, '1.2.3.256'],
    ['http://a b', /bad host name/, 'a b'],
    ['http://[::g]:80', /bad IPv6/, '::g'],
    ['http://[1.2.3.4]:80', /bad IPv6/, '1.2.3.4'],
    ['::1:80', /in brackets/, undefined],
    ['[::1]80', /expected HOST:PORT|in brackets/, undefined],
    ['a[b', /expected HOST:PORT/, undefined],
    ['/run/a.sock', /unix:\/run\/a.sock/, undefined],
    ['unix:/', /path of the socket is missing/, undefined],
    ['unix://run/a.sock', /starts with one slash/, undefined],
    [`unix:/${'x'.repeat(107)}`, /at most 107 bytes/, undefined],
    ['https://a', /https origins are not in this release, which speaks http, fastcgi/, 'https'],
    ['h2c+unix:/a', /h2c origins are not in this release/, 'h2c'],
    ['srv:', /name of the SRV records is missing/, undefined],
    ['srv://', /name of the SRV records is missing/, undefined],
    ['srv:_http._tcp.a:80', /SRV records tell the port: write srv:_http\._tcp\.a$/, ':80'],
    ['srv:_http._tcp.a/x', /bad name of SRV records/, undefined],
    ['srv://u:p@a', /no user name/, 'u:p@a'],
    ['srv:a..b', /bad name of SRV records/, undefined],
    [`srv:${'x'.repeat(64)}.a`, /bad name of SRV records/, undefined],
    ['srv:10.0.0.1', /an IP address has no SRV records/, '10.0.0.1'],
    ['srv:[::1]', /an IP address has no SRV records/, '[::1]'],
    ['https+srv:a', /https origins are not in this release/, 'https'],
    ['gopher+srv:a', /unknown scheme gopher/, 'gopher'],
    ['gopher://a', /unknown scheme gopher/, 'gopher'],
  ];
  for (const [text, why, within] of bad) {
    const problem = parseOrigin(text, SCHEMES);
    assert.ok(isOriginProblem(problem), text);
    assert.match(problem.message, why, text);
    assert.equal(problem.within, within, text);
  }
});

test('the first scheme is the one that need not be said', () => {
  assert.deepEqual(parseOrigin('a:1', ['scgi', 'http']), { scheme: 'scgi', host: 'a', port: 1 });
  assert.deepEqual(parseOrigin('unix:/a', ['scgi']), { scheme: 'scgi', host: '', port: 0, path: '/a' });
});

test('programs have a path or none, and no address', () => {
  const read = (text: string) => parseOrigin(text, ['http', 'cgi'], ['cgi']);
  const run = (path: string) => ({ scheme: 'cgi', host: '', port: 0, program: path });
  for (const [text, address] of [
    ['cgi:/usr/lib/app', run('/usr/lib/app')],
    ['CGI:///usr/lib/app?x', run('/usr/lib/app?x')],
    ['cgi:', run('')],
    ['cgi:80', { scheme: 'http', host: 'cgi', port: 80 }],
    ['http://cgi:81', { scheme: 'http', host: 'cgi', port: 81 }],
  ] as const)
    assert.deepEqual(read(text), address, text);
  for (const [text, why] of [
    ['cgi:app', /expected the path of a program, as in cgi:\/usr\/lib\/app, or cgi: alone/],
    ['cgi://host/app', /expected the path of a program/],
    ['cgi:/usr/lib/', /a folder cannot be run/],
    ['cgi:/', /a folder cannot be run/],
    ['cgi:/a\0b', /NUL/],
    ['cgi+unix:/a', /unknown scheme cgi/],
    ['cgi+srv:a', /unknown scheme cgi/],
  ] as const) {
    const problem = read(text);
    assert.ok(isOriginProblem(problem), text);
    assert.match(problem.message, why, text);
  }
  const address = read('cgi:/a');
  assert.ok(!isOriginProblem(address) && !hasName(address));
});
