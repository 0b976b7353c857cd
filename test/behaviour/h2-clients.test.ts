/** Clients that speak HTTP/2 with a listener: those that ask, stall, take back, flood and lie, at each phase. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { data, fieldsOf, frame, headers, MAGIC, settings, word } from '../support/h2.ts';
import { ask, GET, H2Client, h2Client, POST } from '../support/h2-client.ts';
import { start } from '../support/line.ts';
import { eventually, ok, origin, type Peer, server, sleep } from '../support/scripted.ts';

const CANCEL = 8;
const rst = (stream: number, code = CANCEL): Buffer => frame('RST_STREAM', 0, stream, word(code));
const update = (stream: number, increment: number): Buffer => frame('WINDOW_UPDATE', 0, stream, word(increment));

describe('requests and answers', () => {
  test('a request as its origin sees it', async (t) => {
    const app = await server(t, () => ok('hello', 'X-Case: Kept\r\nConnection: X-Gone\r\nX-Gone: 1\r\n'));
    const line = await start(t, app.url);
    const client = await h2Client(line);
    client.send(
      frame(
        'HEADERS',
        5,
        1,
        fieldsOf([
          ...Object.entries({ ...GET, ':path': '/a?b=c' }),
          ['user-agent', 'me'],
          ['cookie', 'a=1'],
          ['te', 'trailers'],
          ['cookie', 'b=2'],
          ['x-a', '1'],
          ['x-a', ''],
        ]),
      ),
    );
    const answer = await client.answer(1);
    assert.deepEqual(
      [answer.status, answer.body, answer.field('x-case'), answer.field('x-gone')],
      ['200', 'hello', 'Kept', undefined],
    );
    assert.match(answer.field('date') ?? '', /GMT$/);
    const [{ line: first, fields }] = app.requests;
    assert.equal(first, 'GET /a?b=c HTTP/1.1');
    assert.deepEqual(
      fields.filter((one) => !/^x-request-id|^x-forwarded/i.test(one)),
      ['host: example.org', 'user-agent: me', 'x-a: 1', 'x-a: ', 'cookie: a=1; b=2', 'Connection: TE', 'TE: trailers'],
    );
    assert.ok(fields.includes('X-Forwarded-Host: example.org'));
    const [logged] = await line.logged(1);
    assert.deepEqual(
      [logged.method, logged.target, logged.status, logged.bytesOut, (logged as { version?: string }).version],
      ['GET', '/a?b=c', 200, 5, '2.0'],
    );
  });

  test('bodies with and without a length, and trailers', async (t) => {
    const app = await server(t, (request) => ok(`${request.body} ${request.trailers.join(';')}`));
    const line = await start(t, app.url);
    const client = await h2Client(line);
    client.send(headers(1, { ...POST, 'content-length': '5' }), data(1, 'he'), data(1, 'llo', true));
    assert.equal((await client.answer(1)).body, 'hello ');
    assert.equal(app.requests[0].field('content-length'), '5');
    client.send(
      headers(3, POST),
      data(3, 'wor'),
      data(3, 'ld'),
      headers(3, { 'x-sum': '7', 'content-length': '9' }, true),
    );
    assert.equal((await client.answer(3)).body, 'world x-sum: 7');
    assert.equal(app.requests[1].field('transfer-encoding'), 'chunked');
    client.send(headers(5, POST), data(5, '', true));
    assert.equal((await client.answer(5)).body, ' ');
    client.send(headers(7, { ...POST, 'content-length': '0' }), data(7, '', true));
    assert.equal((await client.answer(7)).body, ' ');
    await line.logged(4);
  });

  test('chunked answers with trailers, interim ones, and those without a body', async (t) => {
    const app = await server(t, ({ target, method }) => {
      if (target === '/early') return `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok()}`;
      if (target === '/none') return 'HTTP/1.1 204 No Content\r\n\r\n';
      if (target === '/same') return 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n';
      if (method === 'HEAD') return 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n';
      return 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n';
    });
    const line = await start(t, app.url);
    const client = await h2Client(line);
    client.send(ask(1));
    const whole = await client.answer(1);
    assert.deepEqual([whole.body, whole.trailers, whole.field('transfer-encoding')], ['abc', 'x-sum: 3', undefined]);
    client.send(ask(3, { ':path': '/none' }), ask(5, { ':path': '/same' }), ask(7, { ':method': 'HEAD' }));
    const [none, same, head] = [await client.answer(3), await client.answer(5), await client.answer(7)];
    assert.deepEqual([none.status, same.status, head.status, head.field('content-length')], ['204', '304', '200', '9']);
    assert.equal(none.body + same.body + head.body, '');
    client.send(ask(9, { ':path': '/early' }));
    await client.answer(9);
    const hints = client.log.frames.filter(({ stream, type }) => stream === 9 && type === 'HEADERS');
    assert.equal(hints.length, 2, 'the interim head and the final one');
    await line.logged(5);
  });

  test('a hundred at once on one connection, answered in any order', async (t) => {
    const waiting: (() => void)[] = [];
    const app = await server(
      t,
      (request) =>
        new Promise<string>((resolve) => {
          waiting.push(() => resolve(ok(request.target)));
          if (waiting.length === 100) for (const one of waiting.toReversed()) one();
        }),
    );
    const line = await start(t, app.url);
    const client = await h2Client(line);
    const ids = Array.from({ length: 100 }, (_, i) => i * 2 + 1);
    client.send(...ids.map((id) => ask(id, { ':path': `/${id}` })));
    for (const id of ids) assert.equal((await client.answer(id)).body, `/${id}`);
    await line.logged(100);
  });

  test('byte after byte', async (t) => {
    const app = await server(t, (request) => ok(request.body));
    const line = await start(t, app.url);
    const client = new H2Client(await line.connect());
    const all = Buffer.concat([
      Buffer.from(MAGIC),
      settings(),
      headers(1, POST),
      data(1, 'slow'),
      data(1, ' body', true),
      frame('HEADERS', 1, 3, fieldsOf(Object.entries(GET)).subarray(0, 10)),
      frame('CONTINUATION', 4, 3, fieldsOf(Object.entries(GET)).subarray(10)),
    ]);
    await client.peer.drip(all.latin1Slice());
    assert.equal((await client.answer(1)).body, 'slow body');
    assert.equal((await client.answer(3)).status, '200');
    await line.logged(2);
  });

  test('answers made here, and pages for errors', async (t) => {
    const line = await start(
      t,
      'http://127.0.0.1:9',
      {},
      {
        routes: [
          { match: { path: '/old' }, redirect: { to: '/new' } },
          { match: { path: '/text' }, respond: { body: 'hi' } },
        ],
      },
    );
    const client = await h2Client(line);
    client.send(ask(1, { ':path': '/old' }), ask(3, { ':path': '/text' }), ask(5, { accept: 'application/json' }));
    assert.equal((await client.answer(1)).field('location'), '/new');
    assert.equal((await client.answer(3)).body, 'hi');
    const missing = await client.answer(5);
    assert.deepEqual([missing.status, (JSON.parse(missing.body) as { error: string }).error], ['404', 'no-route']);
    await line.logged(3);
  });

  test('CONNECT and TRACE are not served', async (t) => {
    const line = await start(t, 'http://127.0.0.1:9');
    const client = await h2Client(line);
    client.send(headers(1, { ':method': 'CONNECT', ':authority': 'a:1' }, true), ask(3, { ':method': 'TRACE' }));
    assert.deepEqual([(await client.answer(1)).status, (await client.answer(3)).status], ['405', '405']);
    await line.logged(2);
  });

  test('100 Continue comes from here when the origin says nothing', async (t) => {
    const app = await server(t, (request) => ok(request.body));
    const line = await start(t, app.url);
    const client = await h2Client(line);
    client.send(headers(1, { ...POST, expect: '100-continue' }));
    await eventually(() => client.got(1).status === '100', '100');
    client.send(data(1, 'now', true));
    await eventually(() => client.got(1).ended, 'the answer');
    assert.equal(client.got(1).body, 'now');
    await line.logged(1);
  });
});

describe('what is no request', () => {
  const rows: [string, Readonly<Record<string, string>>, string, string][] = [
    ['no path', { ':method': 'GET', ':scheme': 'http', ':authority': 'a' }, '400', 'bad-request-line'],
    ['no method', { ':scheme': 'http', ':authority': 'a', ':path': '/' }, '400', 'bad-request-line'],
    ['no scheme', { ':method': 'GET', ':authority': 'a', ':path': '/' }, '400', 'bad-request-line'],
    ['a strange scheme', { ...GET, ':scheme': 'ftp' }, '400', 'bad-target'],
    ['no host', { ':method': 'GET', ':scheme': 'http', ':path': '/' }, '400', 'bad-host'],
    ['a bad host', { ...GET, ':authority': 'a b' }, '400', 'bad-host'],
    ['userinfo', { ...GET, ':authority': 'me@a' }, '400', 'bad-host'],
    ['two hosts', { ...GET, host: 'other.example' }, '400', 'bad-host'],
    ['an unknown pseudo-field', { ...GET, ':protocol': 'websocket' }, '400', 'bad-request-line'],
    ['a pseudo-field behind others', { ...GET, a: '1', ':late': '1' }, '400', 'bad-request-line'],
    ['a path that is none', { ...GET, ':path': 'x' }, '400', 'bad-target'],
    ['an empty path', { ...GET, ':path': '' }, '400', 'bad-target'],
    ['a space in the path', { ...GET, ':path': '/a b' }, '400', 'bad-target'],
    ['a path above the root', { ...GET, ':path': '/../a' }, '400', 'bad-target'],
    ['a bad method', { ...GET, ':method': 'G T' }, '400', 'bad-method'],
    ['capital letters', { ...GET, 'X-A': '1' }, '400', 'bad-field'],
    ['a line break', { ...GET, 'x-a': '1\r\nhost: b' }, '400', 'bad-field'],
    ['a colon in a name', { ...GET, 'x-a:b': '1' }, '400', 'bad-field'],
    ['connection', { ...GET, connection: 'close' }, '400', 'bad-field'],
    ['transfer-encoding', { ...GET, 'transfer-encoding': 'chunked' }, '400', 'bad-field'],
    ['upgrade', { ...GET, upgrade: 'websocket' }, '400', 'bad-field'],
    ['te', { ...GET, te: 'gzip' }, '400', 'bad-field'],
    ['a length without a body', { ...GET, 'content-length': '5' }, '400', 'bad-content-length'],
    ['a bad length', { ...GET, 'content-length': '+5' }, '400', 'bad-content-length'],
    ['a long path', { ...GET, ':path': `/${'x'.repeat(9000)}` }, '414', 'target-too-long'],
    ['a long head', { ...GET, a: 'x'.repeat(9000), b: 'x'.repeat(9000) }, '431', 'head-too-large'],
    [
      'many fields',
      { ...GET, ...Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-${i}`, ''])) },
      '431',
      'head-too-large',
    ],
    ['an expectation', { ...POST, expect: 'more' }, '417', 'unknown-expectation'],
  ];
  for (const [name, fields, status, code] of rows) {
    test(`${name}: ${status} ${code}, and the next one is served`, async (t) => {
      const app = await server(t, () => ok());
      const line = await start(t, app.url);
      const client = await h2Client(line);
      const block = fieldsOf(Object.entries(fields));
      const parts = [block.subarray(0, 16_000), block.subarray(16_000)];
      client.send(frame('HEADERS', parts[1].length > 0 ? 1 : 5, 1, parts[0]));
      if (parts[1].length > 0) client.send(frame('CONTINUATION', 4, 1, parts[1]));
      client.send(ask(3));
      const answer = await client.answer(1);
      assert.equal(answer.status, status);
      assert.match(answer.body, new RegExp(code));
      assert.equal((await client.answer(3)).status, '200');
      const [logged] = await line.logged(2);
      assert.equal(logged.error, code);
      assert.equal(app.requests.length, 1);
    });
  }

  for (const [name, pieces] of [
    ['more than its length', [data(1, 'abcdef')]],
    ['less than its length', [data(1, 'ab', true)]],
  ] as const) {
    test(`a body of ${name}`, async (t) => {
      const app = await origin(t, async (peer) => void (await peer.end()));
      const line = await start(t, app.url);
      const client = await h2Client(line);
      client.send(headers(1, { ...POST, 'content-length': '5' }), ...pieces);
      assert.equal((await client.answer(1)).status, '400');
      const [logged] = await line.logged(1);
      assert.equal(logged.error, 'bad-content-length');
    });
  }

  test('a body that is too large, stated or not', async (t) => {
    const app = await origin(t, async (peer) => void (await peer.end()));
    const line = await start(t, app.url, {}, { limits: { body: 1000 } });
    const client = await h2Client(line);
    client.send(headers(1, { ...POST, 'content-length': '1001' }), headers(3, POST), data(3, Buffer.alloc(1001)));
    assert.deepEqual([(await client.answer(1)).status, (await client.answer(3)).status], ['413', '413']);
    await client.replied('RST_STREAM 1 NO_ERROR');
    await client.replied('RST_STREAM 3 NO_ERROR');
    // What was on its way is no fault.
    client.send(data(1, 'late'), data(3, 'late', true), frame('PING', 0, 0, '12345678'));
    await client.replied('PING ACK');
    await line.logged(2);
  });

  test('without HTTP/2 the preface is a bad request', async (t) => {
    const line = await start(t, 'http://127.0.0.1:9', {}, { listen: { address: '127.0.0.1:0', http2: false } });
    const peer = await line.connect();
    peer.send(MAGIC);
    assert.match(await peer.end(), /^HTTP\/1.1 505 /);
    await line.logged(1);
  });
});

describe('faults of the connection', () => {
  const rows: [string, Buffer[], string][] = [
    ['a preface that goes wrong', [Buffer.from(`${MAGIC.slice(0, 20)}XXXX`)], 'PROTOCOL_ERROR'],
    ['no SETTINGS', [Buffer.from(MAGIC), ask(1)], 'PROTOCOL_ERROR'],
    ['an even stream', [Buffer.from(MAGIC), settings(), ask(2)], 'PROTOCOL_ERROR'],
    ['data of a stream that was never open', [Buffer.from(MAGIC), settings(), data(5, 'x')], 'PROTOCOL_ERROR'],
    ['RST_STREAM of such a one', [Buffer.from(MAGIC), settings(), rst(5)], 'PROTOCOL_ERROR'],
    [
      'a bad index',
      [Buffer.from(MAGIC), settings(), frame('HEADERS', 5, 1, Buffer.from([0xff, 0x7f]))],
      'COMPRESSION_ERROR',
    ],
    [
      'a frame too long',
      [Buffer.from(MAGIC), settings(), frame('DATA', 0, 1, Buffer.alloc(16_385))],
      'FRAME_SIZE_ERROR',
    ],
    ['PUSH_PROMISE', [Buffer.from(MAGIC), settings(), frame('PUSH_PROMISE', 4, 1, 'xxxx')], 'PROTOCOL_ERROR'],
    ['a window of nothing', [Buffer.from(MAGIC), settings(), update(0, 0)], 'PROTOCOL_ERROR'],
    ['a window too large', [Buffer.from(MAGIC), settings(), update(0, 0x7fffffff)], 'FLOW_CONTROL_ERROR'],
    ['ENABLE_PUSH 2', [Buffer.from(MAGIC), settings({ push: 2 })], 'PROTOCOL_ERROR'],
    [
      'a frame within a head',
      [Buffer.from(MAGIC), settings(), frame('HEADERS', 1, 1, fieldsOf([[':method', 'GET']])), data(1, 'x')],
      'PROTOCOL_ERROR',
    ],
    [
      'a flood of PINGs',
      [Buffer.from(MAGIC), settings(), ...Array.from({ length: 1200 }, () => frame('PING', 0, 0, '12345678'))],
      'ENHANCE_YOUR_CALM',
    ],
    [
      'a flood of SETTINGS',
      [Buffer.from(MAGIC), ...Array.from({ length: 1200 }, () => settings())],
      'ENHANCE_YOUR_CALM',
    ],
    [
      'a flood of PRIORITY',
      [Buffer.from(MAGIC), settings(), ...Array.from({ length: 10_001 }, () => frame('PRIORITY', 0, 1, '12345'))],
      'ENHANCE_YOUR_CALM',
    ],
    [
      'a flood of CONTINUATION',
      [
        Buffer.from(MAGIC),
        settings(),
        frame('HEADERS', 1, 1, fieldsOf([[':method', 'GET']])),
        ...Array.from({ length: 40 }, () => frame('CONTINUATION', 0, 1)),
      ],
      'ENHANCE_YOUR_CALM',
    ],
    [
      'ten thousand frames without data',
      [Buffer.from(MAGIC), settings(), headers(1, POST), ...Array.from({ length: 10_001 }, () => data(1, ''))],
      'ENHANCE_YOUR_CALM',
    ],
  ];
  for (const [name, frames, code] of rows) {
    test(`${name}: GOAWAY ${code}`, async (t) => {
      const app = await origin(t, async (peer) => void (await peer.end()));
      const line = await start(t, app.url);
      const client = new H2Client(await line.connect());
      client.send(...frames);
      await client.end();
      assert.equal(client.replies.at(-1), `GOAWAY ${code}`);
      const [logged] = await line.logged(1);
      assert.deepEqual([logged.error, logged.detail?.split(':')[0]], ['bad-frames', code]);
    });
  }

  test('requests taken back by the thousand', async (t) => {
    const app = await server(t, () => new Promise<string>(() => {}));
    const line = await start(t, app.url, {}, { keepAlive: { requests: 100_000 } });
    const client = await h2Client(line);
    for (let id = 1; id < 2400; id += 2) client.send(ask(id), rst(id));
    await client.end();
    assert.equal(client.replies.at(-1), 'GOAWAY ENHANCE_YOUR_CALM');
    await line.settled();
  });

  test('more streams than may be are turned away, and those there are go on', async (t) => {
    const waiting: ((answer: string) => void)[] = [];
    const app = await server(t, () => new Promise<string>((resolve) => waiting.push(resolve)));
    const line = await start(t, app.url, {}, { limits: { streams: 2 } });
    const client = await h2Client(line);
    client.send(ask(1), ask(3), headers(5, POST), data(5, 'x', true));
    await client.replied('RST_STREAM 5 REFUSED_STREAM');
    await eventually(() => waiting.length === 2, 'two requests');
    for (const answer of waiting) answer(ok());
    await client.answer(1);
    await client.answer(3);
    client.send(ask(7));
    await eventually(() => waiting.length === 3, 'room again');
    waiting[2](ok());
    assert.equal((await client.answer(7)).status, '200');
    await line.logged(3);
  });
});

describe('back-pressure', () => {
  test('an answer waits for the window, and its origin with it', async (t) => {
    const SIZE = 20_000_000;
    let told: Peer | undefined;
    const app = await origin(t, async (peer) => {
      await peer.request();
      told = peer;
      peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
      for (let sent = 0; sent < SIZE; sent += 1_000_000) peer.send(Buffer.alloc(1_000_000, 0x61));
    });
    const line = await start(t, app.url);
    const client = await h2Client(line);
    client.send(ask(1));
    await eventually(() => client.got(1).body.length === 65_535, 'what the window lets through');
    // The system's buffers take some of the rest, sluice hardly any: most of it stays where it was made.
    await sleep(200);
    assert.ok((told as Peer).socket.writableLength > SIZE / 2);
    assert.equal(client.got(1).body.length, 65_535);
    client.send(update(0, SIZE), update(1, SIZE));
    assert.equal((await client.answer(1)).body.length, SIZE);
    await line.logged(1);
  });

  test('one that does not read stops nobody else', async (t) => {
    const app = await server(t, ({ target }) => ok(target === '/large' ? 'x'.repeat(1_000_000) : 'small'));
    const line = await start(t, app.url);
    const client = await h2Client(line, { window: 1000 });
    client.send(ask(1, { ':path': '/large' }));
    await eventually(() => client.got(1).body.length === 1000, 'its window');
    for (let id = 3; id < 41; id += 2) {
      client.send(ask(id));
      assert.equal((await client.answer(id)).body, 'small');
    }
    // A larger window by SETTINGS, then a smaller one, and what is missing by WINDOW_UPDATE.
    client.send(update(0, 1_000_000), settings({ window: 5000 }));
    await eventually(() => client.got(1).body.length === 5000, 'the larger window');
    client.send(settings({ window: 0 }), update(1, 1_000_000));
    assert.equal((await client.answer(1)).body.length, 1_000_000);
    await line.logged(20);
  });

  test('an upload waits for its origin', async (t) => {
    const SIZE = 30_000_000;
    let go: (() => void) | undefined;
    const app = await origin(t, async (peer) => {
      const head = await peer.requestHead();
      assert.equal(head?.method, 'POST');
      peer.pause();
      await new Promise<void>((resolve) => (go = resolve));
      peer.resume();
      await eventually(() => peer.total > SIZE, 'all of the upload');
      peer.send(ok('all'));
    });
    const line = await start(t, app.url);
    const client = await h2Client(line);
    client.send(headers(1, POST));
    // Sends what it may, as a client does.
    let sent = 0;
    const feed = (): void => {
      const granted = client.replies
        .filter((one) => one.startsWith('WINDOW_UPDATE 1 '))
        .reduce((sum, one) => sum + Number(one.split(' ')[2]), 262_144);
      while (sent < Math.min(granted, SIZE)) {
        const length = Math.min(16_384, granted - sent, SIZE - sent);
        sent += length;
        client.send(data(1, Buffer.alloc(length, 0x62), sent === SIZE));
      }
    };
    let before = -1;
    while (sent !== before) {
      before = sent;
      feed();
      await sleep(200);
    }
    assert.ok(sent < SIZE / 2, `${sent} bytes were taken of an origin that does not read`);
    go?.();
    await eventually(() => {
      feed();
      return client.got(1).ended;
    }, 'the answer');
    assert.equal(client.got(1).body, 'all');
    await line.logged(1);
  });

  test('a client that takes nothing is cut off', async (t) => {
    const app = await server(t, () => ok('x'.repeat(500_000)));
    const line = await start(t, app.url, {}, { timeouts: { write: '300ms' } });
    const client = await h2Client(line);
    client.send(ask(1));
    await client.replied('RST_STREAM 1 CANCEL');
    const [logged] = await line.logged(1);
    assert.equal(logged.error, 'client-slow');
    client.send(ask(3, { ':path': '/' }), update(0, 1_000_000), update(3, 1_000_000));
    assert.equal((await client.answer(3)).body.length, 500_000);
    await line.logged(2);
  });

  test('a body that does not come', async (t) => {
    const app = await origin(t, async (peer) => void (await peer.end()));
    const line = await start(t, app.url, {}, { timeouts: { body: '200ms' } });
    const client = await h2Client(line);
    client.send(headers(1, POST), data(1, 'half'));
    assert.equal((await client.answer(1)).status, '408');
    const [logged] = await line.logged(1);
    assert.equal(logged.error, 'body-timeout');
  });
});

describe('ends', () => {
  test('a request taken back lets its origin go, and no other', async (t) => {
    const peers: Peer[] = [];
    const app = await origin(t, async (peer) => {
      const request = await peer.request();
      peers[request?.target === '/a' ? 0 : 1] = peer;
      await peer.end();
    });
    const line = await start(t, app.url);
    const client = await h2Client(line);
    client.send(ask(1, { ':path': '/a' }), ask(3, { ':path': '/b' }));
    await eventually(() => peers.filter(Boolean).length === 2, 'both');
    client.send(rst(1));
    await eventually(() => peers[0].ending !== 'open', 'the first to be let go');
    peers[1].send(ok('b'));
    assert.equal((await client.answer(3)).body, 'b');
    const logged = await line.logged(2);
    assert.deepEqual(new Set(logged.map(({ error }) => error)), new Set(['client-gone', undefined]));
  });

  test('an origin that dies in the middle: the stream is reset, the others go on', async (t) => {
    const app = await origin(t, async (peer) => {
      const request = await peer.request();
      if (request?.target === '/b') return peer.send(ok('b'));
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
      await sleep(50);
      peer.reset();
    });
    const line = await start(t, app.url);
    const client = await h2Client(line);
    client.send(ask(1));
    await client.replied('RST_STREAM 1 INTERNAL_ERROR');
    assert.deepEqual([client.got(1).body, client.got(1).ended], ['half', false]);
    client.send(ask(3, { ':path': '/b' }));
    assert.equal((await client.answer(3)).body, 'b');
    const [logged] = await line.logged(2);
    assert.match(logged.error ?? '', /^(?:answer-incomplete|origin-reset|origin-closed)$/);
  });

  test('answered before all is asked: the rest is not wanted', async (t) => {
    const app = await origin(t, async (peer) => {
      await peer.requestHead();
      peer.send('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
      await peer.end();
    });
    const line = await start(t, app.url);
    const client = await h2Client(line);
    client.send(headers(1, POST), data(1, 'some'));
    assert.equal((await client.answer(1)).body, 'no');
    await client.replied('RST_STREAM 1 NO_ERROR');
    client.send(data(1, 'late'), frame('PING', 0, 0, '12345678'));
    await client.replied('PING ACK');
    await line.logged(1);
  });

  test('a client that leaves with requests open', async (t) => {
    const gone: Peer[] = [];
    const app = await origin(t, async (peer) => {
      await peer.request();
      gone.push(peer);
      await peer.end();
    });
    const line = await start(t, app.url);
    for (const how of ['fin', 'reset'] as const) {
      const client = await h2Client(line);
      client.send(ask(1), ask(3));
      await eventually(() => gone.length % 2 === 0 && gone.length > 0 && gone.at(-1)?.ending === 'open', 'both');
      client.peer[how]();
      await eventually(() => gone.every((one) => one.ending !== 'open'), 'their origins to be let go');
    }
    const logged = await line.logged(4);
    assert.ok(logged.every(({ error }) => error === 'client-gone'));
    await line.settled();
  });

  test('when sluice drains, what is open is served and the client told to go', async (t) => {
    const waiting: ((answer: string) => void)[] = [];
    const app = await server(t, () => new Promise<string>((resolve) => waiting.push(resolve)));
    const line = await start(t, app.url);
    const client = await h2Client(line);
    client.send(ask(1));
    await eventually(() => waiting.length === 1, 'the request');
    const closed = line.sluice.close(20_000);
    await eventually(() => client.log.frames.some(({ type }) => type === 'GOAWAY'), 'GOAWAY');
    const [first] = client.log.frames.filter(({ type }) => type === 'GOAWAY');
    assert.deepEqual([first.payload.readUInt32BE(), first.payload.readUInt32BE(4)], [0x7fffffff, 0]);
    // On its way when that was said.
    client.send(ask(3));
    await eventually(() => waiting.length === 2, 'the second request');
    await eventually(() => client.log.frames.filter(({ type }) => type === 'GOAWAY').length === 2, 'the second GOAWAY');
    const last = client.log.frames.findLast(({ type }) => type === 'GOAWAY');
    assert.equal(last?.payload.readUInt32BE(), 3);
    // Beyond that nothing is served, and nothing breaks.
    client.send(headers(5, POST), data(5, 'x'));
    for (const answer of waiting) answer(ok());
    await client.answer(1);
    await client.answer(3);
    await client.end();
    client.peer.close();
    await closed;
    assert.equal(app.requests.length, 2);
    await line.logged(2);
  });

  test('after so many requests the client is told to go, and loses none', async (t) => {
    const app = await server(t, () => ok());
    const line = await start(t, app.url, {}, { keepAlive: { requests: 3 } });
    const client = await h2Client(line);
    client.send(ask(1), ask(3), ask(5), ask(7));
    for (const id of [1, 3, 5, 7]) assert.equal((await client.answer(id)).status, '200');
    await client.end();
    assert.ok(client.replies.includes('GOAWAY NO_ERROR'));
    await line.logged(4);
  });

  test('an idle connection ends after timeouts.keepAlive', async (t) => {
    const app = await server(t, () => ok());
    const line = await start(t, app.url, {}, { timeouts: { keepAlive: '200ms' } });
    const client = await h2Client(line);
    client.send(ask(1));
    await client.answer(1);
    await client.end();
    assert.equal(client.replies.at(-1), 'GOAWAY NO_ERROR');
    await line.logged(1);
  });

  for (const [name, bytes] of [
    ['half a preface', Buffer.from(MAGIC.slice(0, 20))],
    [
      'half a head',
      Buffer.concat([Buffer.from(MAGIC), settings(), frame('HEADERS', 1, 1, fieldsOf([[':method', 'GET']]))]),
    ],
  ] as const) {
    test(`${name} is not waited for`, async (t) => {
      const line = await start(t, 'http://127.0.0.1:9', {}, { timeouts: { head: '200ms' } });
      const client = new H2Client(await line.connect());
      client.send(bytes);
      await client.end();
      const [logged] = await line.logged(1);
      assert.equal(logged.error, 'head-timeout');
    });
  }
});
