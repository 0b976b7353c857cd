/** PHP behind a real sluice, over FastCGI: php-fpm on a unix socket and on a port, and php-cgi. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { skipUnless } from '../support/peer.ts';
import { ask } from '../support/program.ts';
import type { Application } from './applications.ts';
import { exercise } from './exercise.ts';
import { type Php, phpCgi, phpFpm, site } from './php.ts';
import { residentBytes, type SluiceProcess, startSluice, until } from './stage.ts';

const KINDS: Readonly<Record<string, (t: TestContext) => Promise<Php> | undefined>> = {
  'php-fpm on a unix socket': (t) => fpm(t, 'unix'),
  'php-fpm on a port': (t) => fpm(t, 'tcp'),
  'php-cgi': (t) => {
    const program = skipUnless(t, 'php-cgi');
    return program === undefined ? undefined : phpCgi(t, program);
  },
};

function fpm(t: TestContext, where: 'unix' | 'tcp', children = 2): Promise<Php> | undefined {
  const program = skipUnless(t, 'php-fpm');
  return program === undefined ? undefined : phpFpm(t, program, where, children);
}

interface Got {
  readonly status: number;
  readonly body: Buffer;
  readonly raw: readonly string[];
}

/** Sends a body, whole or in chunks, and takes the answer's bytes. */
function send(url: string, method: string, body: Buffer | null, headers: Record<string, string> = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const out = request(url, { method, headers, agent: false });
    out.on('error', reject);
    out.on('response', (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(pieces), raw: answer.rawHeaders }),
      );
    });
    out.end(body ?? undefined);
  });
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function before(t: TestContext, php: Php, more: object = {}): Promise<SluiceProcess> {
  return startSluice(t, { upstreams: { php: { origins: php.url, cgi: php.cgi, ...more } } });
}

for (const [name, begin] of Object.entries(KINDS)) {
  for (const keepConnection of [false, true]) {
    test(`${name}${keepConnection ? ', connections kept' : ''}: requests and answers of every kind`, async (t) => {
      const php = await begin(t);
      if (php === undefined) return;
      const { url, errors, failures } = await before(t, php, { fastcgi: { keepConnection } });
      const app = `${url}/app.php`;

      assert.deepEqual((await ask(`${url}/`)).body, 'hello', 'the index');
      const head = await ask(`${app}?do=length`, { method: 'HEAD' });
      assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '5', '']);

      const vars = await ask(`${app}/a%20b/c?do=vars&x=%2F`, {
        headers: { 'X-Rep': 'one', X_Rep: 'forged', Proxy: 'http://evil', Authorization: 'Basic eDp5' },
      });
      const server = JSON.parse(vars.body) as Record<string, string>;
      assert.deepEqual(
        [
          'SCRIPT_NAME',
          'PATH_INFO',
          'SCRIPT_FILENAME',
          'QUERY_STRING',
          'REQUEST_URI',
          'HTTP_X_REP',
          'PHP_AUTH_USER',
        ].map((key) => server[key]),
        [
          '/app.php',
          '/a b/c',
          `${php.cgi.root}/app.php`,
          'do=vars&x=%2F',
          '/app.php/a%20b/c?do=vars&x=%2F',
          'one',
          'x',
        ],
      );
      assert.equal('HTTP_PROXY' in server, false);
      assert.deepEqual([server['REMOTE_ADDR'], server['REQUEST_METHOD']], ['127.0.0.1', 'GET']);

      const bytes = randomBytes(10 * 1024 * 1024);
      const post = await send(`${app}?do=echo`, 'POST', bytes, { 'Content-Length': String(bytes.length) });
      assert.deepEqual([post.status, post.body.length, digest(post.body)], [200, bytes.length, digest(bytes)]);
      const part = bytes.subarray(0, 700_000);
      const chunked = await send(`${app}?do=echo`, 'POST', part, { 'Transfer-Encoding': 'chunked' });
      assert.deepEqual([chunked.status, digest(chunked.body)], [200, digest(part)]);

      const odd = await send(`${app}?do=headers`, 'GET', null);
      assert.equal(odd.status, 203);
      const values = (key: string): string[] =>
        odd.raw.filter((_, i) => i % 2 === 1 && odd.raw[i - 1]?.toLowerCase() === key);
      assert.deepEqual(values('x-rep'), ['one', 'two']);
      assert.equal(values('set-cookie').length, 2);
      assert.deepEqual(values('x-odd_~name!'), ['caf\u00e9']);

      const redirect = await ask(`${app}?do=location`);
      assert.deepEqual([redirect.status, redirect.headers['location']], [302, '/elsewhere']);
      assert.equal((await ask(`${app}?do=exit`)).status, 200);
      assert.equal((await ask(`${app}?do=fatal`)).status, 500);
      assert.equal((await ask(`${url}/missing.php`)).status, 404);
      assert.equal((await ask(`${url}/picture.jpg`)).status, 404);
      assert.equal((await ask(`${app}?do=warn`)).body, 'warned');
      assert.match(errors(), /warn origin-says php \S+ \S+: .*deliberate warning/);
      assert.match(errors(), /deliberate(?! warning)/);
      await until('the log', () => failures().length > 0);
      assert.deepEqual(
        failures().map(({ error }) => error),
        ['no-script'],
      );
    });
  }
}

