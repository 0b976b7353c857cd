import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { exchangeOf } from '../../../test/support/exchange.ts';
import { targetOf } from '../../../test/support/fastcgi.ts';
import type { ClientAddress, Exchange } from '../../core/exchange.ts';
import * as names from '../../core/names.ts';
import type { RequestTarget } from '../codec.ts';
import { environment, type Pair, written } from './environment.ts';
import { type Script, scriptOf } from './script.ts';

function variables(exchange: Exchange, target: RequestTarget = targetOf()): Record<string, string> {
  const found = new Map<string, string>();
  const script = scriptOf(exchange.request, target.cgi) as Script;
  environment(exchange.request, target, exchange, script, (name, value) => {
    assert.ok(!found.has(name), `${name} comes twice`);
    found.set(name, value);
  });
  return Object.fromEntries(found);
}

const php = targetOf({ root: '/srv/app', split: ['.php'] });

test('all variables of one request', () => {
  const exchange = exchangeOf(
    {},
    'POST /shop/index.php/a%20b/c?x=1&y HTTP/1.1',
    'Host: Shop.example:8080',
    'User-Agent: x',
    'Content-Type: text/plain',
    'Content-Length: 5',
  );
  exchange.request.framing = 'length';
  exchange.request.length = 5;
  assert.deepEqual(variables(exchange, php), {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE: 'sluice',
    SERVER_PROTOCOL: 'HTTP/1.1',
    REQUEST_METHOD: 'POST',
    REQUEST_SCHEME: 'http',
    REDIRECT_STATUS: '200',
    CONTENT_LENGTH: '5',
    REQUEST_URI: '/shop/index.php/a%20b/c?x=1&y',
    QUERY_STRING: 'x=1&y',
    SCRIPT_NAME: '/shop/index.php',
    PATH_INFO: '/a b/c',
    DOCUMENT_URI: '/shop/index.php/a b/c',
    DOCUMENT_ROOT: '/srv/app',
    SCRIPT_FILENAME: '/srv/app/shop/index.php',
    HTTP_HOST: 'Shop.example:8080',
    SERVER_NAME: 'Shop.example',
    SERVER_PORT: '8080',
    SERVER_ADDR: '192.0.2.80',
    REMOTE_ADDR: '192.0.2.1',
    REMOTE_PORT: '40000',
    HTTP_USER_AGENT: 'x',
    CONTENT_TYPE: 'text/plain',
  });
});

test('fields of one name become one variable, and no two names become the same', () => {
  const exchange = exchangeOf(
    {},
    'GET / HTTP/1.1',
    'Host: a',
    'Cookie: a=1',
    'X-User: one',
    'cookie: b=2',
    'x-user: two',
    'X_User: forged',
    'X.User: forged',
    'X-USER: three',
    'HTTP_HOST: forged',
    'Content_Length: 99',
    'Content-TYPE: t',
  );
  exchange.request.fields.append('X-Request-Id', 'r-1');
  exchange.request.fields.append('X-User', 'four');
  const found = variables(exchange);
  assert.equal(found['HTTP_COOKIE'], 'a=1; b=2');
  assert.equal(found['HTTP_X_USER'], 'one, two, three, four');
  assert.equal(found['HTTP_X_REQUEST_ID'], 'r-1');
  assert.equal(found['HTTP_HOST'], 'a');
  assert.equal(found['CONTENT_TYPE'], 't');
  assert.doesNotMatch(JSON.stringify(found), /forged|99/);
});

test('no field of the client becomes a variable that programs believe', () => {
  const names = [
    'Proxy',
    'Remote-User',
    'Script-Filename',
    'PHP-Value',
    'PHP-Admin-Value',
    'Https',
    'Path-Info',
    'Auth-Type',
  ];
  const found = variables(
    exchangeOf({}, 'GET /a.php HTTP/1.1', 'Host: a', ...names.map((name) => `${name}: evil`)),
    php,
  );
  assert.equal(found['HTTP_PROXY'], undefined);
  for (const [name, value] of Object.entries(found)) if (value === 'evil') assert.match(name, /^HTTP_(?!PROXY)/);
  assert.equal(found['HTTPS'], undefined);
  assert.equal(found['REMOTE_USER'], undefined);
});

