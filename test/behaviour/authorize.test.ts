/** Authorizers before an upstream: FastCGI's role, and origins that speak HTTP. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { ConfigInput } from '../../src/config/index.ts';
import { ending, readRecords, type ReadRequest, record, requestFrom, stdout, TYPES } from '../support/fastcgi.ts';
import { type Line, start } from '../support/line.ts';
import {
  eventually,
  get,
  ok,
  origin,
  type Peer,
  post,
  server,
  type ScriptedOrigin,
  sleep,
} from '../support/scripted.ts';

interface Guard extends ScriptedOrigin {
  readonly url: string;
  readonly asked: ReadRequest[];
}

/** A FastCGI application that answers each request once all of it is there. */
async function guard(t: TestContext, answer: (request: ReadRequest, peer: Peer) => Buffer | undefined): Promise<Guard> {
  const asked: ReadRequest[] = [];
  const made = await origin(t, async (peer) => {
    let bytes = '';
    for (let last = -1; last !== TYPES.stdin;) {
      const head = await peer.bytes(8);
      const rest = await peer.bytes(head.charCodeAt(4) * 256 + head.charCodeAt(5) + head.charCodeAt(6));
      bytes += head + rest;
      last = rest === '' ? head.charCodeAt(1) : -1;
    }
    const request = requestFrom(readRecords(Buffer.from(bytes, 'latin1')).records);
    asked.push(request);
    const told = answer(request, peer);
    if (told === undefined) return;
    peer.send(told);
    peer.fin();
  });
  return Object.assign(made, { url: `fastcgi://127.0.0.1:${made.port}`, asked });
}

const says = (head: string, body = ''): Buffer =>
  Buffer.concat([stdout(`${head}\n\n${body}`), record(TYPES.stdout), ending()]);

type Upstream = NonNullable<ConfigInput['upstreams']>[string];
type Authorize = NonNullable<NonNullable<ConfigInput['routes']>[number]['authorize']>;

async function line(
  t: TestContext,
  app: string | string[],
  guards: string | string[],
  {
    authorize = 'guard',
    own = {},
    upstream = {},
  }: { authorize?: Authorize; own?: Partial<Upstream>; upstream?: object } = {},
): Promise<Line> {
  return start(
    t,
    app,
    upstream,
    { routes: [{ to: 'app', authorize }] },
    {},
    { guard: { balance: 'first', ...own, origins: guards } },
  );
}

test('200 lets a request go on, and Variable-* become variables that no client can set', async (t) => {
  const auth = await guard(t, ({ variables }) =>
    variables.get('HTTP_COOKIE') === 'anna'
      ? says(
          'Status: 200 OK\nVariable-REMOTE_USER: anna\nVariable-AUTH_TYPE: cookie\nVariable-CONTENT_LENGTH: 9\nX-Other: x',
          'yes',
        )
      : says('Content-Type: text/plain'),
  );
  const app = await guard(t, ({ variables, body }) =>
    says(
      'A: b',
      ['REMOTE_USER', 'AUTH_TYPE', 'CONTENT_LENGTH', 'HTTP_VARIABLE_REMOTE_USER', 'HTTP_REMOTE_USER']
        .map((name) => variables.get(name) ?? '-')
        .join(' ') + ` ${body}`,
    ),
  );
  const { connect, logged } = await line(t, app.url, auth.url);
  const peer = await connect();
  peer.send(post('body!', '/page?x=1', 'Cookie: anna\r\nVariable-AUTH_TYPE: forged\r\nVariable-Role: admin\r\n'));
  const answer = await peer.answer();
  assert.deepEqual([answer.status, answer.body, answer.field('x-other')], [200, 'anna cookie 5 - - body!', undefined]);
  peer.send(get('/', 'Variable-REMOTE-USER: root\r\nREMOTE_USER: root\r\nVariable-Role: root\r\n'));
  assert.equal((await peer.answer()).body, '- - - - - ');
  const [asked] = auth.asked;
  assert.equal(asked?.role, 2, 'FCGI_AUTHORIZER');
  assert.deepEqual([asked?.body, asked?.variables.get('REQUEST_METHOD')], ['', 'POST']);
  assert.equal(asked?.variables.get('REQUEST_URI'), '/page?x=1');
  for (const absent of ['CONTENT_LENGTH', 'PATH_INFO', 'SCRIPT_NAME', 'HTTP_VARIABLE_ROLE']) {
    assert.equal(asked?.variables.has(absent), false, absent);
  }
  assert.deepEqual(
    app.asked.map(({ role }) => role),
    [1, 1],
  );
  const lines = await logged(2);
  assert.deepEqual(
    lines.map(({ upstream, status, error }) => [upstream, status, error]),
    [
      ['app', 200, undefined],
      ['app', 200, undefined],
    ],
  );
});

