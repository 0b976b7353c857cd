/** Local redirects of CGI-named applications (RFC 3875 §6.2.2), here over SCGI: answered inside, through the routes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { ConfigInput } from '../../src/config/index.ts';
import { type HookRequest, makeHooks } from '../../src/proxy/hooks.ts';
import { type Line, start } from '../support/line.ts';
import { eventually, get, ok, origin, type Peer, post, server } from '../support/scripted.ts';

interface Asked {
  readonly variables: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An SCGI application. */
async function application(t: TestContext, answer: (asked: Asked, peer: Peer) => string | undefined) {
  const asked: Asked[] = [];
  const made = await origin(t, async (peer) => {
    const size = Number((await peer.until(':')).slice(0, -1));
    const words = (await peer.bytes(size + 1)).slice(0, -2).split('\0');
    const variables = Object.fromEntries(words.flatMap((name, i) => (i % 2 === 0 ? [[name, words[i + 1] ?? '']] : [])));
    const one = { variables, body: await peer.bytes(Number(variables['CONTENT_LENGTH'])) };
    asked.push(one);
    const text = answer(one, peer);
    if (text === undefined) return;
    peer.send(text);
    peer.fin();
  });
  return { url: `scgi://127.0.0.1:${made.port}`, asked, connections: made.connections };
}

type Routes = NonNullable<ConfigInput['routes']>;

function line(
  t: TestContext,
  url: string,
  routes: Routes = [{ to: 'app' }],
  others: ConfigInput['upstreams'] = {},
): Promise<Line> {
  return start(t, url, { cgi: { localRedirect: true } }, { routes }, {}, others);
}