test('what concerns the connection, or is told in another way, is no variable', () => {
  const names = [
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'Expect',
    'HTTP2-Settings',
    'Proxy-Connection',
  ];
  const exchange = exchangeOf({}, 'GET / HTTP/1.1', 'Host: a', ...names.map((name) => `${name}: x`));
  exchange.request.fields.append('Connection', 'x');
  const told = Object.keys(variables(exchange)).filter((name) => name.startsWith('HTTP_'));
  assert.deepEqual(told, ['HTTP_HOST']);
});

test('Authorization is told: who else should check it', () => {
  const found = variables(exchangeOf({}, 'GET / HTTP/1.1', 'Host: a', 'Authorization: Basic eDp5'));
  assert.equal(found['HTTP_AUTHORIZATION'], 'Basic eDp5');
  assert.deepEqual([found['AUTH_TYPE'], found['REMOTE_USER']], [undefined, undefined]);
});

test('the length is told when it is known', () => {
  const none = exchangeOf({}, 'GET / HTTP/1.1', 'Host: a');
  assert.equal(variables(none)['CONTENT_LENGTH'], undefined);
  const zero = exchangeOf({}, 'POST / HTTP/1.1', 'Host: a', 'Content-Length: 0');
  assert.equal(variables(zero)['CONTENT_LENGTH'], '0');
  const chunked = exchangeOf({}, 'POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked');
  chunked.request.framing = 'chunked';
  assert.equal(variables(chunked)['CONTENT_LENGTH'], undefined);
});

test('https: on the connection, or where a trusted proxy says so, and nobody else', () => {
  const asked = (client: Partial<ClientAddress>, ...fields: string[]): (string | undefined)[] => {
    const found = variables(exchangeOf(client, 'GET / HTTP/1.1', 'Host: a', ...fields));
    return [found['HTTPS'], found['REQUEST_SCHEME'], found['SERVER_PORT']];
  };
  assert.deepEqual(asked({ scheme: 'https', localPort: 443 }), ['on', 'https', '443']);
  assert.deepEqual(asked({}, 'X-Forwarded-Proto: https'), [undefined, 'http', '8080']);
  assert.deepEqual(asked({ trusted: true }, 'X-Forwarded-Proto: https'), ['on', 'https', '8080']);
  assert.deepEqual(asked({ trusted: true, scheme: 'https' }, 'X-Forwarded-Proto: http'), [undefined, 'http', '8080']);
  assert.deepEqual(asked({ scheme: 'https', localPort: 0 }), ['on', 'https', '443']);
  assert.deepEqual(asked({ localPort: 0 }), [undefined, 'http', '80']);
});

test('what an authorizer said replaces what the request says, and what the config says replaces both', () => {
  const exchange = exchangeOf({}, 'GET /x HTTP/1.1', 'Host: a', 'Role: client');
  exchange.variables = new Map([
    ['REMOTE_USER', 'anna'],
    ['HTTP_ROLE', 'editor'],
    ['APP', 'authorizer'],
  ]);
  const found = variables(exchange, targetOf({ env: { APP: 'config' } }));
  assert.deepEqual([found['REMOTE_USER'], found['HTTP_ROLE'], found['APP']], ['anna', 'editor', 'config']);
});

test('an authorizer is not told what FastCGI 1.0 §6.3 leaves out', () => {
  const exchange = exchangeOf({}, 'POST /x.php/y?z HTTP/1.1', 'Host: a', 'Content-Length: 5');
  exchange.authorizes = true;
  const found = variables(exchange, targetOf({ root: '/srv', split: ['.php'] }));
  for (const name of ['CONTENT_LENGTH', 'PATH_INFO', 'PATH_TRANSLATED', 'SCRIPT_NAME'])
    assert.equal(name in found, false, name);
  assert.deepEqual([found['REQUEST_URI'], found['SCRIPT_FILENAME']], ['/x.php/y?z', '/srv/x.php']);
});

