/** HTTP/2 origins through the whole line: those that refuse, reset, go away, stall and lie, at each phase. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { data, frame, h2Origin, headers, type ReadFrame, settings, word } from '../support/h2.ts';
import { start } from '../support/line.ts';
import { eventually, get, origin as rawOrigin, type Peer, post, sleep } from '../support/scripted.ts';

const OK = { ':status': '200', 'content-type': 'text/plain' };
const REFUSED = 7;
const INTERNAL = 2;
const begins = ({ type }: ReadFrame): boolean => type === 'HEADERS';
const rst = (stream: number, code: number): Buffer => frame('RST_STREAM', 0, stream, word(code));
const goaway = (last: number, code = 0): Buffer => frame('GOAWAY', 0, 0, word(last, code));
const update = (stream: number, increment: number): Buffer => frame('WINDOW_UPDATE', 0, stream, word(increment));
/** The whole request is here. */
const ended = ({ type, flags }: ReadFrame): boolean => (type === 'HEADERS' || type === 'DATA') && (flags & 1) === 1;

test('GET and POST: fields, bodies, trailers, interim answers', async (t) => {
  const origin = await h2Origin(t, {}, (one, { log, send }) => {
    if (!ended(one)) return;
    const { fields, body, trailers } = log.requests.get(one.stream) ?? assert.fail();
    const shown = JSON.stringify({ fields: Object.fromEntries(fields), body, trailers });
    send(
      headers(one.stream, { ':status': '103', link: '</a.css>' }),
      headers(one.stream, { ...OK, 'x-upper': 'a' }),
      data(one.stream, shown),
      headers(one.stream, { 'x-sum': '5' }, true),
    );
  });
  const line = await start(t, origin.h2);
  const peer = await line.connect();
  peer.send(get('/a?b', 'Connection: X-Gone\r\nX-Gone: 1\r\nTE: trailers\r\n'));
  assert.equal((await peer.answer()).status, 103);
  const first = await peer.answer();
  const told = JSON.parse(first.body) as { fields: Record<string, string> };
  assert.deepEqual([first.line, first.field('x-upper'), first.trailers], ['HTTP/1.1 200 OK', 'a', ['x-sum: 5']]);
  assert.deepEqual(
    [':method', ':scheme', ':path', 'te', 'x-gone', 'connection', 'host', 'x-forwarded-for'].map(
      (name) => told.fields[name],
    ),
    ['GET', 'http', '/a?b', 'trailers', undefined, undefined, undefined, '127.0.0.1'],
  );
  peer.send('POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Late: yes\r\n\r\n');
  await peer.answer();
  assert.match((await peer.answer()).body, /"body":"hello","trailers":"x-late: yes"/);
  assert.equal(origin.connections.length, 1, 'both on one connection');
  await line.logged(2);
  await line.settled();
});

test('a hundred clients over one connection', async (t) => {
  let most = 0;
  const waiting: (() => void)[] = [];
  const origin = await h2Origin(t, {}, (one, { log, send }) => {
    if (!ended(one)) return;
    const path = log.requests.get(one.stream)?.fields.find(([name]) => name === ':path')?.[1] ?? '';
    waiting.push(() => send(headers(one.stream, OK), data(one.stream, path, true)));
    most = Math.max(most, waiting.length);
    // Not before all are there: so they are open at the same time.
    if (most === 100) for (const answer of waiting.splice(0).toReversed()) answer();
  });
  const line = await start(t, origin.h2);
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      const peer = await line.connect();
      peer.send(get(`/${i}`));
      return (await peer.answer()).body;
    }),
  );
  assert.deepEqual(
    answers,
    Array.from({ length: 100 }, (_, i) => `/${i}`),
  );
  assert.equal(origin.connections.length, 1);
  await line.settled();
});

