/** What is sent: requests, windows, and what waits for whom. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { Client, data, frame, FrameLog, headers, LIMITS, OPTIONS, settings, word } from '../../../test/support/h2.ts';
import { requestOf } from '../../../test/support/request.ts';
import { Heard, Sent, TARGET } from '../../../test/support/session.ts';
import { Http2Session } from './session.ts';

const update = (stream: number, increment: number): Buffer => frame('WINDOW_UPDATE', 0, stream, word(increment));

describe('heads', () => {
  const sent = (client: Client, stream = 1): string[] =>
    client.out.requests.get(stream)?.fields.map((field) => field.join(': ')) ?? [];

  test('a request with everything that belongs to the connection of the client', () => {
    const client = new Client();
    const request = requestOf(
      'GET /a?b HTTP/1.1',
      'Host: Shop.example',
      'X-One: 1',
      'TE: trailers',
      'Connection: close',
      'Keep-Alive: 5',
      'Transfer-Encoding: chunked',
      'Upgrade: foo',
      'Proxy-Connection: x',
      'HTTP2-Settings: y',
      'Cookie: a=b; c=d',
    );
    request.fields.append('X-Forwarded-For', '192.0.2.1');
    request.takesTrailers = true;
    request.upgrade = 'foo';
    client.open(request);
    assert.deepEqual(sent(client), [
      ':method: GET',
      ':scheme: http',
      ':path: /a?b',
      ':authority: Shop.example',
      'x-one: 1',
      'cookie: a=b; c=d',
      'x-forwarded-for: 192.0.2.1',
      'te: trailers',
    ]);
    assert.deepEqual(client.log.requests.get(1)?.ended, true);
    const [first, second] = client.log.frames;
    assert.deepEqual([first?.type, second?.type], ['SETTINGS', 'WINDOW_UPDATE']);
    assert.equal(first?.payload.toString('hex'), '000200000000' + '000400040000' + '000500004000' + '000600008c80');
  });

  test('OPTIONS *, absolute targets, the upstream’s own host, TLS', () => {
    const client = new Client();
    client.hear(settings());
    client.ask('OPTIONS * HTTP/1.1');
    client.ask('OPTIONS http://b.example HTTP/1.1');
    client.ask('GET http://b.example?x HTTP/1.1', {}, { secure: true });
    client.ask('GET / HTTP/1.1', {}, { replaceHost: true, authority: 'inner:81' });
    const pseudo = [1, 3, 5, 7].map((stream) => sent(client, stream).slice(1));
    assert.deepEqual(pseudo, [
      [':scheme: http', ':path: *', ':authority: a'],
      [':scheme: http', ':path: *', ':authority: b.example'],
      [':scheme: https', ':path: /?x', ':authority: b.example'],
      [':scheme: http', ':path: /', ':authority: inner:81'],
    ]);
  });

  test('a head larger than a frame goes in several', () => {
    const client = new Client();
    const value = '~'.repeat(40_000);
    const request = requestOf('GET / HTTP/1.1', 'Host: a', `X-Long: ${value}`);
    client.open(request);
    assert.deepEqual(
      client.out.frames.slice(2).map(({ type, flags, payload }) => [type, flags, payload.length > 16_384]),
      [
        ['HEADERS', 1, false],
        ['CONTINUATION', 0, false],
        ['CONTINUATION', 4, false],
      ],
    );
    assert.ok(sent(client).includes(`x-long: ${value}`));
  });

  test('a head larger than the origin takes is refused, and nothing is sent', () => {
    const client = new Client().hear(settings({ head: 500 }));
    client.ask();
    const { frames } = client.out;
    const request = requestOf('GET / HTTP/1.1', 'Host: a', `X: ${'x'.repeat(500)}`);
    assert.equal(client.session.open(request, TARGET, new Heard()), 'head-too-large-for-origin');
    assert.equal(client.out.frames.length, frames.length);
    assert.equal(client.session.reusable, true);
  });

  test('trailers follow the body', () => {
    const client = new Client();
    const id = client.ask('POST / HTTP/1.1', { framing: 'chunked' });
    client.body(id, 'hello');
    client.session.end(id, 'X-Sum: 5\r\nX-More: a b\r\n');
    const request = client.out.requests.get(1);
    assert.deepEqual([request?.body, request?.ended, request?.trailers], ['hello', true, 'x-sum: 5\nx-more: a b']);
  });
});

describe('streams', () => {
  const POST = { framing: 'length', length: 5 } as const;

  test('before SETTINGS a hundred requests go out, of those with a body only the first, in order', () => {
    const client = new Client();
    assert.equal(client.session.slots, 100);
    for (let i = 0; i < 3; i++) client.ask();
    client.ask('POST / HTTP/1.1', POST);
    client.ask();
    assert.deepEqual([...client.out.requests.keys()], [1, 3, 5]);
    client.hear(settings());
    assert.deepEqual([...client.out.requests.keys()], [1, 3, 5, 7, 9]);
    const upload = new Client();
    upload.ask('POST / HTTP/1.1', POST);
    upload.ask();
    upload.ask('POST / HTTP/1.1', POST);
    assert.deepEqual([...upload.out.requests.keys()], [1, 3]);
    // Nor what could not be sent again, should the origin be one that is just ending.
    const orders = new Client();
    for (let i = 0; i < 3; i++) orders.ask('POST / HTTP/1.1');
    assert.deepEqual([...orders.out.requests.keys()], [1]);
    orders.session.eof();
    assert.deepEqual(
      [0, 1, 2].map((id) => orders.events(id).at(-1)?.split(':')[0]),
      ['error origin-closed', 'error stream-refused', 'error stream-refused'],
    );
    const many = new Client({ streams: 1000 });
    for (let i = 0; i < 101; i++) many.ask();
    assert.equal(many.out.requests.size, 100);
  });

  test('SETTINGS say how many: those that wait in vain are given back, and those that were sent answered or refused', () => {
    const client = new Client();
    for (let i = 0; i < 3; i++) client.ask();
    for (let i = 0; i < 2; i++) client.ask('POST / HTTP/1.1', POST);
    client.hear(settings({ streams: 2 }));
    assert.deepEqual([client.session.slots, client.out.requests.size], [2, 3]);
    const refused = 'error stream-refused: more than MAX_CONCURRENT_STREAMS 2';
    assert.deepEqual([client.events(3), client.events(4)], [[refused], [refused]]);
    client.hear(headers(1, { ':status': '204' }, true), frame('RST_STREAM', 0, 5, word(7)));
    assert.deepEqual(
      [0, 1, 2].map((id) => client.events(id).at(-1)),
      ['end', undefined, 'error stream-refused: RST_STREAM REFUSED_STREAM'],
    );
    assert.equal(client.session.reusable, true);
    client.hear(settings({ streams: 1000 }));
    assert.equal(client.session.slots, 100);
  });

  test('who was one too many before SETTINGS is told that another connection will do; who was not, is not', () => {
    const here = (id: number, some: Readonly<Record<string, number>>, code = 7): boolean[] => {
      const session = new Http2Session(OPTIONS, new Sent(), LIMITS);
      const told: boolean[] = [];
      for (let i = 0; i < 3; i++) {
        const sink = Object.assign(new Heard(), {
          fail: (_code: string, _detail?: string, onlyHere = false) => void told.push(onlyHere),
        });
        session.open(requestOf('GET / HTTP/1.1', 'Host: a'), TARGET, sink);
      }
      const bytes = Buffer.concat([settings(some), frame('RST_STREAM', 0, id, word(code))]);
      session.receive(bytes, 0, bytes.length);
      return told;
    };
    assert.deepEqual(here(5, { streams: 2 }), [true]);
    assert.deepEqual(here(3, { streams: 2 }), [false]);
    assert.deepEqual(here(5, {}), [false]);
    // PROTOCOL_ERROR means the same there.
    assert.deepEqual(here(5, { streams: 2 }, 1), [true]);
    assert.deepEqual(here(3, { streams: 2 }, 1), [false]);
  });

  test('what an origin has said once is what its next connection begins with', () => {
    const learned = {};
    const begin = (): { readonly session: Http2Session; sent(): number } => {
      const out = new Sent();
      const session = new Http2Session(OPTIONS, out, LIMITS, learned);
      for (let i = 0; i < 5; i++) session.open(requestOf('GET / HTTP/1.1', 'Host: a'), TARGET, new Heard());
      return { session, sent: () => new FrameLog().read(out.take()).requests.size };
    };
    const first = begin();
    assert.equal(first.sent(), 5);
    const bytes = settings({ streams: 2 });
    first.session.receive(bytes, 0, bytes.length);
    const second = begin();
    assert.deepEqual([second.session.slots, second.sent()], [2, 2]);
    const none = settings({ streams: 0 });
    first.session.receive(none, 0, none.length);
    assert.deepEqual([first.session.slots, begin().sent()], [0, 1], 'one at least, or nobody would ask again');
  });

  test('a limit that gets smaller holds for those that come', () => {
    const client = new Client().hear(settings({ streams: 2 }));
    client.ask();
    client.ask();
    client.hear(settings({ streams: 0 }));
    assert.equal(client.session.slots, 0);
    client.ask();
    client.hear(headers(1, { ':status': '204' }, true));
    client.session.abort(1);
    assert.equal(client.out.requests.size, 2);
    client.hear(settings({ streams: 0 }));
    assert.equal(client.heard[2]?.error, 'stream-refused');
    client.hear(settings({ streams: 1 }));
    client.ask();
    client.ask();
    assert.deepEqual([...client.out.requests.keys()], [1, 3, 7]);
    client.hear(headers(7, { ':status': '204' }, true));
    assert.deepEqual([...client.out.requests.keys()], [1, 3, 7, 9]);
  });

  test('one that waits and is aborted is never sent', () => {
    const client = new Client();
    client.ask();
    client.ask('POST /second HTTP/1.1', POST);
    client.ask('GET /third HTTP/1.1');
    client.session.abort(1);
    client.hear(settings());
    assert.deepEqual([...client.out.requests.keys()], [1, 5]);
    assert.deepEqual(client.events(1), []);
  });

  test('a body that came before SETTINGS follows its head', () => {
    const client = new Client();
    client.ask();
    const id = client.ask('POST / HTTP/1.1', { framing: 'length', length: 5 });
    client.body(id, 'hel');
    assert.equal(client.session.holds(id), true);
    client.body(id, 'lo');
    client.session.end(id, '');
    client.hear(settings());
    assert.equal(client.session.holds(id), false);
    const request = client.out.requests.get(3);
    assert.deepEqual([request?.body, request?.ended], ['hello', true]);
  });

  test('ids come to an end, and then the connection does', () => {
    const client = new Client({}, LIMITS, 0x7fffffff - 2);
    const sink = new Heard();
    client.hear(settings());
    const request = requestOf('GET / HTTP/1.1', 'Host: a');
    const last = client.session.open(request, TARGET, sink);
    assert.equal(client.session.reusable, true);
    const id = client.session.open(request, TARGET, sink) as number;
    assert.deepEqual([last, id], [0x3ffffffe, 0x3fffffff]);
    assert.equal(client.session.reusable, false);
    assert.equal(client.session.open(request, TARGET, sink), 'stream-refused');
    assert.deepEqual([...client.out.requests.keys()], [0x7fffffff - 2, 0x7fffffff]);
    client.hear(headers(0x7fffffff, { ':status': '204' }, true));
    assert.deepEqual(sink.events, ['answer 204 No Content (none)', 'end']);
  });

  test('an abort is told, and what is on its way afterwards is passed over within its window', () => {
    const client = new Client().hear(settings());
    client.ask();
    client.session.abort(0);
    client.session.abort(0);
    assert.deepEqual(client.out.replies, ['SETTINGS ACK', 'RST_STREAM 1 CANCEL']);
    client.hear(headers(1, { ':status': '200' }));
    for (let sent = 0; sent < OPTIONS.window; sent += 16_384) client.hear(data(1, Buffer.alloc(16_384)));
    assert.deepEqual([client.events(), client.session.reusable], [[], true]);
    client.hear(data(1, 'x'));
    assert.equal(client.session.reusable, false);
  });
});

describe('what is sent of a body', () => {
  const upload = (client: Client, length: number): number => {
    const id = client.ask('POST / HTTP/1.1', { framing: 'length', length });
    client.body(id, 'x'.repeat(length));
    client.session.end(id, '');
    return id;
  };

  test('no more than the windows allow; the rest when they open', () => {
    const client = new Client().hear(settings({ window: 10 }));
    const id = upload(client, 100);
    assert.equal(client.session.holds(id), true);
    assert.equal(client.out.requests.get(1)?.body.length, 10);
    client.hear(update(1, 5));
    assert.equal(client.out.requests.get(1)?.body.length, 15);
    client.hear(settings({ window: 30 }));
    assert.equal(client.out.requests.get(1)?.body.length, 35);
    client.hear(settings({ window: 0 }));
    client.hear(update(1, 20));
    assert.equal(client.out.requests.get(1)?.body.length, 35, 'below 0, RFC 9113 §6.9.2');
    client.hear(update(1, 75));
    assert.deepEqual([client.out.requests.get(1)?.body.length, client.out.requests.get(1)?.ended], [100, true]);
    assert.equal(client.session.holds(id), false);
  });

  test('what all streams together may send is shared in turns', () => {
    const client = new Client().hear(settings({ window: 1_000_000 }));
    const length = 60_000;
    for (let i = 0; i < 3; i++) upload(client, length);
    const bodies = (): number[] => [1, 3, 5].map((stream) => client.out.requests.get(stream)?.body.length ?? 0);
    assert.deepEqual(bodies(), [60_000, 5535, 0]);
    client.hear(update(0, 10_000));
    assert.deepEqual(bodies(), [60_000, 15_535, 0]);
    client.hear(update(0, 10_000));
    assert.deepEqual(bodies(), [60_000, 15_535, 10_000]);
    client.hear(update(0, 1_000_000));
    assert.deepEqual(bodies(), [60_000, 60_000, 60_000]);
    assert.ok([1, 3, 5].every((stream) => client.log.requests.get(stream)?.ended === true));
  });

  test('in frames no longer than the origin takes, and the last one ends the stream', () => {
    for (const [most, count] of [
      [16_384, 4],
      [65_536, 1],
      [16_777_215, 1],
    ] as const) {
      const client = new Client().hear(settings({ frame: most, window: 1_000_000 }), update(0, 1_000_000));
      upload(client, 60_000);
      const frames = client.out.frames.filter(({ type }) => type === 'DATA');
      assert.deepEqual([frames.length, frames.at(-1)?.flags], [count, 1]);
    }
  });

  test('never more than the length that was told', () => {
    const client = new Client().hear(settings());
    const id = client.ask('POST / HTTP/1.1', { framing: 'length', length: 3 });
    client.body(id, 'hello');
    client.session.end(id, '');
    assert.deepEqual([client.out.requests.get(1)?.body, client.log.requests.get(1)?.ended], ['hel', true]);
  });

  test('trailers wait for the body, which waits for a window', () => {
    const client = new Client().hear(settings({ window: 2 }));
    const id = client.ask('POST / HTTP/1.1', { framing: 'chunked' });
    client.body(id, 'hello');
    client.session.end(id, 'X-Sum: 5\r\n');
    assert.equal(client.out.requests.get(1)?.trailers, '');
    client.hear(update(1, 3));
    const request = client.out.requests.get(1);
    assert.deepEqual([request?.body, request?.ended, request?.trailers], ['hello', true, 'x-sum: 5']);
  });

  test('an answer that ends first stops the upload; what waits is forgotten', () => {
    const client = new Client().hear(settings({ window: 2 }));
    const id = client.ask('POST / HTTP/1.1', { framing: 'chunked' });
    client.body(id, 'hello');
    client.hear(headers(1, { ':status': '403' }, true));
    assert.deepEqual([client.session.holds(id), client.events()], [false, ['answer 403 Forbidden (none)', 'end']]);
    client.body(id, 'more');
    client.session.end(id, '');
    client.hear(update(1, 100));
    assert.equal(client.out.requests.get(1)?.body, 'he');
    assert.equal(client.log.replies.at(-1), 'RST_STREAM 1 CANCEL');
  });
});

describe('what the origin may send', () => {
  const head = headers(1, { ':status': '200' });
  const piece = data(1, Buffer.alloc(16_384));

  test('a stream gets a window again once half of it has been taken', () => {
    const client = new Client().hear(settings());
    client.ask();
    client.hear(head, ...Array.from({ length: 7 }, () => piece));
    assert.deepEqual(
      client.out.replies.filter((line) => line.startsWith('WINDOW')),
      [],
    );
    client.hear(piece);
    assert.deepEqual(
      client.out.replies.filter((line) => line.startsWith('WINDOW')),
      ['WINDOW_UPDATE 1 131072'],
    );
  });

  test('a paused one gets none, what is allowed still comes, and more is an error', () => {
    const client = new Client().hear(settings());
    client.ask();
    client.ask();
    client.session.pause(0);
    client.hear(head, ...Array.from({ length: 16 }, () => piece));
    assert.equal(client.heard[0]?.content.length, OPTIONS.window);
    assert.deepEqual(
      client.out.replies.filter((line) => line.startsWith('WINDOW')),
      [],
    );
    client.session.resume(0);
    assert.deepEqual(
      client.out.replies.filter((line) => line.startsWith('WINDOW')),
      ['WINDOW_UPDATE 1 262144'],
    );
    client.session.pause(0);
    client.hear(...Array.from({ length: 16 }, () => piece), data(1, 'x'));
    assert.equal(client.heard[0]?.error, 'bad-answer');
    assert.deepEqual(client.out.replies.at(-1), 'RST_STREAM 1 FLOW_CONTROL_ERROR');
    assert.equal(client.session.reusable, true);
  });

  test('the connection gets its window whoever is paused', () => {
    const client = new Client({ window: 16 * 1024 * 1024 }).hear(settings());
    client.ask();
    client.session.pause(0);
    client.hear(head, ...Array.from({ length: 512 }, () => piece));
    assert.deepEqual(
      client.out.replies.filter((line) => line.startsWith('WINDOW')),
      ['WINDOW_UPDATE 0 8388608'],
    );
  });

  test('padding counts', () => {
    const client = new Client().hear(settings());
    client.ask();
    const padded = frame('DATA', 8, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(256)]));
    client.hear(head, ...Array.from({ length: 510 }, () => padded));
    assert.equal(client.heard[0]?.content.length, 510);
    assert.equal(client.out.replies.filter((line) => line.startsWith('WINDOW')).length, 0);
    client.hear(padded);
    assert.deepEqual(client.out.replies.at(-1), `WINDOW_UPDATE 1 ${511 * 257}`);
  });
});

describe('floods', () => {
  const pings = (count: number): Buffer =>
    Buffer.concat(Array.from({ length: count }, () => frame('PING', 0, 0, '12345678')));

  test('someone who pings and reads is answered for ever', () => {
    const client = new Client().hear(settings());
    client.ask();
    for (let i = 0; i < 100; i++) {
      client.hear(pings(64));
      const ours = client.out.frames.filter(({ type, flags }) => type === 'PING' && (flags & 1) === 0);
      const last = ours.at(-1);
      if (last !== undefined) client.hear(frame('PING', 1, 0, last.payload));
    }
    assert.equal(client.session.reusable, true);
    assert.equal(client.log.replies.filter((line) => line === 'PING ACK').length, 6400);
  });

  test('someone who pings and reads nothing is cut off, and so is who sends settings', () => {
    for (const one of [frame('PING', 0, 0, '12345678'), settings({ window: 5 })]) {
      const client = new Client().hear(settings());
      client.ask();
      for (let i = 0; i < 1100; i++) client.hear(one);
      assert.equal(client.session.reusable, false);
      assert.match(client.heard[0]?.detail ?? '', /too many PING and SETTINGS/);
      assert.equal(client.out.replies.at(-1), 'GOAWAY ENHANCE_YOUR_CALM');
      assert.ok(client.log.frames.length < 1100);
    }
  });

  test('heads without end', () => {
    const client = new Client().hear(settings());
    client.ask();
    for (let i = 0; i < 65; i++) client.hear(headers(1, { ':status': '103' }));
    assert.equal(client.heard[0]?.detail, 'more than 64 interim answers');
  });
});

describe('WebSockets', () => {
  const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
  const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const open = (client: Client, ...more: string[]): number => {
    const request = requestOf(
      'GET /chat HTTP/1.1',
      'Host: a',
      `Sec-WebSocket-Key: ${KEY}`,
      'Sec-WebSocket-Version: 13',
      ...more,
    );
    request.upgrade = 'websocket';
    return client.open(request);
  };

  test('wait for SETTINGS, become CONNECT, and a 200 becomes 101', () => {
    const client = new Client();
    const id = open(client);
    assert.equal(client.out.requests.size, 0);
    client.hear(settings({ connect: 1 }));
    assert.deepEqual(client.out.requests.get(1)?.fields, [
      [':method', 'CONNECT'],
      [':protocol', 'websocket'],
      [':scheme', 'http'],
      [':path', '/chat'],
      [':authority', 'a'],
      ['sec-websocket-version', '13'],
    ]);
    assert.equal(client.log.requests.get(1)?.ended, false);
    client.hear(headers(1, { ':status': '200', 'sec-websocket-protocol': 'x' }));
    assert.deepEqual(client.heard[id]?.events, ['answer 101 Switching Protocols (none)']);
    assert.deepEqual(client.heard[id]?.fields, [
      ['sec-websocket-protocol', 'x'],
      ['Sec-WebSocket-Accept', ACCEPT],
    ]);
    client.body(id, 'ping');
    client.hear(data(1, 'pong'));
    assert.deepEqual([client.heard[id]?.content, client.out.requests.get(1)?.body], ['pong', 'ping']);
    // Each direction ends for itself.
    client.hear(data(1, '', true));
    assert.equal(client.heard[id]?.ended, true);
    client.body(id, '!');
    client.session.end(id, '');
    assert.deepEqual([client.out.requests.get(1)?.body, client.log.requests.get(1)?.ended], ['ping!', true]);
    assert.deepEqual(
      client.log.replies.filter((line) => line.startsWith('RST')),
      [],
    );
    client.ask();
    assert.equal(client.out.requests.size, 2);
  });

  test('the client ends first', () => {
    const client = new Client().hear(settings({ connect: 1 }));
    const id = open(client);
    client.hear(headers(1, { ':status': '200' }));
    client.session.end(id, '');
    client.hear(data(1, 'late'), data(1, '', true));
    assert.deepEqual([client.heard[id]?.content, client.heard[id]?.ended], ['late', true]);
  });

  test('an origin without them is told apart, before anything is sent', () => {
    const client = new Client();
    const id = open(client);
    const other = client.ask();
    client.hear(settings());
    assert.equal(client.heard[id]?.error, 'no-websocket');
    assert.deepEqual([...client.out.requests.keys()], [3]);
    client.hear(headers(3, { ':status': '204' }, true));
    assert.equal(client.heard[other]?.ended, true);
    assert.throws(() => open(client), /no-websocket/, 'from now on it is known at once');
  });

  test('an answer other than 2xx is passed on', () => {
    const client = new Client().hear(settings({ connect: 1 }));
    const id = open(client);
    client.hear(headers(1, { ':status': '403', 'content-length': '2' }), data(1, 'no', true));
    assert.deepEqual(client.events(id), ['answer 403 Forbidden (length=2)', 'end', 'body no']);
    assert.equal(client.out.replies.at(-1), 'RST_STREAM 1 CANCEL');
  });

  test('one that breaks is cut', () => {
    for (const last of [frame('RST_STREAM', 0, 1, word(8)), frame('GOAWAY', 0, 1)]) {
      const client = new Client().hear(settings({ connect: 1 }));
      const id = open(client);
      client.hear(headers(1, { ':status': '200' }), last);
      assert.equal(client.heard[id]?.error, 'answer-incomplete');
    }
  });

  test('without a key, or as something else, it is a request like any other', () => {
    const client = new Client().hear(settings({ connect: 1 }));
    client.ask('GET / HTTP/1.1', { upgrade: 'websocket' });
    client.ask('GET / HTTP/1.1', { upgrade: 'foo' });
    assert.deepEqual(
      [1, 3].map((stream) => client.out.requests.get(stream)?.fields[0]?.[1]),
      ['GET', 'GET'],
    );
  });
});

test('a sink that asks again while it hears of the end', () => {
  const sent = new Sent();
  const session = new Http2Session(OPTIONS, sent, LIMITS);
  const request = requestOf('GET / HTTP/1.1', 'Host: a');
  const events: string[] = [];
  const sink = (depth: number): Heard =>
    new (class extends Heard {
      override end(): void {
        events.push(`end ${depth}`);
        if (depth > 0) session.open(request, TARGET, sink(depth - 1));
      }

      override fail(): void {
        events.push(`fail ${depth}`);
        if (depth > 0) assert.equal(session.open(request, TARGET, sink(depth - 1)), 'stream-refused');
      }
    })();
  session.open(request, TARGET, sink(3));
  const all = Buffer.concat([settings(), ...[1, 3, 5].map((id) => headers(id, { ':status': '204' }, true))]);
  session.receive(all, 0, all.length);
  assert.deepEqual(events, ['end 3', 'end 2', 'end 1']);
  session.open(request, TARGET, sink(1));
  session.eof();
  assert.deepEqual(events.slice(3), ['fail 0', 'fail 1']);
});
