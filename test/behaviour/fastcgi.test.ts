/** FastCGI origins through the whole line: applications that answer early, late, badly or not at all. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { explain } from '../../src/control/explain.ts';
import { systemClock } from '../../src/core/clock.ts';
import {
  ending,
  readRecords,
  type ReadRecord,
  type ReadRequest,
  record,
  requestFrom,
  stdout,
  TYPES,
} from '../support/fastcgi.ts';
import { start } from '../support/line.ts';
import { eventually, get, origin, type Peer, post, type ScriptedOrigin } from '../support/scripted.ts';

async function nextRecord(peer: Peer): Promise<ReadRecord> {
  const head = await peer.bytes(8);
  const rest = await peer.bytes(head.charCodeAt(4) * 256 + head.charCodeAt(5) + head.charCodeAt(6));
  const [one] = readRecords(Buffer.from(head + rest, 'latin1')).records;
  return one ?? assert.fail('no record');
}

/** Reads up to the end of PARAMS, or of STDIN. */
async function nextRequest(peer: Peer, whole = true): Promise<ReadRequest> {
  const records: ReadRecord[] = [];
  const last = whole ? TYPES.stdin : TYPES.params;
  for (;;) {
    const one = await nextRecord(peer);
    records.push(one);
    if (one.type === last && one.content.length === 0) return requestFrom(records);
  }
}

const answered = (text: string): Buffer =>
  Buffer.concat([stdout(`Content-Type: text/plain\r\n\r\n${text}`), record(TYPES.stdout), ending()]);

interface Application extends ScriptedOrigin {
  readonly fastcgi: string;
  readonly asked: ReadRequest[];
}

/** Answers each request with what `answer` makes of it, and then closes unless it is asked to keep the connection. */
async function application(
  t: TestContext,
  answer: (request: ReadRequest, peer: Peer) => Buffer | undefined,
): Promise<Application> {
  const asked: ReadRequest[] = [];
  const made = await origin(t, async (peer) => {
    for (;;) {
      const request = await nextRequest(peer);
      asked.push(request);
      const bytes = answer(request, peer);
      if (bytes !== undefined) peer.send(bytes);
      if (!request.keep) return peer.fin();
    }
  });
  return Object.assign(made, { fastcgi: `fastcgi://127.0.0.1:${made.port}`, asked });
}

test('GET and POST: variables, body, answer', async (t) => {
  const app = await application(t, ({ variables, body }) =>
    answered(
      `${variables.get('REQUEST_METHOD')} ${variables.get('PATH_INFO')} ${variables.get('CONTENT_LENGTH')} ${body}`,
    ),
  );
  const line = await start(t, app.fastcgi);
  const peer = await line.connect();
  peer.send(get('/a%20b'));
  const first = await peer.answer();
  assert.deepEqual(
    [first.status, first.body, first.field('transfer-encoding')],
    [200, 'GET /a b undefined ', 'chunked'],
  );
  peer.send(post('hello'));
  assert.match((await peer.answer()).body, /^POST \S+ 5 hello$/);
  const logged = await line.logged(2);
  assert.deepEqual(
    logged.map(({ status, error }) => [status, error]),
    [
      [200, undefined],
      [200, undefined],
    ],
  );
  assert.equal(app.asked[0]?.variables.get('SERVER_ADDR'), '127.0.0.1');
  assert.match(app.asked[0]?.variables.get('HTTP_X_REQUEST_ID') ?? '', new RegExp(`^${logged[0]?.id ?? '-'}$`));
  assert.equal(app.connections.length, 2, 'connections are not kept unless they are to be');
  assert.equal(line.first.state, 'up');
  await line.settled();
});

test('kept connections carry one request after the other, and a stale one is replaced', async (t) => {
  const app = await application(t, ({ variables }, peer) => {
    const path = variables.get('PATH_INFO') ?? '';
    // Goes away between two requests, as php-fpm does after pm.max_requests.
    if (path === '/last') setTimeout(() => peer.fin(), 20);
    return answered(path);
  });
  const line = await start(t, app.fastcgi, { fastcgi: { keepConnection: true } });
  const peer = await line.connect();
  for (const path of ['/1', '/2', '/last']) {
    peer.send(get(path));
    assert.equal((await peer.answer()).body, path);
  }
  assert.equal(app.connections.length, 1);
  await eventually(
    () => line.first.connections === 0,
    () => 'the connection to be noticed as closed',
  );
  peer.send(get('/again'));
  assert.equal((await peer.answer()).body, '/again');
  assert.equal(app.connections.length, 2);
  await line.logged(4);
});

