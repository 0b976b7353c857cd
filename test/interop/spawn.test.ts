/** Applications in four languages that sluice starts itself, and is asked for. */
import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { SpawnInput } from '../../src/spawn/children/options.ts';
import { skipUnless } from '../support/peer.ts';
import { ask } from './applications.ts';
import {
  type Asked,
  bigAnswer,
  deathInTheMiddle,
  earlyAndError,
  getAndHead,
  oddFields,
  oneAtATime,
  uploads,
  whoAsks,
} from './exercise.ts';
import { folder, startSluice, type SluiceProcess, until } from './stage.ts';

const servers = fileURLToPath(new URL('servers/', import.meta.url));

interface Kind {
  readonly program: string;
  spawn(program: string, t: TestContext): SpawnInput;
  /** Over HTTP it understands no chunked body. */
  readonly lengthsOnly?: boolean;
  /** What it needs beside that. */
  readonly own?: object;
}

const uwsgi = (program: string, ...args: string[]): SpawnInput => ({
  command: program,
  args: ['--plugin', 'python3', '--master', '--die-on-term', '--processes', '2', '--wsgi-file', 'app.py', ...args],
  cwd: servers,
});

/** wsgiref hands on the connection as it is, without its end. */
const WSGIREF = `
import app, io, os
from wsgiref.simple_server import make_server
def application(env, start):
    env['wsgi.input'] = io.BytesIO(env['wsgi.input'].read(int(env.get('CONTENT_LENGTH') or 0)))
    return app.application(env, start)
make_server('127.0.0.1', int(os.environ['PORT']), application).serve_forever()
`;

const KINDS: Readonly<Record<string, Kind>> = {
  'a Node application on PORT': {
    program: 'node',
    spawn: () => ({ command: process.execPath, args: [join(servers, 'app.cjs')], ready: { line: 'listening' } }),
  },
  'a Ruby application on PORT': {
    program: 'ruby',
    spawn: (command) => ({ command, args: [join(servers, 'app.rb')], ready: { http: '/' } }),
  },
  'a Python application on PORT (wsgiref)': {
    program: 'python3',
    spawn: (command) => ({
      command,
      args: ['-c', WSGIREF],
      cwd: servers,
      env: { PYTHONDONTWRITEBYTECODE: '1' },
    }),
    // Its server closes each connection, and does so without a word; and it leaves chunks in the body.
    lengthsOnly: true,
    own: { keepAlive: { idle: 0 } },
  },
  'gunicorn, with the socket in the way of systemd': {
    program: 'gunicorn',
    spawn: (command) => ({ command, args: ['--workers', '2', 'app:application'], cwd: servers, listen: 'systemd' }),
  },
  'gunicorn on a unix socket that it is told': {
    program: 'gunicorn',
    spawn: (command) => ({
      command,
      args: ['--workers', '2', '--bind', 'unix:{socket}', 'app:application'],
      cwd: servers,
      listen: 'socket',
    }),
  },
  'uWSGI by uwsgi, the socket as standard input': {
    program: 'uwsgi',
    spawn: (program) => ({ ...uwsgi(program, '--uwsgi-socket', 'fd://0'), listen: 'fd0', protocol: 'uwsgi' }),
  },
  'uWSGI by SCGI on a unix socket that it is told': {
    program: 'uwsgi',
    spawn: (program) => ({ ...uwsgi(program, '--scgi-socket', '{socket}'), listen: 'socket', protocol: 'scgi' }),
  },
};

/** Pids of the children that the log has told of, with this code. */
function pids(sluice: SluiceProcess, code: string): number[] {
  return [...sluice.errors().matchAll(new RegExp(` ${code} \\S+ \\S+ \\(pid (\\d+)\\)`, 'g'))].map(([, pid]) =>
    Number(pid),
  );
}

function isThere(group: number): boolean {
  try {
    return process.kill(-group, 0);
  } catch {
    return false;
  }
}