test('a unix socket has no address', () => {
  const exchange = exchangeOf({ localAddress: '', localPort: 0 }, 'GET / HTTP/1.1', 'Host: a');
  assert.equal('SERVER_ADDR' in variables(exchange), false);
});

test('who asks: the client that a trusted proxy names has no port that we know', () => {
  const behind = exchangeOf({ trusted: true }, 'GET / HTTP/1.1', 'Host: a');
  behind.remote = '203.0.113.9';
  assert.deepEqual([variables(behind)['REMOTE_ADDR'], variables(behind)['REMOTE_PORT']], ['203.0.113.9', undefined]);
  const unix = variables(exchangeOf({ address: 'unix:', port: 0 }, 'GET / HTTP/1.1', 'Host: a'));
  assert.deepEqual([unix['REMOTE_ADDR'], unix['REMOTE_PORT']], ['unix:', undefined]);
});

test('the host: as for an HTTP origin', () => {
  const named = (line: string, fields: string[], target = targetOf()): (string | undefined)[] => {
    const found = variables(exchangeOf({}, line, ...fields), target);
    return [found['HTTP_HOST'], found['SERVER_NAME']];
  };
  assert.deepEqual(named('GET / HTTP/1.1', ['Host: [::1]:80']), ['[::1]:80', '[::1]']);
  assert.deepEqual(named('GET http://b:1/ HTTP/1.1', ['Host: a']), ['b:1', 'b']);
  assert.deepEqual(named('GET / HTTP/1.0', []), ['origin', 'origin']);
  assert.deepEqual(named('GET / HTTP/1.1', ['Host: a'], { ...targetOf(), replaceHost: true }), ['origin', 'origin']);
  // A hook's, which knew the others.
  const exchange = exchangeOf({}, 'GET / HTTP/1.1', 'Host: a');
  exchange.request.fields.dropAll(names.HOST);
  exchange.request.fields.append('Host', 'hooked:8');
  const found = variables(exchange, { ...targetOf(), replaceHost: true });
  assert.deepEqual([found['HTTP_HOST'], found['SERVER_NAME']], ['hooked:8', 'hooked']);
});

test('variables of the config replace those of the request, in UTF-8', () => {
  const target = targetOf({
    root: '/r\u00e9',
    env: { SCRIPT_FILENAME: '/usr/lib/x', SERVER_NAME: 'fixed', HTTP_ACCEPT: 'any', APP: 'b\u00e4r' },
  });
  const found = variables(exchangeOf({}, 'GET / HTTP/1.1', 'Host: a', 'Accept: x'), target);
  assert.deepEqual(
    [found['SCRIPT_FILENAME'], found['SERVER_NAME'], found['HTTP_ACCEPT'], found['APP'], found['DOCUMENT_ROOT']],
    ['/usr/lib/x', 'fixed', 'any', 'b\u00c3\u00a4r', '/r\u00c3\u00a9'],
  );
});

test('field names that never come again do not pile up', () => {
  for (let i = 0; i < 3000; i++) {
    const found = variables(exchangeOf({}, 'GET / HTTP/1.1', 'Host: a', `X-N${i}: ${i}`));
    assert.equal(found[`HTTP_X_N${i}`], String(i));
  }
});

const lines: Pair = (name, value) => `${name}=${value}\n`;

/** The variables by both ways: what is kept of a client's last request must not show. */
function told(exchange: Exchange, target: RequestTarget = php, pair: Pair = lines): string[] {
  const script = scriptOf(exchange.request, target.cgi) as Script;
  const whole = written(exchange.request, target, exchange, script, pair).split('\n').slice(0, -1);
  const listed: string[] = [];
  environment(
    exchange.request,
    target,
    exchange,
    script,
    (name, value) => void listed.push(pair(name, value).slice(0, -1)),
  );
  assert.deepEqual(whole.toSorted(), listed.toSorted());
  return whole;
}

/** A request of the same client as before. */
function next(client: ClientAddress, ...head: string[]): Exchange {
  const exchange = exchangeOf({}, ...head);
  Object.assign(exchange.front, { client });
  return exchange;
}