test('a chunked body is gathered first, and takes no slot meanwhile', async (t) => {
  const app = await application(t, ({ variables, body }) => answered(`${variables.get('CONTENT_LENGTH')} ${body}`));
  const line = await start(t, app.fastcgi, { spool: { size: 10 } });
  const peer = await line.connect();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  await peer.silence(100);
  assert.deepEqual([line.first.inFlight, app.connections.length], [0, 0]);
  peer.send('2\r\nde\r\n0\r\nX: y\r\n\r\n');
  assert.equal((await peer.answer()).body, '5 abcde');
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  assert.equal((await peer.answer()).body, '0 ');
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nabcdefghijk\r\n0\r\n\r\n');
  assert.equal((await peer.answer()).status, 413);
  const gone = await line.connect();
  gone.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  await gone.silence(50);
  gone.reset();
  const logged = await line.logged(4);
  assert.deepEqual(
    logged.map(({ error }) => error),
    [undefined, undefined, 'spool-full', 'client-gone'],
  );
  assert.equal(app.asked.length, 2);
  await line.settled();
});

test('a chunked body is streamed where nothing is gathered', async (t) => {
  const bodies: string[] = [];
  const app = await origin(t, async (peer) => {
    const { variables } = await nextRequest(peer, false);
    assert.equal(variables.has('CONTENT_LENGTH'), false);
    for (let one = await nextRecord(peer); one.content.length > 0; one = await nextRecord(peer)) {
      bodies.push(one.content.latin1Slice());
    }
    peer.send(answered('done'));
  });
  const line = await start(t, `fastcgi://127.0.0.1:${app.port}`, { spool: { size: 0 } });
  const peer = await line.connect();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  await eventually(
    () => bodies.join('') === 'abc',
    () => `got ${bodies.join('')}`,
  );
  peer.send('2\r\nde\r\n0\r\n\r\n');
  assert.equal((await peer.answer()).body, 'done');
  assert.equal(bodies.join(''), 'abcde');
});

for (const [name, status] of [
  ['OVERLOADED', 2],
  ['CANT_MPX_CONN', 1],
] as const) {
  test(`${name}: another origin is asked, whatever the method; each once`, async (t) => {
    const busy = await application(t, () => ending(0, status));
    const free = await application(t, ({ body }) => answered(`free ${body}`));
    const line = await start(t, [busy.fastcgi, free.fastcgi]);
    const peer = await line.connect();
    peer.send(get('/'));
    assert.equal((await peer.answer()).body, 'free ');
    peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n');
    assert.equal((await peer.answer()).body, 'free x');
    // A body that is still kept is sent again, for nobody has begun with it; a longer one has gone by.
    peer.send(post('kept'));
    assert.equal((await peer.answer()).body, 'free kept');
    peer.send(post('x'.repeat(70_000)));
    assert.equal((await peer.answer()).status, 503);
    await line.logged(4);
    assert.deepEqual([busy.asked.length, free.asked.length], [4, 3]);
    await line.settled();
  });
}

test('all origins overloaded: 503, and each has been asked once', async (t) => {
  const busy = await Promise.all([0, 1].map(() => application(t, () => ending(0, 2))));
  const line = await start(
    t,
    busy.map((one) => one.fastcgi),
  );
  const peer = await line.connect();
  peer.send(get('/'));
  assert.equal((await peer.answer()).status, 503);
  const [logged] = await line.logged(1);
  assert.deepEqual([logged?.error, logged?.attempts], ['origin-overloaded', 2]);
  assert.deepEqual(
    busy.map((one) => one.asked.length),
    [1, 1],
  );
  await line.settled();
});

test('what an application says on standard error is logged with the request', async (t) => {
  const app = await application(t, () =>
    Buffer.concat([record(TYPES.stderr, 'PHP Warning: oops\n\u001b[31mred'), answered('x')]),
  );
  const line = await start(t, app.fastcgi);
  const peer = await line.connect();
  peer.send(get('/'));
  await peer.answer();
  const [logged] = await line.logged(1);
  const said = line.said.filter((one) => one.startsWith('warn origin-says'));
  assert.equal(said.length, 2, said.join('\n'));
  assert.equal(said[0], `warn origin-says app 127.0.0.1:${app.port} ${logged?.id}: PHP Warning: oops`);
});