for (const [name, kind] of Object.entries(KINDS)) {
  test(`${name}${kind.lengthsOnly === true ? ', which reads no chunked bodies' : ''}`, async (t) => {
    const program = skipUnless(t, kind.program);
    if (program === undefined) return;
    const spawn = kind.spawn(program, t);
    const named = { ...spawn, env: { ...spawn.env, NAME: 'spawned' } };
    const timeouts = { firstByte: '30s' };
    const upstreams = {
      pair: { origins: { spawn: { ...named, instances: { min: 2 } } }, timeouts, ...kind.own },
      narrow: {
        origins: { maxConnections: 1, spawn: { ...named, instances: { min: 0, max: 1 } } },
        timeouts,
        ...kind.own,
      },
    };
    const routes = [{ match: { host: 'narrow.test' }, to: 'narrow' }, { to: 'pair' }];
    const sluice = await startSluice(t, { upstreams, routes });
    const asked: Asked = { t, sluice, path: '/', name: 'spawned', chunks: kind.lengthsOnly !== true };

    await t.test('GET and HEAD', () => getAndHead(asked));
    await t.test('fields of requests', async () => {
      // On a unix socket there is no address; in HTTP it is sluice's.
      assert.match((await whoAsks(asked))[0] ?? '', /^(?:127\.0\.0\.1)?$/);
    });
    await t.test('fields of answers, repeated and odd', () => oddFields(asked));
    await t.test('10 MiB with a length, and in chunks', () => uploads(asked));
    await t.test('an early answer, and an error', () => earlyAndError(asked));
    await t.test('a big answer, and a reader who is slow', () => bigAnswer(asked));
    // The first of these starts the child, the second waits for the first.
    await t.test('two at once where one is allowed', () => oneAtATime(asked, 'narrow.test'));

    await until('all are ready', () => pids(sluice, 'child-ready').length === 3);
    const first = pids(sluice, 'child-ready');
    const [victim = 0] = first;
    assert.ok(victim > 1);
    process.kill(victim, 'SIGKILL');
    for (let i = 0; i < 20; i++) assert.equal((await ask(sluice.url)).status, 200);
    await until('its successor', () => pids(sluice, 'child-ready').length === 4);
    assert.deepEqual(pids(sluice, 'child-crashed'), [victim]);
    await until('what it had started has gone as well', () => !isThere(victim));

    await t.test('death in the middle, and somebody else for those who come then', async () => {
      await deathInTheMiddle(asked, 'narrow.test');
      const next = await ask(sluice.url, 'GET', null, { Host: 'narrow.test' });
      assert.deepEqual([next.status, next.body.toString()], [200, 'spawned']);
    });

    sluice.signal('SIGTERM');
    await sluice.ended;
    for (const pid of pids(sluice, 'child-ready')) assert.equal(isThere(pid), false, `${pid} is left`);
    assert.deepEqual(pids(sluice, 'child-killed'), [], 'all of them obeyed TERM');
  });
}

test('php-cgi, the socket as standard input, one request at a time and as many processes as are needed', async (t) => {
  const program = skipUnless(t, 'php-cgi');
  if (program === undefined) return;
  const root = folder(t);
  chmodSync(root, 0o755);
  copyFileSync(join(servers, 'app.php'), join(root, 'app.php'));
  const isRoot = process.getuid?.() === 0;
  const spawn = {
    command: program,
    args: ['-n', '-d', 'post_max_size=0'],
    env: { PHP_FCGI_CHILDREN: '0', PHP_FCGI_MAX_REQUESTS: '0' },
    listen: 'fd0' as const,
    protocol: 'fastcgi',
    instances: { min: 0, max: 3 },
    maxRequests: 20,
    ...(isRoot ? { user: 'nobody' } : {}),
  };
  const sluice = await startSluice(t, {
    upstreams: { php: { origins: { maxConnections: 1, spawn }, cgi: { root, split: ['.php'] } } },
  });
  const url = `${sluice.url}/app.php`;
  const body = randomFillSync(Buffer.alloc(10 * 1_048_576));
  for (const framing of [{ 'Content-Length': String(body.length) }, { 'Transfer-Encoding': 'chunked' }]) {
    const got = await ask(`${url}?do=echo`, 'POST', body, framing);
    assert.equal(got.status, 200);
    assert.ok(got.body.equals(body));
  }
  const busy = await Promise.all(Array.from({ length: 60 }, () => ask(`${url}?do=pid&us=20000`)));
  assert.deepEqual([...new Set(busy.map(({ status }) => status))], [200]);
  const seen = new Set(busy.map((one) => one.body.toString().split('\n')[0]));
  assert.ok(seen.size >= 2, 'those who waited got more of them');
  await until('some were replaced after 20 requests', () => pids(sluice, 'child-ready').length > 3);
  assert.equal((await ask(url)).body.toString(), 'hello');
  assert.deepEqual(pids(sluice, 'child-crashed'), []);
  sluice.signal('SIGTERM');
  await sluice.ended;
  for (const pid of pids(sluice, 'child-ready')) assert.equal(isThere(pid), false);
});