test('written as one text it is the same, whatever the client has asked before', () => {
  const first = exchangeOf({}, 'GET /a.php?1 HTTP/1.1', 'Host: a:81', 'X-User: one');
  const { client } = first.front;
  told(first);
  told(next(client, 'POST /b/c.php/d HTTP/1.0', 'Host: b'));
  told(next(client, 'GET /a.php HTTP/1.1', 'Host: [::1]'), { ...php, replaceHost: true });
  told(next(client, 'GET /a.php HTTP/1.1', 'Host: a'), targetOf());
  told(
    next(client, 'GET /a.php HTTP/1.1', 'Host: a'),
    targetOf({ root: '/elsewhere', split: ['.php'], env: { A: 'b' } }),
  );
  told(next(client, 'GET /a.php HTTP/1.1', 'Host: a'), php, (name, value) => `${name}: ${value}\n`);
  const behind = next(client, 'GET /a.php HTTP/1.1', 'Host: a');
  behind.remote = '203.0.113.9';
  told(behind);
  const asked = next(client, 'GET /a.php HTTP/1.1', 'Host: a');
  asked.authorizes = true;
  told(asked);
  const admitted = next(client, 'GET /a.php HTTP/1.1', 'Host: a');
  admitted.variables = new Map([['REMOTE_ADDR', 'hidden']]);
  assert.ok(told(admitted).includes('REMOTE_ADDR=hidden'));
  assert.ok(told(next(client, 'GET /a.php HTTP/1.1', 'Host: a:81')).includes('HTTP_HOST=a:81'));
});

test('what sluice says about a client is written once, and again when somebody else says something about him', () => {
  const first = exchangeOf({}, 'GET /a.php HTTP/1.1', 'Host: a');
  const { client } = first.front;
  const forwarded = 'X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n';
  // No line yet, then some; a request that has others; some more behind them; one of them a second time, and as a field.
  told(first);
  client.lines = forwarded;
  const asked = (added: string, ...fields: string[]): string[] => {
    const exchange = next(client, 'GET /a.php HTTP/1.1', 'Host: a', ...fields);
    exchange.request.fields.added = added;
    return told(exchange).filter((line) => line.startsWith('HTTP_X_'));
  };
  const usual = ['HTTP_X_FORWARDED_FOR=192.0.2.1', 'HTTP_X_FORWARDED_PROTO=http'];
  assert.deepEqual(asked(forwarded), usual);
  assert.deepEqual(asked(''), []);
  assert.deepEqual(asked(`X-Own: x\r\n${forwarded}`), ['HTTP_X_OWN=x', ...usual]);
  assert.deepEqual(asked(`${forwarded}X-Own: x\r\n`), [...usual, 'HTTP_X_OWN=x']);
  const twice = ['HTTP_X_FORWARDED_FOR=192.0.2.1, hook', 'HTTP_X_FORWARDED_PROTO=http'];
  assert.deepEqual(asked(`${forwarded}x-forwarded-for: hook\r\n`), twice);
  assert.deepEqual(asked(forwarded, 'X-Forwarded-Proto: ws'), [
    'HTTP_X_FORWARDED_PROTO=ws, http',
    'HTTP_X_FORWARDED_FOR=192.0.2.1',
  ]);
  assert.deepEqual(asked(forwarded), usual);
});

test('nothing that is kept of a request keeps its head in memory', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const exchanges = Array.from({ length: 300 }, () => exchangeOf({}, 'GET /a.php HTTP/1.1', 'Host: a'));
  const before = used();
  exchanges.forEach(({ front: { client } }, i) => {
    const padding = `X-Padding: ${'x'.repeat(60_000)}`;
    written(...asked(next(client, 'GET /a.php HTTP/1.1', `Host: host-${i}-of-some-length`, padding)));
    const long = next(client, 'GET /a.php HTTP/1.1', `Host: ${'h'.repeat(60_000)}`);
    assert.ok(written(...asked(long)).includes('hhhh'));
  });
  const grown = used() - before;
  assert.ok(grown < 6_000_000, `${grown} bytes for 300 clients`);

  function asked(exchange: Exchange): Parameters<typeof written> {
    return [exchange.request, php, exchange, scriptOf(exchange.request, php.cgi) as Script, lines];
  }
});