test('the path is asked for by GET, without a body, and the client sees one answer', async (t) => {
  const app = await application(t, ({ variables }) =>
    variables['PATH_INFO'] === '/old'
      ? 'Location: /new%20page?a=b\n\nthis is no body'
      : 'Content-Type: text/plain\n\nhere',
  );
  const { connect, logged, settled } = await line(t, app.url);
  const peer = await connect();
  peer.send(post('hello', '/old?x=1', 'Content-Type: text/html\r\nCookie: a=b\r\n'));
  const answer = await peer.answer();
  assert.deepEqual([answer.status, answer.body, answer.field('location')], [200, 'here', undefined]);
  const [first, second] = app.asked;
  assert.equal(first?.body, 'hello');
  assert.deepEqual(
    ['REQUEST_METHOD', 'REQUEST_URI', 'PATH_INFO', 'QUERY_STRING', 'CONTENT_LENGTH', 'CONTENT_TYPE', 'HTTP_COOKIE'].map(
      (name) => second?.variables[name],
    ),
    ['GET', '/new%20page?a=b', '/new page', 'a=b', '0', undefined, 'a=b'],
  );
  assert.equal(first?.variables['HTTP_X_REQUEST_ID'], second?.variables['HTTP_X_REQUEST_ID']);
  assert.equal(second?.variables['HTTP_X_FORWARDED_FOR'], '127.0.0.1', 'and not twice');
  peer.send('HEAD /old HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await peer.answer('head')).status, 200);
  assert.equal(app.asked.at(-1)?.variables['REQUEST_METHOD'], 'HEAD');
  peer.send(get('/then'));
  assert.equal((await peer.answer()).body, 'here', 'the connection goes on');
  const lines = await logged(3);
  assert.deepEqual(
    lines.map(({ method, target, status, attempts }) => [method, target, status, attempts]),
    [
      ['POST', '/old?x=1', 200, 2],
      ['HEAD', '/old', 200, 2],
      ['GET', '/then', 200, 1],
    ],
  );
  await settled();
});

test('through the routes again: another upstream, a fixed answer, a guard, or none', async (t) => {
  const app = await application(t, ({ variables }) => `Location: ${variables['QUERY_STRING']}\n\n`);
  const web = await server(t, ({ target }) => ok(`web ${target}`));
  const auth = await server(t, () => 'HTTP/1.1 401 No\r\nContent-Length: 5\r\n\r\nguard');
  const { connect, logged } = await line(
    t,
    app.url,
    [
      { match: { path: '/web/*' }, to: 'web' },
      { match: { path: '/fixed' }, respond: { status: 418, body: 'fixed' } },
      { match: { path: '/guarded' }, to: 'web', authorize: 'auth' },
      { match: { path: '/go' }, to: 'app' },
    ],
    { web: { origins: web.url }, auth: { origins: auth.url } },
  );
  const peer = await connect();
  const cases: [string, number, string | undefined, string | undefined][] = [
    ['/web/x?y', 200, 'web /web/x?y', 'web'],
    ['/fixed', 418, 'fixed', undefined],
    ['/guarded', 401, 'guard', 'auth'],
    ['/none', 404, undefined, undefined],
    ['/../up', 502, undefined, undefined],
    ['/web/../go/../web/z', 200, 'web /web/../go/../web/z', 'web'],
  ];
  for (const [target, status, body] of cases) {
    peer.send(get(`/go?${target}`));
    const answer = await peer.answer();
    assert.equal(answer.status, status, target);
    if (body !== undefined) assert.equal(answer.body, body);
  }
  const lines = await logged(cases.length);
  assert.deepEqual(
    lines.map(({ upstream }) => upstream),
    cases.map(([, , , upstream]) => upstream),
  );
  assert.deepEqual(
    lines.map(({ error }) => error),
    [undefined, undefined, undefined, 'no-route', 'bad-answer', undefined],
  );
});

test('what is more than a path is the client’s, and so is everything unless it is wanted', async (t) => {
  const heads = [
    'Location: http://other/x',
    'Location: //other/x',
    'Location: /x#part',
    'Location: /\\other',
    'Location: /x\nSet-Cookie: a=b',
    'Status: 302 Found\nLocation: /x',
    'Location: /x\nContent-Type: text/html',
    'Location: x',
  ];
  const app = await application(t, ({ variables }) => `${heads[Number(variables['QUERY_STRING'])]}\n\n`);
  const { connect, logged } = await line(t, app.url);
  const peer = await connect();
  for (const [i, head] of heads.entries()) {
    peer.send(get(`/?${i}`));
    assert.equal((await peer.answer()).status, 302, head);
  }
  await logged(heads.length);
  const plain = await start(t, (await application(t, () => 'Location: /x\n\n')).url);
  const other = await plain.connect();
  other.send(get('/'));
  const answer = await other.answer();
  assert.deepEqual([answer.status, answer.field('location')], [302, '/x']);
});

test('a circle ends after 8 times, with an error of its own', async (t) => {
  const app = await application(t, ({ variables }) => `Location: /${Number(variables['PATH_INFO']?.slice(1)) + 1}\n\n`);
  const { connect, logged, settled } = await line(t, app.url);
  const peer = await connect();
  peer.send(get('/1'));
  assert.equal((await peer.answer()).status, 500);
  assert.equal(app.asked.length, 9);
  const [one] = await logged(1);
  assert.deepEqual([one?.error, one?.target, one?.attempts], ['too-many-detours', '/1', 9]);
  await settled();
});

test('a detour that fails, is cut off, or loses its client is like any other request', async (t) => {
  const app = await application(t, ({ variables }, peer) => {
    switch (variables['PATH_INFO']) {
      case '/reset':
        peer.reset();
        return undefined;
      case '/half':
        return 'Content-Length: 10\n\nhalf';
      case '/wait':
        return undefined;
      default:
        return `Location: ${variables['PATH_INFO']?.replace('/to', '')}\n\n`;
    }
  });
  const { connect, logged, settled, app: upstream } = await line(t, app.url);
  const peer = await connect();
  peer.send(post('x', '/to/reset'));
  assert.equal((await peer.answer()).status, 502);
  const cut = await connect();
  cut.send(get('/to/half'));
  await cut.until('half');
  await eventually(() => cut.ending !== 'open', 'the client is cut off');
  const gone = await connect();
  gone.send(get('/to/wait'));
  await eventually(() => app.asked.some(({ variables }) => variables['PATH_INFO'] === '/wait'), 'it is asked');
  gone.reset();
  await settled();
  assert.equal(upstream.origins[0]?.inFlight, 0);
  const lines = await logged(3);
  assert.deepEqual(lines.map(({ error, target }) => `${target} ${error}`).toSorted(), [
    '/to/half answer-incomplete',
    '/to/reset origin-closed',
    '/to/wait client-gone',
  ]);
});

test('hooks hear of each target, and may refuse it', async (t) => {
  const app = await application(t, ({ variables }) =>
    variables['PATH_INFO'] === '/open' ? 'Location: /secret\n\n' : 'A: b\n\nsecret',
  );
  const seen: string[] = [];
  const hooks = makeHooks({
    async onRequest({ path }) {
      seen.push(path);
      await Promise.resolve();
      return path === '/secret' ? { status: 403, body: 'no' } : undefined;
    },
  });
  const { connect, logged } = await start(t, app.url, { cgi: { localRedirect: true } }, {}, { hooks });
  const peer = await connect();
  peer.send(get('/open'));
  const answer = await peer.answer();
  assert.deepEqual([answer.status, answer.body], [403, 'no']);
  assert.deepEqual(seen, ['/open', '/secret']);
  await logged(1);
});

test('CGI programs: inside, without being asked to', { skip: process.platform === 'win32' }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'program');
  const body =
    'case "$PATH_INFO" in /old) printf "Location: /new\\n\\n";; *) printf "Content-Type: a/b\\n\\n$PATH_INFO";; esac';
  writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  const ask = async (cgi: object): Promise<readonly [number, string, string | undefined]> => {
    const peer = await (await start(t, `cgi:${file}`, { cgi })).connect();
    peer.send(get('/old'));
    const answer = await peer.answer();
    return [answer.status, answer.body, answer.field('location')];
  };
  assert.deepEqual(await ask({}), [200, '/new', undefined]);
  assert.deepEqual(await ask({ localRedirect: false }), [302, '', '/new']);
});