for (const name of ['php-fpm', 'php-cgi'] as const) {
  test(`${name}: what every application is asked`, async (t) => {
    const program = skipUnless(t, name);
    if (program === undefined) return;
    const root = site(t);
    const launch = async (which: string): Promise<Application> => {
      const setting = `test.name=${which}`;
      const php = await (name === 'php-fpm'
        ? phpFpm(t, program, 'unix', 2, setting, root)
        : phpCgi(t, program, setting, root));
      let over = (): void => {};
      const ended = new Promise<void>((resolve) => (over = resolve));
      const signal = (): void => void php.kill().then(over);
      return { url: php.url, process: { pid: 0, output: () => '', ended, signal } };
    };
    await exercise(t, '/exercise.php', launch, { cgi: { root, split: ['.php'] } });
  });
}

test('php-fpm: an answer before the end of the upload', async (t) => {
  const php = await fpm(t, 'unix');
  if (php === undefined) return;
  const { url } = await before(t, php);
  const bytes = Buffer.alloc(5 * 1024 * 1024, 0x61);
  const early = await send(`${url}/app.php?do=early`, 'POST', bytes, { 'Content-Length': String(bytes.length) });
  assert.deepEqual([early.status, early.body.toString()], [413, 'no']);
  assert.equal((await ask(`${url}/app.php`)).body, 'hello');
});

test('php-fpm: a big answer to a slow reader stays in the application, not in memory', async (t) => {
  const php = await fpm(t, 'unix');
  if (php === undefined) return;
  const sluice = await before(t, php);
  // 192 MiB.
  const pieces = 3072;
  const socket = connect(sluice.port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.write(`GET /app.php?do=big&n=${pieces} HTTP/1.0\r\n\r\n`);
  socket.pause();
  await sleep(300);
  const begun = residentBytes(sluice.pid);
  await sleep(1000);
  let most = residentBytes(sluice.pid);
  let bytes = 0;
  const sizes = setInterval(() => (most = Math.max(most, residentBytes(sluice.pid))), 20);
  const hash = createHash('sha256');
  let headEnd = -1;
  let text = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    let body = chunk;
    if (headEnd < 0) {
      text = Buffer.concat([text, chunk]);
      headEnd = text.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      body = text.subarray(headEnd + 4);
    }
    bytes += body.length;
    hash.update(body);
  });
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(sizes);
  const wanted = createHash('sha256');
  for (let i = 0; i < pieces; i++) wanted.update(Buffer.alloc(65_536, 97 + (i % 26)));
  assert.equal(bytes, pieces * 65_536);
  assert.equal(hash.digest('hex'), wanted.digest('hex'));
  assert.ok(most - begun < 60 * 1024 * 1024, `grew from ${begun} to ${most} bytes`);
});