test('answers that are none: 502, and not repeated', async (t) => {
  const answers: Buffer[] = [
    ending(255),
    Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    Buffer.concat([stdout('<b>hello</b>\n\n'), ending()]),
    Buffer.concat([stdout('Status: 101 X\n\n'), ending()]),
    ending(0, 3),
    stdout(`X: ${'x'.repeat(60_000)}`),
  ];
  let nth = 0;
  const app = await application(t, () =>
    nth < 5 ? answers[nth++] : Buffer.concat([stdout(`X: ${'x'.repeat(60_000)}`), stdout('x'.repeat(10_000))]),
  );
  const spare = await application(t, () => answered('spare'));
  const line = await start(t, [app.fastcgi, spare.fastcgi], { eject: { failures: 1000 } });
  const peer = await line.connect();
  for (let i = 0; i < 6; i++) {
    peer.send(get('/'));
    assert.equal((await peer.answer()).status, 502, String(i));
  }
  const logged = await line.logged(6);
  assert.deepEqual(
    logged.map(({ error, attempts }) => [error, attempts]),
    [...Array.from({ length: 5 }, () => ['bad-answer', 1]), ['answer-head-too-large', 1]],
  );
  assert.equal(spare.asked.length, 0);
  await line.settled();
});

test('death before an answer: GET goes on, POST is 502; in an answer: the client is cut off', async (t) => {
  const bad = await origin(t, async (peer) => {
    const { variables } = await nextRequest(peer);
    if (variables.get('PATH_INFO') === '/half') {
      peer.send(stdout('A: b\n\nhalf'));
      setTimeout(() => peer.fin(), 30);
    } else peer.reset();
  });
  const good = await application(t, () => answered('good'));
  const line = await start(t, [`fastcgi://127.0.0.1:${bad.port}`, good.fastcgi]);
  const peer = await line.connect();
  peer.send(get('/'));
  assert.equal((await peer.answer()).body, 'good');
  peer.send(post('x'));
  assert.equal((await peer.answer()).status, 502);
  peer.send(get('/half'));
  await peer.until('half');
  await eventually(
    () => peer.ending !== 'open',
    () => 'the end of the connection',
  );
  assert.doesNotMatch(peer.held, /\r\n0\r\n/, 'the chunked answer must not look complete');
  const logged = await line.logged(3);
  assert.deepEqual(
    logged.map(({ error }) => error),
    [undefined, 'origin-closed', 'answer-incomplete'],
  );
  await line.settled();
});

test('an answer before the end of the request', async (t) => {
  const app = await origin(t, async (peer) => {
    await nextRequest(peer, false);
    peer.send(Buffer.concat([stdout('Status: 413 Too Large\nContent-Length: 2\n\nno'), ending()]));
    await peer.end();
  });
  const line = await start(t, `fastcgi://127.0.0.1:${app.port}`);
  const peer = await line.connect();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
  const answer = await peer.answer();
  assert.deepEqual([answer.status, answer.body], [413, 'no']);
  peer.send('defghij');
  await line.logged(1);
  await line.settled();
});

test('a client that leaves: the application is told, and the slot is free', async (t) => {
  let seen = '';
  const app = await origin(t, async (peer) => {
    await nextRequest(peer);
    peer.send(stdout('A: b\n\nfirst'));
    const rest = Buffer.from(await peer.end(), 'latin1');
    seen = readRecords(rest)
      .records.map(({ type }) => type)
      .join();
  });
  const line = await start(t, `fastcgi://127.0.0.1:${app.port}`, { maxConnections: 1 });
  const peer = await line.connect();
  peer.send(get('/'));
  await peer.until('first');
  peer.reset();
  await eventually(
    () => seen === String(TYPES.abort),
    () => `saw ${seen}`,
  );
  await line.settled();
});

test('a request that names no script: 404, nobody is blamed, and the connection serves the next', async (t) => {
  const app = await application(t, () => answered('x'));
  const cgi = { root: '/r', split: ['.php'] };
  const line = await start(t, app.fastcgi, { cgi, fastcgi: { keepConnection: true } });
  const peer = await line.connect();
  const expected: [string, number][] = [
    ['/x.php', 200],
    ['/x.txt', 404],
    ['/x.jpg%00.php', 400],
    ['/y.php', 200],
  ];
  for (const [path, status] of expected) {
    peer.send(get(path));
    assert.equal((await peer.answer()).status, status, path);
  }
  peer.send('POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc');
  assert.equal((await peer.answer()).status, 404);
  const logged = await line.logged(5);
  assert.deepEqual(
    logged.map(({ error }) => error),
    [undefined, 'no-script', 'bad-target', undefined, 'no-script'],
  );
  assert.deepEqual([app.asked.length, app.connections.length, line.first.failures], [2, 1, 0]);
  await line.settled();
});