test('an origin that takes one stream at a time gets no second one on a connection', async (t) => {
  let open = 0;
  const origin = await h2Origin(t, { streams: 1 }, (one, { log, send }) => {
    if (!ended(one)) return;
    open = Math.max(open, log.requests.size);
    setTimeout(() => {
      send(headers(one.stream, OK), data(one.stream, 'x', true));
      log.requests.delete(one.stream);
    }, 5);
  });
  const line = await start(t, origin.h2);
  for (let round = 0; round < 2; round++) {
    const statuses = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const peer = await line.connect();
        peer.send(post('hello'));
        return (await peer.answer()).status;
      }),
    );
    assert.deepEqual(
      statuses,
      Array.from({ length: 10 }, () => 200),
    );
  }
  assert.equal(open, 1);
  assert.equal(line.first.state, 'up');
  await line.settled();
});

test('an origin that says late how few it takes, and refuses the rest: each is asked again there, and it stays well', async (t) => {
  const served: string[] = [];
  const begin = (nth: number): Record<string, number> | null => (nth === 0 ? null : { streams: 2 });
  const origin = await h2Origin(t, begin, (one, { log, send }, nth) => {
    const { size } = log.requests;
    const answer = (stream: number): void => {
      served.push(log.requests.get(stream)?.fields.find(([name]) => name === ':path')?.[1] ?? '');
      send(headers(stream, OK), data(stream, 'x', true));
    };
    if (!ended(one)) return;
    if (nth > 0 || size > 10) return answer(one.stream);
    // All ten are on their way before it speaks. It has taken two, and is through with one when it refuses the others.
    if (size < 10) return;
    send(settings({ streams: 2 }));
    answer(1);
    for (let stream = 5; stream < 20; stream += 2) send(rst(stream, REFUSED));
    answer(3);
  });
  const line = await start(t, origin.h2);
  const paths = Array.from({ length: 10 }, (_, i) => `/${i}`);
  const statuses = await Promise.all(
    paths.map(async (path) => {
      const peer = await line.connect();
      peer.send(get(path));
      return (await peer.answer()).status;
    }),
  );
  assert.deepEqual(new Set(statuses), new Set([200]));
  assert.deepEqual(served.toSorted(), paths, 'each was answered once');
  assert.ok((origin.conversations[0]?.log.requests.size ?? 0) >= 10);
  assert.equal(line.first.state, 'up');
  const logged = await line.logged(10);
  assert.ok(logged.every(({ error }) => error === undefined));
  await line.settled();
});

test('a fault of one stream breaks the connection: the others are asked again where that is safe', async (t) => {
  const broken = await h2Origin(t, {}, (one, { log, send }) => {
    if (!ended(one) || log.requests.size < 4) return;
    const at = (path: string): number =>
      [...log.requests].find(([, { fields }]) => fields.some(([, value]) => value === path))?.[0] ?? 0;
    send(headers(at('/begun'), OK), data(at('/begun'), 'be'));
    // A block that no table can read.
    send(frame('HEADERS', 5, at('/fault'), Buffer.from('ff80808080808080', 'hex')));
  });
  const well = await h2Origin(t, {}, (one, { send }) => {
    if (ended(one)) send(headers(one.stream, OK), data(one.stream, 'well', true));
  });
  const line = await start(t, [broken.h2, well.h2], { eject: { on: [] } });
  const ask = async (request: string): Promise<Peer> => {
    const peer = await line.connect();
    peer.send(request);
    return peer;
  };
  const peers = await Promise.all([get('/fault'), get('/safe'), post('', '/unsafe'), get('/begun')].map(ask));
  const [fault, safe, unsafe, begun] = peers as [Peer, Peer, Peer, Peer];
  assert.equal((await fault.answer()).status, 502);
  assert.equal((await safe.answer()).body, 'well');
  assert.equal((await unsafe.answer()).status, 502);
  await begun.end();
  const lines = await line.logged(4);
  assert.deepEqual(Object.fromEntries(lines.map(({ target, error, attempts }) => [target, [error, attempts]])), {
    '/fault': ['bad-answer', 1],
    '/safe': [undefined, 2],
    '/unsafe': ['origin-closed', 1],
    '/begun': ['answer-incomplete', 1],
  });
  assert.equal(broken.connections.length, 1);
  await line.settled();
});