test('php-fpm: a worker dies in the middle of an answer, and the next request finds another', async (t) => {
  const php = await fpm(t, 'unix');
  if (php === undefined) return;
  const { url, failures } = await before(t, php);
  const cut = await new Promise<{ status: number; complete: boolean }>((resolve, reject) => {
    const out = request(`${url}/app.php?do=pid&us=20000000`, { agent: false });
    out.on('error', reject);
    out.on('response', (answer) => {
      // The worker of this test's php-fpm, as it says itself.
      answer.once('data', (chunk: Buffer) => process.kill(Number(chunk.toString()), 'SIGKILL'));
      answer.on('error', () => {});
      answer.on('close', () => resolve({ status: answer.statusCode ?? 0, complete: answer.complete }));
    });
    out.end();
  });
  assert.deepEqual(cut, { status: 200, complete: false });
  assert.equal((await ask(`${url}/app.php`)).body, 'hello');
  await until('the log', () => failures().length === 1);
  assert.equal(failures()[0]?.error, 'answer-incomplete');
});

test('php-fpm: balanced over two, and one is killed', async (t) => {
  const first = await fpm(t, 'tcp');
  if (first === undefined) return;
  const second = (await fpm(t, 'unix')) as Php;
  const { url, failures, access } = await startSluice(t, {
    upstreams: {
      php: {
        origins: [first.url, second.url],
        // Each has its own folder: what is the same for both is the name of the script.
        cgi: { ...second.cgi, env: {} },
        balance: 'round-robin',
      },
    },
  });
  // The first one runs with the second's files: both can read them.
  for (let i = 0; i < 10; i++) assert.equal((await ask(`${url}/app.php`)).body, 'hello');
  await until('the log', () => access().length === 10);
  assert.equal(new Set(access().map(({ origin }) => origin)).size, 2);
  await first.kill();
  for (let i = 0; i < 20; i++) assert.equal((await ask(`${url}/app.php`)).body, 'hello', `request ${i}`);
  assert.deepEqual(failures(), []);
});

test('php-fpm with its own defaults does not run an uploaded picture', async (t) => {
  const php = await fpm(t, 'unix');
  if (php === undefined) return;
  const { url } = await before(t, php);
  for (const path of ['/evil.jpg', '/evil.jpg/x.php', '/evil.jpg%00.php', '/evil.jpg/.php', '/evil.jpg%0a.php']) {
    const { status, body } = await ask(`${url}${path}`);
    assert.ok(status >= 400 && !body.includes('executed'), `${path}: ${status} ${body}`);
  }
});

test('without fix_pathinfo the script is the one that sluice names, whatever follows it', async (t) => {
  const program = skipUnless(t, 'php-cgi');
  if (program === undefined) return;
  const php = await phpCgi(t, program, 'cgi.fix_pathinfo=0');
  const { url } = await before(t, php);
  const vars = JSON.parse((await ask(`${url}/app.php/evil.jpg?do=vars`)).body) as Record<string, string>;
  assert.deepEqual([vars['SCRIPT_FILENAME'], vars['PATH_INFO']], [`${php.cgi.root}/app.php`, '/evil.jpg']);
  for (const path of ['/evil.jpg', '/evil.jpg/x.php', '/app.php/evil.jpg', '/index.php/evil.jpg']) {
    const { body } = await ask(`${url}${path}`);
    assert.doesNotMatch(body, /executed/, path);
  }
});

