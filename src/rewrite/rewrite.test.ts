import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { exchangeOf } from '../../test/support/exchange.ts';
import { requestOf } from '../../test/support/request.ts';
import { Answer } from '../core/answer.ts';
import type { ClientAddress } from '../core/exchange.ts';
import { type RewriteOptions, passes } from './index.ts';

const OFF: RewriteOptions = { forwarded: false, via: false, requestId: false, trace: 'off', traceSample: 0 };

const V6 = '2001:db8::1';

/** The field lines that origins see, from a client's. */
function sent(client: Partial<ClientAddress>, options: Partial<RewriteOptions>, ...lines: string[]): string[] {
  const exchange = exchangeOf(client, 'GET / HTTP/1.1', ...lines);
  for (const pass of passes({ ...OFF, ...options }, manualClock())) pass.request?.(exchange);
  return exchange.request.fields.lines().split('\r\n').slice(0, -1);
}

/** The same without what `forwarded` adds always. */
function kept(...lines: string[]): string[] {
  return sent({}, {}, ...lines).filter((line) => !line.startsWith('X-Forwarded-'));
}

function answered(options: Partial<RewriteOptions>, ...lines: string[]): string[] {
  const answer = new Answer();
  answer.fields.copy(requestOf('200 OK', ...lines).fields);
  const exchange = exchangeOf({}, 'GET / HTTP/1.1');
  for (const pass of passes({ ...OFF, ...options }, manualClock())) pass.answer?.(exchange, answer);
  return answer.fields.lines().split('\r\n').slice(0, -1);
}

describe('hop-by-hop', () => {
  test('what concerns the connection goes, the rest stays in order, case and number', () => {
    const lines = [
      'HOST: a',
      'Connection: keep-alive',
      'accept: x',
      'Keep-Alive: timeout=5',
      'Accept: y',
      'Proxy-Connection: keep-alive',
      'TE: gzip',
      'Upgrade: h2c',
      'HTTP2-Settings: AAA',
      'Transfer-Encoding: chunked',
      'Proxy: http://evil.example/',
      'Content-Length: 5',
      'Trailer: X-Sum',
    ];
    assert.deepEqual(kept(...lines), ['HOST: a', 'accept: x', 'Accept: y', 'Content-Length: 5', 'Trailer: X-Sum']);
  });

  test('what Connection names goes too, from every such field, in any spelling, wherever it stands', () => {
    assert.deepEqual(
      kept(
        'X-One: 1',
        'Connection: close, x-ONE ,, X-Two',
        'X-Two: 2',
        'connection: X-Three',
        'x-three: 3',
        'X-four: 4',
      ),
      ['X-four: 4'],
    );
    assert.deepEqual(kept('Connection: Cookie', 'Cookie: a', 'Cookie2: b'), ['Cookie2: b']);
  });

  test('however many names are nominated, each field’s name is read once', () => {
    // 3000 names in two fields: one pass for each of them would be a cheap way to keep a proxy busy.
    const names = Array.from({ length: 1500 }, (_, i) => `n${i}`).join(',');
    const others = Array.from({ length: 90 }, (_, i) => `X-${i}: 1`);
    const exchange = exchangeOf({}, 'GET / HTTP/1.1', `Connection: ${names}`, ...others, `Connection: ${names},x-5`);
    const { fields } = exchange.request;
    let reads = 0;
    const read = fields.name.bind(fields);
    fields.name = (index) => {
      reads++;
      return read(index);
    };
    passes(OFF, manualClock())[0].request?.(exchange);
    assert.ok(reads <= fields.count, `${reads} reads of ${fields.count} names`);
    assert.deepEqual(
      others.filter((line) => !fields.lines().includes(`${line}\r\n`)),
      ['X-5: 1'],
    );
  });

  test('but not what frames or addresses the message', () => {
    for (const name of ['Host', 'Content-Length', 'host, content-length', ' HOST ']) {
      assert.deepEqual(
        kept(`Connection: ${name}`, 'Host: a', 'Content-Length: 5'),
        ['Host: a', 'Content-Length: 5'],
        name,
      );
    }
    assert.deepEqual(kept('Connection: host,close,keep-alive,x', 'Host: a', 'Close: 1', 'X: 2'), [
      'Host: a',
      'Close: 1',
    ]);
  });

  test('nominating what we set ourselves takes nothing from the origin', () => {
    const lines = sent({}, {}, 'Connection: X-Forwarded-For, X-Forwarded-Proto', 'X-Forwarded-For: 10.0.0.1');
    assert.ok(lines.includes('X-Forwarded-For: 192.0.2.1'));
    assert.ok(lines.includes('X-Forwarded-Proto: http'));
  });

  test('TE: trailers is remembered, in any list, case and weight', () => {
    for (const [value, takes] of [
      ['trailers', true],
      ['gzip, Trailers', true],
      ['trailers;q=0.5, deflate', true],
      ['gzip', false],
      ['xtrailers', false],
      ['', false],
    ] as const) {
      const exchange = exchangeOf({}, 'GET / HTTP/1.1', 'Connection: TE', `TE: ${value}`);
      for (const pass of passes(OFF, manualClock())) pass.request?.(exchange);
      assert.equal(exchange.request.takesTrailers, takes, value);
      assert.ok(!exchange.request.fields.lines().includes('TE:'));
    }
  });

  test('answers lose the same', () => {
    assert.deepEqual(
      answered(
        {},
        'Connection: close, X-Secret',
        'X-Secret: 1',
        'Keep-Alive: timeout=5',
        'Content-Length: 3',
        'set-cookie: a',
      ),
      ['Content-Length: 3', 'set-cookie: a'],
    );
  });
});