test('a refused stream goes to another origin, whatever the method', async (t) => {
  const first = await h2Origin(t, {}, (one, { send }) => {
    if (begins(one)) send(rst(one.stream, REFUSED));
  });
  const second = await h2Origin(t, {}, (one, { send }) => {
    if (ended(one)) send(headers(one.stream, { ':status': '201', 'content-length': '0' }, true));
  });
  const line = await start(t, [first.h2, second.h2]);
  const peer = await line.connect();
  peer.send(post('hello'));
  assert.equal((await peer.answer()).status, 201);
  const [logged] = await line.logged(1);
  assert.deepEqual([logged?.attempts, second.conversations[0]?.log.requests.get(1)?.body], [2, 'hello']);
});

test('GOAWAY: streams beyond its last one go to a new connection of the same origin, those before it end in peace', async (t) => {
  const origin = await h2Origin(t, {}, (one, { log, send }, nth) => {
    if (!ended(one)) return;
    if (nth > 0)
      return send(headers(one.stream, OK), data(one.stream, `again ${log.requests.get(one.stream)?.body}`, true));
    if (log.requests.size < 3) return;
    send(goaway(1), headers(1, OK), data(1, 'first', true));
  });
  const line = await start(t, origin.h2);
  const bodies = await Promise.all(
    Array.from({ length: 3 }, async (_, i) => {
      const peer = await line.connect();
      peer.send(post(`body ${i}`));
      return (await peer.answer()).body;
    }),
  );
  assert.deepEqual(bodies.map((body) => body.replace(/\d/, 'N')).toSorted(), ['again body N', 'again body N', 'first']);
  await eventually(() => origin.connections[0]?.ending !== 'open', 'the connection to close');
  assert.equal(origin.connections.length, 2);
  const logged = await line.logged(3);
  assert.deepEqual(
    logged.map(({ status, error }) => [status, error]),
    Array.from({ length: 3 }, () => [200, undefined]),
  );
  assert.equal(line.first.state, 'up');
});

test('an origin that goes away after each request loses none', async (t) => {
  const origin = await h2Origin(t, {}, (one, { send }) => {
    if (ended(one)) send(headers(one.stream, OK), data(one.stream, 'x', true), goaway(one.stream));
  });
  const line = await start(t, origin.h2);
  const peer = await line.connect();
  for (let i = 0; i < 20; i++) {
    peer.send(post('hello'));
    assert.equal((await peer.answer()).body, 'x');
  }
  assert.equal(origin.connections.length, 20);
  await line.logged(20);
});

test('a reset before the head: repeated where the method allows, else told', async (t) => {
  const origin = await h2Origin(t, {}, (one, { send }) => {
    if (begins(one)) send(rst(one.stream, INTERNAL));
  });
  const other = await h2Origin(t, {}, (one, { send }) => {
    if (ended(one)) send(headers(one.stream, { ':status': '204' }, true));
  });
  const line = await start(t, [origin.h2, other.h2]);
  const peer = await line.connect();
  peer.send(get('/'));
  assert.equal((await peer.answer()).status, 204);
  peer.send(post('x'));
  const answer = await peer.answer();
  assert.deepEqual(
    [answer.status, answer.field('proxy-status')],
    [502, 'sluice; error=connection_terminated; details="stream-reset"'],
  );
  const [, second] = await line.logged(2);
  assert.equal(second?.detail, 'RST_STREAM INTERNAL_ERROR');
  assert.equal(origin.connections.length, 1, 'the connection stays');
});

test('a reset, a GOAWAY of the connection, and its end in the middle of an answer cut the client', async (t) => {
  const lasts = [rst(1, INTERNAL), frame('GOAWAY', 0, 5), null];
  for (const last of lasts) {
    const origin = await h2Origin(t, {}, (one, { send, peer }) => {
      if (!begins(one)) return;
      send(headers(one.stream, { ...OK, 'content-length': '10' }), data(one.stream, 'half'));
      setTimeout(() => (last === null ? peer.fin() : send(last)), 20);
    });
    const line = await start(t, origin.h2);
    const peer = await line.connect();
    peer.send(get('/'));
    assert.match(await peer.end(), /\r\n\r\nhalf$/);
    const [logged] = await line.logged(1);
    assert.equal(logged?.error, 'answer-incomplete');
    await line.settled();
  }
});