test('php-fpm as an authorizer, and a local redirect of PHP', async (t) => {
  const php = await fpm(t, 'unix', 3);
  if (php === undefined) return;
  const { root } = php.cgi;
  const script = (name: string, text: string): void =>
    writeFileSync(join(root, name), `<?php ${text}`, { mode: 0o644 });
  script(
    'auth.php',
    `if (($_SERVER['PHP_AUTH_PW'] ?? '') !== 'secret') { http_response_code(401); header('WWW-Authenticate: Basic realm="x"'); exit('who?'); }
     header('Variable-REMOTE_USER: ' . $_SERVER['PHP_AUTH_USER']); header('Variable-ROLE: ' . $_SERVER['FCGI_ROLE']);`,
  );
  // PHP adds a type to everything unless it is told not to.
  script(
    'moved.php',
    `ini_set('default_mimetype', ''); header_remove('X-Powered-By'); http_response_code(200); header('Location: /app.php?do=length', true, 200);`,
  );
  const sluice = await startSluice(t, {
    upstreams: {
      php: { origins: php.url, cgi: { ...php.cgi, localRedirect: true } },
      auth: { origins: php.url, cgi: { env: { SCRIPT_FILENAME: `${root}/auth.php` } } },
    },
    routes: [
      { match: { path: '/moved.php' }, to: 'php' },
      { to: 'php', authorize: 'auth' },
    ],
  });
  const app = `${sluice.url}/app.php?do=vars`;
  const refused = await ask(app, { headers: { 'Variable-REMOTE-USER': 'root', REMOTE_USER: 'root' } });
  assert.deepEqual(
    [refused.status, refused.body, refused.headers['www-authenticate']],
    [401, 'who?', 'Basic realm="x"'],
  );
  const headers = { Authorization: `Basic ${Buffer.from('anna:secret').toString('base64')}` };
  const vars = JSON.parse((await ask(app, { headers })).body) as Record<string, string>;
  assert.deepEqual([vars['REMOTE_USER'], vars['ROLE'], vars['SCRIPT_NAME']], ['anna', 'AUTHORIZER', '/app.php']);
  const bytes = randomBytes(3 * 1024 * 1024);
  const post = await send(`${sluice.url}/app.php?do=echo`, 'POST', bytes, {
    ...headers,
    'Content-Length': String(bytes.length),
  });
  assert.equal(digest(post.body), digest(bytes));
  const chunked = await send(`${sluice.url}/app.php?do=echo`, 'POST', bytes, {
    ...headers,
    'Transfer-Encoding': 'chunked',
  });
  assert.equal(digest(chunked.body), digest(bytes));
  const moved = await ask(`${sluice.url}/moved.php`, { headers });
  assert.deepEqual([moved.status, moved.body, moved.headers['location']], [200, 'hello', undefined]);
  assert.equal(
    (await ask(`${sluice.url}/moved.php`)).status,
    401,
    'a detour goes by the routes, and so by the authorizer',
  );
  assert.deepEqual(sluice.failures(), []);
});

test('a TCP check finds php-fpm', async (t) => {
  const php = await fpm(t, 'unix');
  if (php === undefined) return;
  const { url } = await before(t, php, { check: 'tcp' });
  assert.equal((await ask(`${url}/app.php`)).body, 'hello');
});

test('a FastCGI check: the ping of php-fpm, a script, and what is not there', async (t) => {
  const php = await fpm(t, 'unix');
  if (php === undefined) return;
  const fast = { interval: '100ms', rise: 1, fall: 1, first: 'block' };
  const upstream = (check: object): object => ({
    origins: php.url,
    cgi: php.cgi,
    check: { type: 'fastcgi', ...fast, ...check },
  });
  const script = `${php.cgi.root}/app.php`;
  const { url, errors } = await startSluice(t, {
    upstreams: {
      ping: upstream({ path: '/fpm-ping', body: '/^pong$/' }),
      script: upstream({ path: '/app.php?do=length', script, body: 'hello' }),
      missing: { ...upstream({ path: '/no-ping' }), queue: { timeout: '1ms' } },
    },
    routes: [
      { match: { host: 'script.test' }, to: 'script' },
      { match: { host: 'missing.test' }, to: 'missing' },
      { match: {}, to: 'ping' },
    ],
  } as never);
  await until('all are checked', () => errors().includes('missing '));
  assert.equal((await ask(`${url}/app.php`)).body, 'hello');
  assert.equal((await ask(`${url}/app.php`, { headers: { Host: 'script.test' } })).body, 'hello');
  assert.equal((await ask(`${url}/app.php`, { headers: { Host: 'missing.test' } })).status, 504);
  assert.match(errors(), /missing .*status 404, expected 200-399/);
  assert.doesNotMatch(errors(), /origin-down (?:ping|script)/);
  await php.kill();
  await until('its end is noticed', () => /origin-down ping .*check failed: cannot connect/.test(errors()));
});