test('any other answer is the client’s, and the application hears nothing', async (t) => {
  const heads: Record<string, string> = {
    '/403': 'Status: 403 Forbidden\nVariable-SECRET: x\nWWW-Authenticate: Basic',
    '/302': 'Status: 302 Found\nLocation: /login',
    '/login': 'Location: /login',
    '/201': 'Status: 201 Created',
    '/500': 'Status: 500 Oops',
  };
  const auth = await guard(t, ({ variables }) =>
    says(heads[variables.get('REQUEST_URI') ?? ''] ?? 'Status: 204 No', 'no entry'),
  );
  const app = await server(t, () => ok('app'));
  const { connect, logged, settled } = await line(t, app.url, auth.url, { own: { cgi: { localRedirect: true } } });
  const peer = await connect();
  for (const [path, status] of [
    ['/403', 403],
    ['/302', 302],
    ['/login', 302],
    ['/201', 201],
    ['/500', 500],
  ] as const) {
    peer.send(post('x'.repeat(100), path));
    const answer = await peer.answer();
    assert.deepEqual([answer.status, answer.body], [status, 'no entry'], path);
    assert.equal(answer.field('variable-secret'), undefined);
  }
  assert.equal(app.requests.length, 0);
  peer.send(get('/204'));
  assert.equal((await peer.answer()).body, 'app');
  peer.send('HEAD /403 HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await peer.answer('head')).status, 403);
  const lines = await logged(7);
  assert.deepEqual(
    lines.map(({ upstream, attempts, error }) => [upstream, attempts, error]),
    [...Array.from({ length: 5 }, () => ['guard', 1, undefined]), ['app', 1, undefined], ['guard', 1, undefined]],
  );
  await settled();
});

test('HTTP authorizers: fields for the application, a path of their own, and nothing of the client’s', async (t) => {
  const auth = await server(t, ({ head }) =>
    /remote-user|remote_user|variable/i.test(head)
      ? 'HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n'
      : ok('', head.includes('Cookie: anna') ? 'Remote-User: anna\r\nVariable-ROLE: editor\r\n' : ''),
  );
  const app = await server(t, ({ head }) => ok(/^(?:remote|variable).*$/gim.exec(head) === null ? 'nobody' : head));
  const authorize = { by: 'guard', path: '/verify?a=b', fields: ['Remote-User', 'Remote-Groups'] };
  const { connect, logged } = await line(t, app.url, auth.url, { authorize });
  const peer = await connect();
  peer.send(
    post(
      'hello',
      '/x?y=1',
      'Remote-User: root\r\nremote-groups: admin\r\nVariable-ROLE: root\r\nIf-None-Match: "x"\r\nCookie: anna\r\n',
    ),
  );
  const { body } = await peer.answer();
  assert.match(body, /\r\nRemote-User: anna\r\n/);
  assert.match(body, /\r\nVariable-ROLE: editor\r\n/);
  assert.doesNotMatch(body, /root|admin/);
  assert.match(body, /\r\nIf-None-Match: "x"\r\n/, 'the application has the conditions');
  peer.send(get('/', 'Remote-User: root\r\nRemote-Groups: admin\r\n'));
  assert.equal((await peer.answer()).body, 'nobody', 'what the authorizer does not say is not said');
  const [first, second] = auth.requests;
  assert.equal(first?.line, 'GET /verify?a=b HTTP/1.1');
  assert.deepEqual(
    ['x-forwarded-method', 'x-forwarded-uri', 'x-forwarded-for', 'content-length', 'if-none-match'].map((name) =>
      first?.field(name),
    ),
    ['POST', '/x?y=1', '127.0.0.1', undefined, undefined],
  );
  assert.equal(second?.field('x-forwarded-method'), 'GET');
  assert.equal(app.requests[0]?.body, 'hello');
  await logged(2);
});

test('what a client says of its method and target is not said to the authorizer, in any spelling', async (t) => {
  const auth = await server(t, () => ok(''));
  const app = await server(t, () => ok('app'));
  const forged = 'X_Forwarded_Uri: /open\r\nX-Forwarded-Uri: /open\r\nx-forwarded_method: HEAD\r\n';
  for (const [authorize, heard] of [
    ['guard', []],
    [{ by: 'guard', path: '/check' }, ['X-Forwarded-Method: GET', 'X-Forwarded-Uri: /secret']],
  ] as const) {
    const limits = { underscores: 'allow' } as const;
    const routes = [{ to: 'app', authorize }];
    const { connect } = await start(t, app.url, {}, { limits, routes }, {}, { guard: { origins: auth.url } });
    const peer = await connect();
    peer.send(get('/secret', forged));
    assert.equal((await peer.answer()).body, 'app');
    assert.deepEqual(auth.requests.at(-1)?.head.match(/^x.forwarded.(?:uri|method).*$/gim) ?? [], heard);
  }
});

test('who cannot be asked lets nobody in', async (t) => {
  let mode = 'reset';
  const auth = await guard(t, (_request, peer) => {
    if (mode === 'reset') peer.reset();
    else if (mode === 'half') {
      peer.send(stdout('Status: 200 OK\nVariable-A: b\n\nhalf'));
      peer.fin();
    } else if (mode === 'garbage') return Buffer.from('HTTP/1.1 200 OK\r\n\r\n');
    else if (mode === 'overloaded') return ending(0, 2);
    // It dies of something after its yes.
    else if (mode === 'status') return Buffer.concat([stdout('Status: 200 OK\n\n'), record(TYPES.stdout), ending(1)]);
    // Its answer is whole, but nobody says that it has ended well.
    else if (mode === 'cut') return Buffer.concat([stdout('Status: 204 No\n\n'), record(TYPES.stdout)]);
    return undefined;
  });
  const app = await server(t, () => ok('app'));
  const own = { timeouts: { firstByte: '100ms' }, eject: { on: [] } };
  const { connect, logged, settled, sluice } = await line(t, app.url, auth.url, { own });
  const peer = await connect();
  const cases = [
    ['reset', 502, 'origin-closed'],
    ['half', 502, 'answer-incomplete'],
    ['status', 502, 'answer-incomplete'],
    ['cut', 502, 'answer-incomplete'],
    ['garbage', 502, 'bad-answer'],
    ['overloaded', 503, 'origin-overloaded'],
    ['silence', 504, 'answer-timeout'],
  ] as const;
  for (const [what, status] of cases) {
    mode = what;
    peer.send(post('abc', `/${what}`));
    assert.equal((await peer.answer()).status, status, what);
  }
  await auth.refuse();
  peer.send(get('/refused'));
  assert.equal((await peer.answer()).status, 502);
  assert.equal(app.requests.length, 0);
  const lines = await logged(cases.length + 1);
  assert.deepEqual(
    lines.map(({ error }) => error),
    [...cases.map(([, , code]) => code), 'connect-refused'],
  );
  assert.ok(lines.every(({ upstream }) => upstream === 'guard'));
  await settled();
  assert.equal(sluice.upstreams.get('guard')?.origins[0]?.inFlight, 0);
});

test('the next authorizer is asked when one is overloaded, and requests wait for one in the queue', async (t) => {
  const busy = await guard(t, () => ending(0, 2));
  let running = 0;
  let most = 0;
  const free = await guard(t, (_request, peer) => {
    most = Math.max(most, ++running);
    setTimeout(() => {
      running--;
      peer.send(says('Status: 200 OK'));
      peer.fin();
    }, 30);
    return undefined;
  });
  const app = await server(t, () => ok('app'));
  const { connect, logged } = await line(t, app.url, [busy.url, free.url], { own: { maxConnections: 1 } });
  const peers = await Promise.all([0, 1, 2].map(() => connect()));
  for (const peer of peers) peer.send(post('x'));
  for (const peer of peers) assert.equal((await peer.answer()).body, 'app');
  assert.equal(most, 1);
  assert.equal(free.asked.length, 3);
  await logged(3);
});

test('the body waits unread until the authorizer has spoken, and 100 Continue too', async (t) => {
  let answer: (() => void) | undefined;
  const auth = await guard(t, (_request, peer) => {
    answer = () => {
      peer.send(says('Status: 200 OK'));
      peer.fin();
    };
    return undefined;
  });
  const app = await server(t, ({ body }) => ok(String(body.length)));
  const { connect, logged } = await line(t, app.url, auth.url);
  const peer = await connect();
  peer.send(`POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 400000\r\n\r\n`);
  await eventually(() => answer !== undefined, 'the authorizer is asked');
  await peer.silence(50);
  assert.equal(app.connections.length, 0);
  answer?.();
  assert.equal((await peer.answer()).status, 100);
  peer.send('x'.repeat(400_000));
  assert.equal((await peer.answer()).body, '400000');
  const eager = await connect();
  answer = undefined;
  eager.send(post('x'.repeat(300_000)));
  await eventually(() => answer !== undefined, 'it is asked again');
  (answer as unknown as () => void)();
  assert.equal((await eager.answer()).body, '300000');
  await logged(2);
});

test('a client that leaves while the authorizer thinks: it is told, and the slot is free', async (t) => {
  let seen = '';
  const auth = await origin(t, async (peer) => {
    seen = await peer.end();
  });
  const app = await server(t, () => ok('app'));
  const { connect, sluice, logged } = await line(t, app.url, `fastcgi://127.0.0.1:${auth.port}`);
  const peer = await connect();
  peer.send(get('/'));
  await eventually(() => auth.connections.length === 1 && auth.connections[0]?.total !== 0, 'it is asked');
  peer.reset();
  await eventually(() => seen !== '', 'the authorizer hears of it');
  const [one] = await logged(1);
  assert.deepEqual([one?.upstream, one?.error], ['guard', 'client-gone']);
  assert.equal(sluice.upstreams.get('guard')?.origins[0]?.inFlight, 0);
});

test('a big refusal to a client that reads late and sends first', async (t) => {
  const auth = await guard(t, () => {
    const pieces = Array.from({ length: 40 }, () => stdout(Buffer.alloc(60_000, 0x61)));
    return Buffer.concat([stdout('Status: 403 No\n\n'), ...pieces, record(TYPES.stdout), ending()]);
  });
  const app = await server(t, () => ok('app'));
  const { connect, logged } = await line(t, app.url, auth.url);
  const peer = await connect();
  peer.send(post('x'.repeat(3_000_000)));
  const answer = await peer.answer();
  assert.deepEqual([answer.status, answer.body.length], [403, 2_400_000]);
  await logged(1);
});

test(
  'an authorizer that is a program: a yes counts when it has ended well',
  { skip: process.platform === 'win32' },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'guard');
    // Each says yes in another way, then ends badly unless it is asked for /good.
    const script = `#!/bin/sh
case "$QUERY_STRING" in
  length) printf "Content-Length: 2\\n\\nhi";;
  none) printf "Status: 204 No Content\\n\\n";;
  chunked) printf "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n";;
  no) printf "Status: 403 No\\nContent-Length: 2\\n\\nno";;
  *) printf "Content-Type: text/plain\\n\\n";;
esac
case "$REQUEST_URI" in /good*) exit 0;; /killed*) kill -9 $$;; esac
exit 1
`;
    writeFileSync(file, script, { mode: 0o755 });
    const app = await server(t, () => ok('app'));
    const { connect, settled } = await line(t, app.url, `cgi:${file}`);
    for (const [method, query] of ['close', 'length', 'none', 'chunked'].flatMap((one) => [
      ['GET', one],
      ['HEAD', one],
    ])) {
      const seen = app.requests.length;
      for (const [path, status] of [
        ['/bad', 502],
        ['/killed', 502],
        ['/good', 200],
      ] as const) {
        const peer = await connect();
        peer.send(`${method} ${path}?${query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
        assert.match(await peer.end(), new RegExp(`^HTTP/1.1 ${status} `), `${method} ${path}?${query}`);
      }
      assert.equal(app.requests.length, seen + 1);
    }
    const peer = await connect();
    peer.send(get('/bad?no'));
    const answer = await peer.answer();
    assert.deepEqual([answer.status, answer.body], [403, 'no'], 'a no is one however its script ends');
    await settled();
  },
);

test('a yes over HTTP, SCGI or uwsgi: what breaks off is none, and where only the connection ends it, it has to end well', async (t) => {
  let yes = '';
  let reset = false;
  const auth = await origin(t, async (peer) => {
    await peer.bytes(40);
    peer.send(yes);
    if (!reset) return peer.fin();
    // A moment for the answer; where the reset overtakes it, it is none either.
    await sleep(50);
    peer.reset();
  });
  const app = await server(t, () => ok('app'));
  const cases: [string, string, boolean, number][] = [
    ['http', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi', false, 502],
    ['http', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n', false, 502],
    ['http', 'HTTP/1.1 200 OK\r\nRemote-User: anna\r\n', false, 502],
    // Python's http.server answers so, and many a small one.
    ['http', 'HTTP/1.0 200 OK\r\n\r\n', false, 200],
    ['http', 'HTTP/1.1 200 OK\r\n\r\nhi', false, 200],
    ['http', 'HTTP/1.0 200 OK\r\n\r\nhi', true, 502],
    ['scgi', 'Status: 200 OK\r\n\r\nhi', false, 200],
    ['scgi', 'Status: 200 OK\r\n\r\nhi', true, 502],
    ['scgi', 'Status: 200 OK\r\nContent-Length: 5\r\n\r\nhi', false, 502],
    ['uwsgi', 'HTTP/1.1 200 OK\r\n\r\nhi', false, 200],
    ['uwsgi', 'HTTP/1.1 200 OK\r\n\r\nhi', true, 502],
  ];
  for (const scheme of ['http', 'scgi', 'uwsgi']) {
    const { connect } = await line(t, app.url, `${scheme}://127.0.0.1:${auth.port}`, { own: { eject: { on: [] } } });
    const peer = await connect();
    for (const [of, text, cut, status] of cases) {
      if (of !== scheme) continue;
      yes = text;
      reset = cut;
      peer.send(post('x'));
      assert.equal((await peer.answer()).status, status, JSON.stringify([of, text, cut]));
    }
  }
});

test('trailers that look like what an authorizer says stay behind, when a body is sent again, too', async (t) => {
  const auth = await server(t, () => ok('', 'Remote-User: anna\r\n'));
  const trailers: string[][] = [];
  const hears = async (peer: Peer): Promise<void> => {
    await peer.requestHead();
    trailers.push((await peer.chunked()).trailers);
    if (trailers.length === 1) peer.reset();
    else peer.send(ok('app'));
  };
  const apps = [await origin(t, hears), await origin(t, hears)].map(({ port }) => `http://127.0.0.1:${port}`);
  const { connect } = await line(t, apps, auth.url, { authorize: { by: 'guard', fields: ['Remote-User'] } });
  const peer = await connect();
  const forged =
    'Remote-User: root\r\nX-Sum: 1\r\nREMOTE-USER: root\r\nVariable-ROLE: root\r\nvariable-x: y\r\nX-End: 2\r\n';
  peer.send(
    `PUT / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n${forged}\r\n`,
  );
  assert.equal((await peer.answer()).body, 'app');
  const kept = ['X-Sum: 1', 'X-End: 2'];
  assert.deepEqual(trailers, [kept, kept]);
});

test('the authorizer is asked about the host that the request is for: that of an absolute target', async (t) => {
  const hosts: (string | undefined)[] = [];
  const auth = await server(t, (request) => {
    hosts.push(request.field('host'));
    return ok();
  });
  const app = await server(t, (request) => ok(request.field('host')));
  for (const authorize of ['guard', { by: 'guard', path: '/check' }]) {
    const { connect } = await line(t, app.url, auth.url, { authorize });
    const peer = await connect();
    peer.send('GET http://admin.example/x HTTP/1.1\r\nHost: public.example\r\n\r\n');
    assert.equal((await peer.answer()).body, 'admin.example');
  }
  assert.deepEqual(hosts, ['admin.example', 'admin.example']);
});