describe('X-Forwarded-*', () => {
  test('a client that is not trusted is not believed', () => {
    const lines = sent(
      {},
      {},
      'Host: a.example:81',
      'X-Forwarded-For: 10.0.0.1',
      'x-forwarded-for: 10.0.0.2',
      'X-FORWARDED-PROTO: https',
      'X-Forwarded-Host: evil',
      'X-Forwarded-Port: 1',
      'X-Forwarded-Server: left alone',
    );
    assert.deepEqual(lines, [
      'Host: a.example:81',
      'X-Forwarded-Server: left alone',
      'X-Forwarded-For: 192.0.2.1',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Port: 8080',
      'X-Forwarded-Host: a.example:81',
    ]);
  });

  test('two requests of one connection, and another scheme', () => {
    const client = { address: V6, scheme: 'https', localPort: 443, lines: '' } as const;
    const exchange = exchangeOf(client, 'GET / HTTP/1.1');
    const again = exchangeOf(exchange.front.client, 'GET / HTTP/1.1', 'Host: b');
    for (const one of [exchange, again]) for (const pass of passes(OFF, manualClock())) pass.request?.(one);
    const common = `X-Forwarded-For: ${V6}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n`;
    assert.equal(exchange.request.fields.lines(), common);
    assert.equal(again.request.fields.lines(), `Host: b\r\n${common}X-Forwarded-Host: b\r\n`);
  });

  test('behind a trusted proxy the address is appended, the rest kept, what is missing added', () => {
    assert.deepEqual(sent({ trusted: true }, {}, 'X-Forwarded-For: 10.0.0.1', 'X-Forwarded-For: 10.0.0.2', 'Host: a'), [
      'Host: a',
      'X-Forwarded-For: 10.0.0.1, 10.0.0.2, 192.0.2.1',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Port: 8080',
      'X-Forwarded-Host: a',
    ]);
    const all = ['X-Forwarded-Proto: https', 'X-Forwarded-Port: 443', 'X-Forwarded-Host: b'];
    assert.deepEqual(sent({ trusted: true }, {}, ...all, 'Host: a'), [...all, 'Host: a', 'X-Forwarded-For: 192.0.2.1']);
    assert.ok(sent({ trusted: true }, {}, 'X-Forwarded-For:').includes('X-Forwarded-For: 192.0.2.1'), 'an empty one');
  });

  test('on a unix socket there is neither address nor port', () => {
    for (const trusted of [true, false]) {
      assert.deepEqual(sent({ address: 'unix:', port: 0, localPort: 0, trusted }, {}), [
        'X-Forwarded-For: unknown',
        'X-Forwarded-Proto: http',
      ]);
    }
  });

  test('the host is the one that was asked for: an absolute target’s', () => {
    const exchange = exchangeOf({}, 'GET http://Real.example:81/ HTTP/1.1', 'Host: other');
    for (const pass of passes(OFF, manualClock())) pass.request?.(exchange);
    assert.match(exchange.request.fields.lines(), /^X-Forwarded-Host: real\.example:81\r$/m);
  });
});

