/** Applications that do what the query says (servers/app.py, servers/app.jsp), and what each of them is asked through sluice. */
import assert from 'node:assert/strict';
import { createHash, randomFillSync } from 'node:crypto';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type AccessLine,
  address,
  folder,
  listening,
  residentBytes,
  type Running,
  start,
  startSluice,
  until,
} from './stage.ts';

const servers = fileURLToPath(new URL('servers/', import.meta.url));

export interface Application {
  /** As an origin. */
  readonly url: string;
  readonly process: Running;
}

/** The options of an upstream that its applications need. */
type Own = Record<string, unknown>;

/** uWSGI with two workers and a Python application, by one of its protocols. */
export async function uwsgi(
  t: TestContext,
  program: string,
  mode: 'uwsgi' | 'scgi' | 'http',
  name = 'hello',
): Promise<Application> {
  const at = await address();
  const where = `${at.host}:${at.port}`;
  const process = start(t, program, [
    ...[
      '--plugin',
      'python3',
      '--master',
      '--no-orphans',
      '--die-on-term',
      '--processes',
      '2',
      '--buffer-size',
      '32768',
    ],
    ...['--env', `NAME=${name}`, '--wsgi-file', join(servers, 'app.py')],
    ...(mode === 'uwsgi'
      ? ['--uwsgi-socket', where]
      : mode === 'scgi'
        ? ['--scgi-socket', where]
        : ['--http-socket', where]),
  ]);
  t.after(async () => {
    // Its workers end with the master, but not when that is killed at once.
    process.signal('SIGTERM');
    await process.ended;
  });
  await listening(at, process);
  await until('a worker', () => process.output().includes('spawned uWSGI worker 2'));
  return { url: `${mode}://${where}`, process };
}

/** Debian's Tomcat in a folder of the test's own, with an AJP connector that wants a secret. */
export async function tomcat(t: TestContext, java: string, name = 'hello'): Promise<Application> {
  const at = await address();
  const base = folder(t);
  for (const part of ['conf', 'logs', 'temp', 'work', 'webapps/ROOT']) mkdirSync(join(base, part), { recursive: true });
  copyFileSync('/etc/tomcat10/web.xml', join(base, 'conf/web.xml'));
  copyFileSync(join(servers, 'app.jsp'), join(base, 'webapps/ROOT/app.jsp'));
  writeFileSync(
    join(base, 'conf/server.xml'),
    `<Server port="-1"><Service name="Catalina">
       <Connector protocol="AJP/1.3" address="${at.host}" port="${at.port}" secret="s3cret" />
       <Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps" /></Engine>
     </Service></Server>`,
  );
  const home = '/usr/share/tomcat10';
  const jars = ['bootstrap', 'tomcat-juli'].map((jar) => `${home}/bin/${jar}.jar`).join(':');
  const process = start(t, java, [
    ...['-Xmx256m', '-XX:TieredStopAtLevel=1', `-Dname=${name}`, `-Dcatalina.home=${home}`, `-Dcatalina.base=${base}`],
    ...[`-Djava.io.tmpdir=${join(base, 'temp')}`, '-cp', jars, 'org.apache.catalina.startup.Bootstrap', 'start'],
  ]);
  await until('Tomcat', () => /Server startup in/.test(process.output()), 120_000);
  return { url: `ajp://${at.host}:${at.port}`, process };
}

export interface Got {
  readonly status: number;
  readonly message: string;
  readonly fields: readonly string[];
  readonly body: Buffer;
  /** The answer was cut off. */
  readonly cut: boolean;
}

/** Asks, with a body whole or in chunks. */
export function ask(
  url: string,
  method = 'GET',
  body: Buffer | null = null,
  headers: Record<string, string | string[]> = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const out = request(url, { method, headers, agent: false });
    out.on('error', reject);
    out.on('response', (answer) => {
      out.off('error', reject);
      out.on('error', () => {});
      const pieces: Buffer[] = [];
      const done = (cut: boolean): void =>
        resolve({
          status: answer.statusCode ?? 0,
          message: answer.statusMessage ?? '',
          fields: answer.rawHeaders,
          body: Buffer.concat(pieces),
          cut,
        });
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('error', () => done(true));
      answer.on('end', () => done(false));
    });
    if (body === null) out.end();
    else {
      for (let at = 0; at < body.length; at += 50_000) out.write(body.subarray(at, at + 50_000));
      out.end();
    }
  });
}

/**
 * Everything a pair of equal applications is asked.
 *
 * @param path leads to the application
 * @param chunks it can read a chunked body, or gets none
 */