test('it stays with the host that the request was for: that of an absolute target', async (t) => {
  const app = await application(t, () => 'Location: /new\n\n');
  const here = await server(t, () => ok('here'));
  const there = await server(t, () => ok('there'));
  const { connect } = await line(
    t,
    app.url,
    [
      { match: { path: '/old' }, to: 'app' },
      { match: { host: 'a.example' }, to: 'here' },
      { match: { host: 'b.example' }, to: 'there' },
    ],
    { here: { origins: here.url }, there: { origins: there.url } },
  );
  const peer = await connect();
  peer.send('GET http://a.example/old HTTP/1.1\r\nHost: b.example\r\n\r\n');
  assert.equal((await peer.answer()).body, 'here');
});

describe('the site is the one that the client has asked', () => {
  const SITES: Routes = [
    { match: { path: '/old' }, to: 'app' },
    { match: { host: 'a.example' }, to: 'here' },
    { match: { host: 'b.example' }, to: 'there' },
    { to: 'other' },
  ];

  /** Three sites, each of which says who it is and what Host it has seen. */
  async function sites(t: TestContext): Promise<NonNullable<ConfigInput['upstreams']>> {
    const made = ['here', 'there', 'other'].map(
      async (name) =>
        [name, { origins: (await server(t, (asked) => ok(`${name} ${asked.field('host')}`))).url }] as const,
    );
    return Object.fromEntries(await Promise.all(made));
  }

  const REQUESTS: [string, string][] = [
    ['GET /old HTTP/1.1\r\nHost: A.example\r\n\r\n', 'here a.example'],
    ['GET http://a.example/old HTTP/1.1\r\nHost: b.example\r\n\r\n', 'here a.example'],
    ['GET /old HTTP/1.0\r\n\r\n', 'other'],
  ];

  for (const [name, change] of Object.entries<(request: HookRequest) => void>({
    sets: ({ headers }) => headers.set('Host', 'b.example'),
    'leaves out': ({ headers }) => headers.delete('Host'),
  })) {
    test(`whatever Host a hook ${name}`, async (t) => {
      const app = await application(t, () => 'Location: /new\n\n');
      const seen: string[] = [];
      const hooks = makeHooks({
        onRequest(request) {
          seen.push(request.host);
          if (request.path === '/old') change(request);
        },
      });
      const upstream = { cgi: { localRedirect: true } };
      const { connect } = await start(t, app.url, upstream, { routes: SITES }, { hooks }, await sites(t));
      for (const [request, answer] of REQUESTS) {
        const peer = await connect();
        peer.send(request);
        assert.match((await peer.answer()).body, new RegExp(`^${answer}`));
      }
      assert.deepEqual(seen, ['a.example', 'a.example', 'a.example', 'a.example', '', '']);
      if (name === 'sets') assert.equal(app.asked[0]?.variables['HTTP_HOST'], 'b.example', 'the application sees it');
    });
  }

  test('whatever Host another origin was sent before', async (t) => {
    const broken = await origin(t, async (peer) => {
      await peer.request();
      peer.reset();
    });
    const app = await application(t, () => 'Location: /new\n\n');
    const { connect, logged } = await start(
      t,
      [`http://127.0.0.1:${broken.port}`, app.url],
      { cgi: { localRedirect: true }, host: 'b.example', balance: 'first', eject: { on: [] } },
      { routes: SITES },
      {},
      await sites(t),
    );
    for (const [request, answer] of REQUESTS) {
      const peer = await connect();
      peer.send(request);
      assert.match((await peer.answer()).body, new RegExp(`^${answer}`));
    }
    assert.equal(broken.connections.length, 3);
    const lines = await logged(3);
    assert.deepEqual(
      lines.map(({ host }) => host),
      ['a.example', 'a.example', undefined],
    );
  });
});