test('a malformed answer fails alone', async (t) => {
  const origin = await h2Origin(t, {}, (one, { log, send }) => {
    if (!ended(one) || log.requests.size < 2) return;
    send(headers(1, { ...OK, 'transfer-encoding': 'chunked' }), headers(3, OK), data(3, 'fine', true));
  });
  const line = await start(t, origin.h2);
  const [bad, good] = [await line.connect(), await line.connect()];
  bad.send(get('/bad'));
  await eventually(() => origin.conversations[0]?.log.requests.size === 1, 'the first request');
  good.send(get('/good'));
  assert.equal((await bad.answer()).status, 502);
  assert.equal((await good.answer()).body, 'fine');
  const logged = await line.logged(2);
  assert.equal(logged.find(({ target }) => target === '/bad')?.detail, 'the connection field transfer-encoding');
  assert.equal(origin.connections.length, 1);
});

test('an origin that speaks HTTP/1 is told apart in the log', async (t) => {
  const old = await rawOrigin(t, async (peer) => {
    await peer.until('\r\n\r\n');
    peer.send('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
  });
  const line = await start(t, `h2c://127.0.0.1:${old.port}`);
  const peer = await line.connect();
  peer.send(get('/'));
  assert.equal((await peer.answer()).status, 502);
  const [logged] = await line.logged(1);
  assert.deepEqual([logged?.error, logged?.detail], ['bad-answer', 'it speaks HTTP/1, not HTTP/2']);
});

test('timeouts at each phase: no SETTINGS, no answer, half an answer, no window', async (t) => {
  const timeouts = { firstByte: 150, idle: 150 };
  const silent = await h2Origin(t, { window: 0 }, (one, { log, send }) => {
    if (begins(one) && log.requests.get(one.stream)?.fields.some(([, value]) => value === '/half')) {
      send(headers(one.stream, OK), data(one.stream, 'half'));
    }
  });
  const line = await start(t, silent.h2, { timeouts, retries: { count: 0 } });
  const first = await line.connect();
  first.send(get('/never'));
  assert.equal((await first.answer()).status, 504);
  const second = await line.connect();
  second.send(get('/half'));
  assert.match(await second.end(), /half\r\n$/);
  const third = await line.connect();
  third.send(post('no window for it'.repeat(20_000)));
  assert.equal((await third.answer()).status, 504);
  const logged = await line.logged(3);
  assert.deepEqual(
    logged.map(({ error }) => error),
    ['answer-timeout', 'answer-stalled', 'origin-stalled'],
  );
  await line.settled();
});

test('an upload against a closed window waits, with little in memory, and goes on when it opens', async (t) => {
  const size = 24_000_000;
  const origin = await h2Origin(t, { window: 1000 }, (one, { log, send }) => {
    if (ended(one))
      send(headers(one.stream, OK), data(one.stream, String(log.requests.get(one.stream)?.body.length), true));
  });
  const line = await start(t, origin.h2, {}, { limits: { body: 'off' } });
  const peer = await line.connect();
  // So that the origin's settings are known: a first request would have the usual window of 64 KiB.
  peer.send(get('/'));
  await peer.answer();
  peer.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
  peer.send(Buffer.alloc(size));
  const request = (): { body: string } | undefined => origin.conversations[0]?.log.requests.get(3);
  await eventually(() => request()?.body.length === 1000, 'the window to be used up');
  // What the client could not get rid of is still at the client: sluice has read no more than it may keep.
  assert.ok(peer.socket.writableLength > 0, 'the client waits');
  origin.conversations[0]?.send(update(3, 5000));
  await eventually(() => request()?.body.length === 6000, 'the window to be used up again');
  origin.conversations[0]?.send(update(3, size), update(0, size));
  assert.equal((await peer.answer()).body, String(size));
});

test('a slow client stops its own stream at its window, and nobody else’s', async (t) => {
  const window = 65_536;
  let sent = 0;
  const origin = await h2Origin(t, {}, (one, { log, send }) => {
    const path = log.requests.get(one.stream)?.fields.find(([name]) => name === ':path')?.[1];
    if (begins(one) && path === '/big') {
      send(headers(one.stream, OK));
      for (; sent < window; sent += 16_384) send(data(one.stream, Buffer.alloc(16_384)));
    } else if (begins(one)) send(headers(one.stream, OK), data(one.stream, 'quick', true));
    if (one.type !== 'WINDOW_UPDATE' || one.stream !== 1) return;
    // As much as is allowed, for ever.
    for (let more = one.payload.readUInt32BE(); more > 0; more -= 16_384) {
      const length = Math.min(more, 16_384);
      send(data(1, Buffer.alloc(length)));
      sent += length;
    }
  });
  const line = await start(t, origin.h2, { h2: { window } });
  const slow = await line.connect();
  slow.pause();
  slow.send(get('/big'));
  // Kernels and the client's own buffers take some, and then it stands still.
  for (let before = -1; before !== sent; await sleep(300)) before = sent;
  const quick = await line.connect();
  for (let i = 0; i < 20; i++) {
    quick.send(get('/'));
    assert.equal((await quick.answer()).body, 'quick');
  }
  assert.equal(origin.connections.length, 1);
  const stopped = sent;
  slow.resume();
  await eventually(() => sent > stopped + 1_000_000, 'the stream to go on');
  slow.close();
  await line.settled();
});

test('a client that leaves resets its stream, and the others go on', async (t) => {
  const origin = await h2Origin(t, {}, (one, { send }) => {
    if (begins(one)) send(headers(one.stream, OK), data(one.stream, 'begun'));
  });
  const line = await start(t, origin.h2);
  const [leaves, stays] = [await line.connect(), await line.connect()];
  leaves.send(get('/'));
  await leaves.until('begun');
  stays.send(get('/'));
  await stays.until('begun');
  leaves.reset();
  const { log, send } = origin.conversations[0] ?? assert.fail();
  await eventually(() => log.replies.includes('RST_STREAM 1 CANCEL'), 'the reset');
  send(data(1, 'on its way'), data(3, ' and done', true));
  assert.match(await stays.until('0\r\n\r\n'), /and done/);
  await line.settled();
  assert.equal(origin.connections.length, 1);
});

test('an early answer stops the upload', async (t) => {
  const origin = await h2Origin(t, {}, (one, { send }) => {
    if (begins(one))
      send(
        headers(one.stream, { ':status': '413', 'content-length': '3' }),
        data(one.stream, 'big', true),
        rst(one.stream, 0),
      );
  });
  const line = await start(t, origin.h2, {}, { limits: { body: 'off' } });
  const peer = await line.connect();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n');
  peer.send(Buffer.alloc(100_000));
  const answer = await peer.answer();
  assert.deepEqual([answer.status, answer.body], [413, 'big']);
  const other = await line.connect();
  other.send(get('/'));
  assert.equal((await other.answer()).status, 413);
  assert.equal(origin.connections.length, 1);
  const logged = await line.logged(2);
  assert.deepEqual(
    logged.map(({ error }) => error),
    [undefined, undefined],
  );
});

test('a flood of pings that reads nothing is cut, and so is garbage', async (t) => {
  const floods = [
    Buffer.concat(Array.from({ length: 3000 }, () => frame('PING', 0, 0, '12345678'))),
    Buffer.concat(Array.from({ length: 3000 }, () => settings({ window: 5 }))),
    Buffer.alloc(100_000, 0xaa),
  ];
  for (const flood of floods) {
    const origin = await h2Origin(t, {}, (one, { peer }) => {
      if (!begins(one)) return;
      peer.pause();
      peer.send(flood);
    });
    const line = await start(t, origin.h2);
    const peer = await line.connect();
    peer.send(post('x'));
    const answer = await peer.answer();
    assert.equal(answer.status, 502);
    await line.settled();
  }
});

test('a HEAD, an OPTIONS *, and a request without Host', async (t) => {
  const origin = await h2Origin(t, {}, (one, { log, send }) => {
    if (!begins(one)) return;
    const fields = Object.fromEntries(log.requests.get(one.stream)?.fields ?? []);
    const head = fields[':method'] === 'HEAD';
    send(
      headers(
        one.stream,
        { ...OK, 'content-length': '7', path: fields[':path'] ?? '', authority: fields[':authority'] ?? '' },
        head,
      ),
    );
    if (!head) send(data(one.stream, 'content', true));
  });
  const line = await start(t, origin.h2);
  const peer = await line.connect();
  peer.send('HEAD /h HTTP/1.1\r\nHost: a.example\r\n\r\n');
  const head = await peer.answer('head');
  assert.deepEqual(
    [head.field('content-length'), head.field('path'), head.field('authority')],
    ['7', '/h', 'a.example'],
  );
  peer.send('OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n');
  assert.equal((await peer.answer()).field('path'), '*');
  const old = await line.connect();
  old.send('GET /old HTTP/1.0\r\n\r\n');
  const answer = await old.answer();
  assert.deepEqual([answer.body, answer.field('authority')], ['content', `127.0.0.1:${origin.port}`]);
});

const WEBSOCKET =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

test('a WebSocket: each side ends for itself, and a broken one is cut', async (t) => {
  const origin = await h2Origin(t, { connect: 1 }, (one, { log, send }) => {
    const path = log.requests.get(one.stream)?.fields.find(([name]) => name === ':path')?.[1];
    if (begins(one))
      send(headers(one.stream, { ':status': '200' }), data(one.stream, 'hello', path === '/origin-first'));
    else if (one.type !== 'DATA' || path === '/origin-first') return;
    else if (path === '/broken') send(rst(one.stream, INTERNAL));
    else if (one.payload.length > 0) send(data(one.stream, `echo ${one.payload.latin1Slice()}`, false));
    else if (path === '/client-first') send(data(one.stream, ' and bye', true));
  });
  const line = await start(t, origin.h2);
  const open = async (path: string): Promise<Awaited<ReturnType<typeof line.connect>>> => {
    const peer = await line.connect();
    peer.send(get(path, WEBSOCKET));
    const answer = await peer.until('\r\n\r\n');
    assert.match(answer, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
    assert.match(answer, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
    assert.match(answer, /Upgrade: websocket\r\n/);
    assert.equal(await peer.bytes(5), 'hello');
    return peer;
  };
  const client = await open('/client-first');
  client.send('one');
  assert.equal(await client.bytes(8), 'echo one');
  client.fin();
  assert.equal(await client.end(), ' and bye');
  assert.equal(client.ending, 'fin');

  const server = await open('/origin-first');
  assert.equal(await server.end(), '');
  server.send('late');
  server.fin();
  await eventually(() => origin.conversations[0]?.log.requests.get(3)?.body === 'late', 'what came after the end');
  await eventually(() => origin.conversations[0]?.log.requests.get(3)?.ended === true, 'its end');

  const broken = await open('/broken');
  broken.send('x');
  await broken.end();
  assert.equal(broken.ending, 'reset');
  const logged = await line.logged(3);
  assert.deepEqual(
    logged.map(({ status }) => status),
    [101, 101, 101],
  );
  assert.equal(origin.connections.length, 1);
  await line.settled();
});

test('a WebSocket goes to an origin that takes them; where none does, the client is told', async (t) => {
  const without = await h2Origin(t, {}, () => {});
  const takes = await h2Origin(t, { connect: 1 }, (one, { send }) => {
    if (begins(one)) send(headers(one.stream, { ':status': '200' }));
  });
  const line = await start(t, [without.h2, takes.h2]);
  // Twice: the first one waits for SETTINGS, of the second it is known.
  for (let i = 0; i < 2; i++) {
    const peer = await line.connect();
    peer.send(get('/', WEBSOCKET));
    assert.equal((await peer.answer()).status, 101);
  }
  const alone = await start(t, without.h2);
  const peer = await alone.connect();
  peer.send(get('/', WEBSOCKET));
  const answer = await peer.answer();
  assert.deepEqual(
    [answer.status, answer.field('proxy-status')],
    [502, 'sluice; error=http_upgrade_failed; details="no-websocket"'],
  );
});
