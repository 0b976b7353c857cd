import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from '../support/line.ts';
import { get, ok, server } from '../support/scripted.ts';

test('what is meant for one hop stays on it, and the rest keeps its order, case and repeats', async (t) => {
  const app = await server(
    t,
    () =>
      'HTTP/1.1 200 Fine\r\nX-B: 1\r\nset-COOKIE: a=1\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n' +
      'Set-Cookie: b=2\r\nProxy-Connection: keep-alive\r\nContent-Length: 0\r\nServer: own\r\n\r\n',
  );
  const line = await start(t, app.url, {}, { headers: { requestId: false } });
  const peer = await line.connect();
  peer.send(
    'GET / HTTP/1.1\r\nx-ONE: 1\r\nHost: example.org\r\nConnection: X-Gone, Host, Content-Length, close, keep-alive\r\nX-Gone: 1\r\n' +
      'X-Two: a\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip, trailers;q=0.5\r\nProxy: http://evil/\r\n' +
      'x-two: b\r\nX_One: 2\r\nAccept:\t text/html \r\n\r\n',
  );
  const answer = await peer.answer();
  assert.deepEqual(answer.fields, [
    'X-B: 1',
    'set-COOKIE: a=1',
    'Set-Cookie: b=2',
    'Content-Length: 0',
    'Server: own',
    'Connection: close',
    answer.fields.at(-1),
  ]);
  assert.match(answer.fields.at(-1) ?? '', /^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
  assert.equal(answer.line, 'HTTP/1.1 200 Fine');
  assert.deepEqual(app.requests[0]?.fields, [
    'x-ONE: 1',
    'Host: example.org',
    'X-Two: a',
    'x-two: b',
    'Accept:\t text/html ',
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-Proto: http',
    `X-Forwarded-Port: ${line.port}`,
    'X-Forwarded-Host: example.org',
    'Connection: TE',
    'TE: trailers',
  ]);
});

test('every field that Connection nominates goes, before it and behind it, from one such field or many, both ways', async (t) => {
  const names = Array.from({ length: 40 }, (_, i) => `X-Hop-${i}`);
  const lines = names.map((name) => `${name}: 1\r\n`);
  const half = names.length / 2;
  const nominated =
    lines.slice(0, half).join('') +
    `Connection: ${names.slice(half).toReversed().join(',').toUpperCase()}\r\nX-Kept: 1\r\n` +
    `Connection: ${names.slice(0, half).join(' , ,')}\r\nConnection: X-Hop-0, X-Hop-39, x-never-sent\r\n` +
    `${lines.slice(half).join('')}x-hop-0: again\r\nX-Hop-4: again\r\nX-Hop-41: 1\r\n`;
  const app = await server(t, () => ok('', nominated));
  const line = await start(t, app.url, {}, { headers: { requestId: false } });
  const peer = await line.connect();
  peer.send(get('/', nominated));
  const answer = await peer.answer();
  for (const { fields } of [app.requests[0], answer]) {
    const sent = fields.filter((field) => /^x-(?!forwarded)/i.test(field));
    assert.deepEqual(sent, ['X-Kept: 1', 'X-Hop-41: 1']);
  }
});

test('a Forwarded that a stranger sends reaches no origin, also where sluice sends none; a trusted proxy’s does', async (t) => {
  const app = await server(t, () => ok());
  const stranger = await start(t, app.url);
  const trusted = await start(t, app.url, {}, { trustedProxies: ['loopback'] });
  for (const line of [stranger, trusted]) {
    const peer = await line.connect();
    peer.send(get('/', 'Forwarded: for=1.2.3.4;proto=https\r\nAccept: a\r\nfORWARDED: for=5.6.7.8\r\n'));
    await peer.answer();
  }
  assert.equal(app.requests[0]?.field('forwarded'), undefined);
  assert.equal(app.requests[0]?.field('accept'), 'a');
  assert.equal(app.requests[1]?.field('forwarded'), 'for=1.2.3.4;proto=https, for=5.6.7.8');
});

test('underscores pass where they are allowed', async (t) => {
  const app = await server(t, () => ok());
  const line = await start(t, app.url, {}, { limits: { underscores: 'allow' } });
  const peer = await line.connect();
  peer.send(get('/', 'X_One: 1\r\n'));
  await peer.answer();
  assert.equal(app.requests[0]?.field('x_one'), '1');
});

test('what a stranger says about the client is replaced; what a trusted proxy says is added to', async (t) => {
  const app = await server(t, () => ok());
  const claims =
    'X-Forwarded-For: 1.2.3.4\r\nx-forwarded-for: 5.6.7.8\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: other\r\n' +
    'X-Forwarded-Port: 443\r\nForwarded: for=1.2.3.4\r\nX-Request-Id: mine\r\n';
  const headers = { forwarded: true, via: 'edge' } as const;
  const stranger = await start(t, app.url, {}, { headers });
  const trusted = await start(t, app.url, {}, { headers, trustedProxies: ['loopback'] });
  for (const line of [stranger, trusted]) {
    const peer = await line.connect();
    peer.send(get('/', claims));
    assert.equal((await peer.answer()).field('via'), '1.1 edge');
  }
  const [one, two] = app.requests;
  assert.equal(one?.field('x-forwarded-for'), '127.0.0.1');
  assert.equal(one?.field('x-forwarded-proto'), 'http');
  assert.equal(one?.field('x-forwarded-host'), 'example.org');
  assert.equal(one?.field('x-forwarded-port'), String(stranger.port));
  assert.equal(one?.field('forwarded'), 'for=127.0.0.1;host="example.org";proto=http');
  assert.notEqual(one?.field('x-request-id'), 'mine');
  assert.equal(one?.field('via'), '1.1 edge');
  assert.equal(two?.field('x-forwarded-for'), '1.2.3.4, 5.6.7.8, 127.0.0.1');
  assert.equal(two?.field('x-forwarded-proto'), 'https');
  assert.equal(two?.field('x-forwarded-host'), 'other');
  assert.equal(two?.field('x-forwarded-port'), '443');
  assert.match(two?.field('forwarded') ?? '', /^for=1\.2\.3\.4, for=127\.0\.0\.1;/);
  assert.equal(two?.field('x-request-id'), 'mine');
  const [logged] = await trusted.logged(1);
  assert.equal(logged?.id, 'mine');
  const [other] = await stranger.logged(1);
  assert.equal(other?.id, one?.field('x-request-id'));
});

test('every request gets an id of its own, on the wire and in the log, also when it is sent twice', async (t) => {
  const app = await server(t, (_request, peer, self) => {
    if (self.requests.length === 2) {
      peer.reset();
      return undefined;
    }
    return ok();
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  for (let i = 0; i < 3; i++) {
    peer.send(get());
    await peer.answer();
  }
  const ids = app.requests.map((one) => one.field('x-request-id'));
  assert.equal(ids[1], ids[2]);
  assert.equal(new Set(ids).size, 3);
  const logged = await line.logged(3);
  assert.deepEqual(
    logged.map((one) => one.id),
    [ids[0], ids[1], ids[3]],
  );
});

test('the absolute form overrides Host; OPTIONS keeps its asterisk; Max-Forwards counts down', async (t) => {
  const app = await server(t, () => ok());
  const line = await start(t, app.url);
  const peer = await line.connect();
  const asked: [string, string, string][] = [
    ['GET http://Other.example:81/a?b HTTP/1.1', 'GET /a?b HTTP/1.1', 'other.example:81'],
    ['GET http://other.example?q HTTP/1.1', 'GET /?q HTTP/1.1', 'other.example'],
    ['OPTIONS * HTTP/1.1', 'OPTIONS * HTTP/1.1', 'example.org'],
    ['OPTIONS http://other.example HTTP/1.1', 'OPTIONS * HTTP/1.1', 'other.example'],
    ['GET //a/../b/%2e HTTP/1.1', 'GET //a/../b/%2e HTTP/1.1', 'example.org'],
  ];
  for (const [sent, got, host] of asked) {
    peer.send(`${sent}\r\nHost: example.org\r\nMax-Forwards: 2\r\n\r\n`);
    assert.equal((await peer.answer()).status, 200, sent);
    const request = app.requests.at(-1);
    assert.equal(request?.line, got);
    assert.equal(request?.field('host')?.toLowerCase(), host);
    assert.equal(request?.field('max-forwards'), sent.startsWith('OPTIONS') ? '1' : '2');
  }
  peer.send('OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n');
  const here = await peer.answer();
  assert.equal(here.status, 200);
  assert.match(here.field('allow') ?? '', /GET/);
  assert.equal(app.requests.length, asked.length);
  for (const refused of ['TRACE /', 'CONNECT example.org:443', 'GET /../up']) {
    const one = await line.connect();
    one.send(`${refused} HTTP/1.1\r\nHost: example.org\r\n\r\n`);
    const answer = await one.answer();
    assert.equal(answer.status, refused.startsWith('GET') ? 400 : 405, refused);
    if (answer.status === 405) assert.match(answer.field('allow') ?? '', /^GET, /);
  }
  assert.equal(app.requests.length, asked.length);
  await line.logged(asked.length + 4);
});

test('upstream host: the origin sees its own name, or a fixed one', async (t) => {
  const app = await server(t, () => ok());
  for (const [host, seen] of [
    ['origin', `127.0.0.1:${app.port}`],
    ['fixed.example', 'fixed.example'],
  ] as const) {
    const line = await start(t, app.url, { host });
    const peer = await line.connect();
    peer.send(get());
    await peer.answer();
    assert.equal(app.requests.at(-1)?.field('host'), seen);
    assert.equal(app.requests.at(-1)?.field('x-forwarded-host'), 'example.org');
  }
});

test('errors are told in the form the client accepts, and tell nothing of the inside', async (t) => {
  const app = await server(t, () => 'garbage\r\n\r\n');
  const line = await start(t, app.url);
  const peer = await line.connect();
  const forms: [string, RegExp, RegExp][] = [
    ['', /^text\/plain/, /^502 Bad Gateway: bad-answer \(request [\w-]+\)\n$/],
    ['Accept: application/json\r\n', /^application\/json$/, /^\{"status":502,"error":"bad-answer",.*\}\n$/],
    ['Accept: text/html, */*\r\n', /^text\/html/, /^<!doctype html>.*bad-answer.*\n$/],
    ['Accept: */*\r\n', /^text\/plain/, /^502/],
  ];
  for (const [accept, type, body] of forms) {
    peer.send(get('/<script>', accept));
    const answer = await peer.answer();
    assert.equal(answer.status, 502);
    assert.match(answer.field('content-type') ?? '', type);
    assert.match(answer.body, body);
    assert.equal(answer.field('proxy-status'), 'sluice; error=http_protocol_error; details="bad-answer"');
    assert.equal(answer.field('cache-control'), 'no-store');
    for (const secret of ['127.0.0.1', String(app.port), 'script>', 'garbage', '.ts']) {
      assert.ok(!(answer.head + answer.body).includes(secret), secret);
    }
  }
  peer.send(get().replace('GET', 'HEAD'));
  const head = await peer.answer('head');
  assert.equal(head.status, 502);
  await peer.silence(20);
  await line.logged(5);
});