test('options of a route replace those of its upstream, and variables are added', async (t) => {
  const app = await application(t, () => answered('x'));
  const line = await start(
    t,
    app.fastcgi,
    { cgi: { root: '/srv/all', split: ['.php'], env: { ALL: '1', WHO: 'upstream' } } },
    {
      routes: [
        { match: { path: '/shop/*' }, to: 'app', cgi: { root: '/srv/shop', env: { WHO: 'shop' } } },
        { match: { path: '/api/*' }, to: 'app', cgi: { split: [], prefix: '/api' } },
        { to: 'app' },
      ],
    },
  );
  const peer = await line.connect();
  for (const path of ['/shop/a.php', '/api/v1', '/b.php', '/shop/c.php']) {
    peer.send(get(path));
    assert.equal((await peer.answer()).status, 200);
  }
  const names = ['SCRIPT_FILENAME', 'SCRIPT_NAME', 'PATH_INFO', 'ALL', 'WHO'];
  assert.deepEqual(
    app.asked.map(({ variables }) => names.map((name) => variables.get(name))),
    [
      ['/srv/shop/shop/a.php', '/shop/a.php', '', '1', 'shop'],
      ['/srv/all/api', '/api', '/v1', '1', 'upstream'],
      ['/srv/all/b.php', '/b.php', '', '1', 'upstream'],
      ['/srv/shop/shop/c.php', '/shop/c.php', '', '1', 'shop'],
    ],
  );
});

test('explain says what the application is told', async (t) => {
  const app = await application(t, () => answered('x'));
  const cgi = { root: '/srv', split: ['.php'], index: 'index.php', env: { APP: 'one' } };
  const line = await start(t, app.fastcgi, { cgi });
  const peer = await line.connect();
  peer.send('GET /a/?b=c HTTP/1.1\r\nHost: example.org\r\nX-One: 1\r\nCookie: a=b\r\nCookie: c=d\r\nX_Bad: 1\r\n\r\n');
  await peer.answer();
  const { variables } = explain(
    line.sluice.config,
    {
      method: 'GET',
      url: '/a/?b=c',
      fields: [
        ['Host', 'example.org'],
        ['X-One', '1'],
        ['Cookie', 'a=b'],
        ['Cookie', 'c=d'],
        ['X_Bad', '1'],
      ],
    },
    systemClock,
  );
  // What only a connection has: ports, and the request's id.
  const own = /^(?:REMOTE_PORT|SERVER_PORT|HTTP_X_FORWARDED_PORT|HTTP_X_REQUEST_ID)=/;
  const got = [...(app.asked[0]?.variables ?? [])].map(([name, value]) => `${name}=${value}`);
  assert.deepEqual(
    variables.filter((one) => !own.test(one)).toSorted(),
    got.filter((one) => !own.test(one)).toSorted(),
  );
});

test('HEAD, 204 and 304 have no body, whatever the application sends', async (t) => {
  const app = await application(t, ({ variables }) => {
    const path = variables.get('PATH_INFO');
    const head = path === '/204' ? 'Status: 204 No\n' : path === '/304' ? 'Status: 304 Not\n' : 'Content-Length: 4\n';
    return Buffer.concat([stdout(`${head}A: b\n\nbody`), ending()]);
  });
  const line = await start(t, app.fastcgi, { fastcgi: { keepConnection: true } });
  const peer = await line.connect();
  peer.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  const head = await peer.answer('head');
  assert.deepEqual([head.status, head.field('content-length')], [200, '4']);
  for (const path of ['/204', '/304']) {
    peer.send(get(path));
    assert.equal((await peer.answer()).status, Number(path.slice(1)));
  }
  peer.send(get('/'));
  assert.equal((await peer.answer()).body, 'body');
  assert.equal(app.connections.length, 1);
});

test('an application that never answers: 504 after firstByte', async (t) => {
  const app = await application(t, () => undefined);
  const line = await start(t, app.fastcgi, { timeouts: { firstByte: 50 }, fastcgi: { keepConnection: true } });
  const peer = await line.connect();
  peer.send(post('x'));
  assert.equal((await peer.answer()).status, 504);
  const [logged] = await line.logged(1);
  assert.equal(logged?.error, 'answer-timeout');
  await line.settled();
});