export async function exercise(
  t: TestContext,
  path: string,
  launch: (name: string) => Promise<Application>,
  own: Own,
  chunks = true,
): Promise<void> {
  const [one, two] = await Promise.all([launch('one'), launch('two')]);
  const timeouts = { firstByte: '30s' };
  const sluice = await startSluice(t, {
    upstreams: {
      one: { origins: one.url, timeouts, ...own },
      narrow: { origins: { url: one.url, maxConnections: 1 }, timeouts, ...own },
      both: { origins: [one.url, two.url], balance: 'round-robin', timeouts, ...own },
    },
    routes: [
      { match: { host: 'both.test' }, to: 'both' },
      { match: { host: 'narrow.test' }, to: 'narrow' },
      { match: {}, to: 'one' },
    ],
  });
  const app = `${sluice.url}${path}`;
  const body = randomFillSync(Buffer.alloc(10 * 1_048_576));
  const sum = `${body.length} ${createHash('sha256').update(body).digest('hex')}`;

  await t.test('GET and HEAD', async () => {
    // Twice: the second one may meet a connection that was kept.
    for (let i = 0; i < 2; i++) {
      const got = await ask(app);
      assert.deepEqual([got.status, got.body.toString()], [200, 'one']);
    }
    const head = await ask(app, 'HEAD');
    assert.deepEqual([head.status, head.body.length], [200, 0]);
    assert.equal(valuesOf(head, 'content-length')[0], '3');
  });

  await t.test('who asks, for what', async () => {
    const got = await ask(`${app}?do=who`, 'GET', null, {
      Host: 'named.example:8000',
      'X-Twice': ['a', 'b'],
      Cookie: 'c=d; e=f',
    });
    assert.deepEqual(got.body.toString().split('\n'), [
      ...['GET', path, '127.0.0.1', 'named.example:8000', 'a, b', 'c=d; e=f', 'http'],
    ]);
  });

  await t.test('10 MiB with a length, and in chunks', async () => {
    const whole = await ask(`${app}?do=sum`, 'POST', body, { 'Content-Length': String(body.length) });
    assert.equal(whole.body.toString(), sum);
    if (chunks) {
      const chunked = await ask(`${app}?do=sum`, 'POST', body, { 'Transfer-Encoding': 'chunked' });
      assert.equal(chunked.body.toString(), sum);
      const none = await ask(`${app}?do=sum`, 'POST', Buffer.alloc(0), { 'Transfer-Encoding': 'chunked' });
      assert.match(none.body.toString(), /^0 e3b0c442/);
    }
    const waited = await ask(`${app}?do=sum`, 'POST', body.subarray(0, 100_000), {
      Expect: '100-continue',
      'Content-Length': '100000',
    });
    assert.match(waited.body.toString(), /^100000 /);
  });

  await t.test('fields repeated and odd', async () => {
    const got = await ask(`${app}?do=fields`);
    assert.equal(got.status, 299);
    assert.deepEqual(valuesOf(got, 'set-cookie'), ['a=1', 'b=2']);
    assert.deepEqual(valuesOf(got, 'x-odd'), ['caf\xe9 "x"']);
    assert.equal(got.body.length, 0);
  });

  await t.test('an early answer, and an error', async () => {
    const early = await ask(`${app}?do=early`, 'POST', Buffer.alloc(30_000), { 'Transfer-Encoding': 'chunked' });
    assert.deepEqual([early.status, early.body.toString()], [403, 'early']);
    assert.ok([500, 502].includes((await ask(`${app}?do=error`)).status));
    assert.equal((await ask(app)).body.toString(), 'one', 'and on it goes');
  });

  await t.test('a big answer, and a reader who is slow', async () => {
    for (const length of ['', '&length=1']) {
      const got = await ask(`${app}?do=big&n=320${length}`);
      assert.equal(got.body.length, 320 * 65_536);
      for (let i = 0; i < 320; i++) assert.equal(got.body[i * 65_536 + 65_535], i % 256);
    }
    const before = residentBytes(sluice.pid);
    let received = 0;
    const socket = connect(sluice.port, sluice.host);
    t.after(() => socket.destroy());
    socket.on('data', (piece) => {
      received += piece.length;
      socket.pause();
      setTimeout(() => socket.resume(), 1);
    });
    socket.write(`GET ${path}?do=big&n=3200&length=1 HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until('4 MiB', () => received > 4 * 1_048_576);
    const grown = (residentBytes(sluice.pid) - before) / 1_048_576;
    assert.ok(grown < 60, `${grown} MiB more for a slow reader`);
    socket.destroy();
  });

  await t.test('two at once where one is allowed', async () => {
    const both = await Promise.all(
      [1, 2].map((n) => ask(`${app}?do=slow&n=${n}`, 'GET', null, { Host: 'narrow.test' })),
    );
    assert.deepEqual(
      both.map((got) => got.body.toString()),
      ['1', '2'],
    );
    const slow = (): AccessLine[] => sluice.access().filter((line) => line.target?.includes('do=slow') === true);
    await until('the log', () => slow().length === 2);
    const total = slow().map((line) => line.total);
    assert.ok(Math.max(...total) > Math.min(...total) + 200, `one of them waited: ${JSON.stringify(slow())}`);
  });

  await t.test('death in the middle', async () => {
    // Tomcat ends as a whole, of uWSGI a worker: the second one goes on.
    const got = await ask(`${app}?do=die`, 'GET', null, { Host: 'both.test' });
    assert.deepEqual([got.status, got.cut], [200, true]);
    await until('the log', () => sluice.failures().some((line) => line.error === 'answer-incomplete'));
  });

  await t.test('one of two is killed', async () => {
    two.process.signal('SIGTERM');
    await two.process.ended;
    await sleep(100);
    const alive = await launch('three');
    const pair = await startSluice(t, {
      upstreams: { pair: { origins: [two.url, alive.url], balance: 'round-robin', ...own } },
    });
    for (let i = 0; i < 10; i++) {
      assert.equal((await ask(`${pair.url}${path}`)).body.toString(), 'three');
      const framing: Record<string, string> = chunks
        ? { 'Transfer-Encoding': 'chunked' }
        : { 'Content-Length': '9000' };
      const got = await ask(`${pair.url}${path}?do=sum`, 'POST', body.subarray(0, 9000), framing);
      assert.match(got.body.toString(), /^9000 /);
    }
  });
}

function valuesOf({ fields }: Got, name: string): string[] {
  return fields.filter((_, i) => i % 2 === 1 && fields[i - 1].toLowerCase() === name);
}