describe('Forwarded, RFC 7239', () => {
  const forwardedOf = (client: Partial<ClientAddress>, ...lines: string[]): string[] =>
    sent(client, { forwarded: true }, ...lines).filter((line) => /^forwarded:/i.test(line));

  test('in place of what an untrusted client says; the host quoted, as its colon needs it', () => {
    assert.deepEqual(forwardedOf({}, 'Host: a.example:81', 'forwarded: for=10.0.0.1'), [
      'Forwarded: for=192.0.2.1;host="a.example:81";proto=http',
    ]);
  });

  test('an IPv6 address in brackets and quotes', () => {
    assert.deepEqual(forwardedOf({ address: V6, scheme: 'https' }), [`Forwarded: for="[${V6}]";proto=https`]);
  });

  test('appended behind a trusted proxy', () => {
    assert.deepEqual(
      forwardedOf({ trusted: true }, 'Forwarded: for=10.0.0.1', 'Forwarded: for=_x;by=y', 'Forwarded:'),
      ['Forwarded: for=10.0.0.1, for=_x;by=y, for=192.0.2.1;proto=http'],
    );
  });

  test('unknown on a unix socket; not there unless asked for', () => {
    assert.deepEqual(forwardedOf({ address: 'unix:' }), ['Forwarded: for=unknown;proto=http']);
    assert.deepEqual(
      sent({}, {}).filter((line) => line.startsWith('Forwarded:')),
      [],
    );
  });
});

describe('X-Request-Id', () => {
  const run = (client: Partial<ClientAddress>, ...lines: string[]): { id: string; seen: string[] } => {
    const exchange = exchangeOf(client, 'GET / HTTP/1.1', ...lines);
    for (const pass of passes({ ...OFF, requestId: true }, manualClock())) pass.request?.(exchange);
    return { id: exchange.id, seen: exchange.request.fields.getAll('x-request-id') };
  };

  test('is ours for a client that is not trusted, and one of a kind', () => {
    const clock = manualClock();
    const [, , pass] = passes({ ...OFF, requestId: true }, clock);
    const ids = new Set<string>();
    for (let i = 0; i < 2000; i++) {
      const exchange = exchangeOf({}, 'GET / HTTP/1.1', 'X-Request-Id: mine', 'x-request-id: other');
      pass?.request?.(exchange);
      assert.deepEqual(exchange.request.fields.getAll('x-request-id'), [exchange.id]);
      assert.match(exchange.id, /^[0-9a-z]{6}-[0-9a-z]+$/);
      ids.add(exchange.id);
    }
    assert.equal(ids.size, 2000);
  });

  test('is a trusted proxy’s, the first of several', () => {
    const given = 'A1:b/c.d=e+f-g_h';
    assert.deepEqual(run({ trusted: true }, `X-Request-ID: ${given}`, 'X-Request-Id: second'), {
      id: given,
      seen: [given],
    });
  });

  test('but not when it could break a line of the log', () => {
    for (const bad of ['a b', 'a"b', 'a\\b', 'é', 'a\tb', 'x'.repeat(201), '']) {
      const { id, seen } = run({ trusted: true }, `X-Request-Id: ${bad}`);
      assert.match(id, /^[0-9a-z]{6}-1$/, JSON.stringify(bad));
      assert.deepEqual(seen, [id]);
    }
    const { id } = run({ trusted: true }, 'X-Request-Id: a b', 'X-Request-Id: good');
    assert.equal(id, 'good');
  });

  test('off, nothing is touched', () => {
    assert.ok(sent({}, {}, 'X-Request-Id: mine').includes('X-Request-Id: mine'));
  });
});

describe('Via', () => {
  test('both ways, behind those of others, with the version that was received', () => {
    assert.deepEqual(
      sent({}, { via: 'edge' }, 'Via: 1.0 fred').filter((line) => line.startsWith('Via')),
      ['Via: 1.0 fred', 'Via: 1.1 edge'],
    );
    assert.deepEqual(answered({ via: 'edge' }, 'Via: 1.1 inner'), ['Via: 1.1 inner', 'Via: 1.1 edge']);
    const old = exchangeOf({}, 'GET / HTTP/1.0');
    old.request.minor = 0;
    const answer = new Answer();
    answer.minor = 0;
    for (const pass of passes({ ...OFF, via: 'edge' }, manualClock())) {
      pass.request?.(old);
      pass.answer?.(old, answer);
    }
    assert.equal(old.request.fields.get('via'), '1.0 edge');
    assert.equal(answer.fields.get('via'), '1.0 edge');
  });

  test('off unless named', () => {
    assert.deepEqual(answered({}), []);
  });
});
