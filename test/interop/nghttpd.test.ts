/**
 * nghttpd behind a real sluice. It serves files and sends uploads back; it has no application, so answers have repeated and
 * odd fields as trailers only, and an error is a file that is not there. What it was asked is in its log.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync, truncateSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { authority } from '../support/certificates.ts';
import { skipUnless } from '../support/peer.ts';
import { type Application, ask } from './applications.ts';
import { slowReader } from './exercise.ts';
import { type Address, address, folder, listening, start, startSluice, until } from './stage.ts';

interface Served extends Application {
  readonly files: string;
}

/** @param tls files of the key and the certificate; none: in clear text */
async function nghttpd(
  t: TestContext,
  program: string,
  own: readonly string[],
  name: string,
  tls: readonly string[] = [],
): Promise<Served> {
  const at: Address = await address();
  const files = folder(t);
  writeFileSync(join(files, 'name'), name);
  const secure = tls.length > 0;
  const process = start(t, program, [
    ...(secure ? [] : ['--no-tls']),
    ...['-a', at.host, '-d', files, ...own, String(at.port), ...tls],
  ]);
  await listening(at, process);
  return { url: `${secure ? 'h2' : 'h2c'}://${at.host}:${at.port}`, process, files };
}

const TRAILERS = ['x-twice: a', 'x-twice: b', 'x-odd: caf\xe9 "x"'].flatMap((field) => ['--trailer', field]);

for (const scheme of ['h2c', 'h2'] as const) {
  test(`nghttpd over ${scheme}: requests and answers of every kind`, async (t) => {
    const program = skipUnless(t, 'nghttpd');
    const ca = scheme === 'h2' ? authority(t) : undefined;
    if (program === undefined || (scheme === 'h2' && ca === undefined)) return;
    const { cert = '', key = '' } = ca?.issue('server', { names: ['DNS:app.example'] }) ?? {};
    const tls = ca === undefined ? {} : { tls: { ca: ca.cert, serverName: 'app.example' } };
    const launch = (name: string, ...own: string[]): Promise<Served> =>
      nghttpd(t, program, own, name, ca === undefined ? [] : [key, cert]);
    const [one, two, strange, hasty] = await Promise.all([
      launch('one', '--echo-upload'),
      launch('two'),
      // Over HTTP/1.1 an answer with a length can have no trailers.
      launch('odd', '-v', '--no-content-length', ...TRAILERS),
      // It must not have trailers: nghttpd resets the stream before it sends them.
      launch('early', '--early-response'),
    ]);
    writeFileSync(join(one.files, 'long'), '');
    truncateSync(join(one.files, 'long'), 3200 * 65_536);
    writeFileSync(join(two.files, 'long'), '');
    truncateSync(join(two.files, 'long'), 3200 * 65_536);
    const sluice = await startSluice(t, {
      upstreams: {
        one: { origins: one.url, ...tls },
        odd: { origins: strange.url, ...tls },
        early: { origins: hasty.url, ...tls },
        narrow: { origins: { url: one.url, maxConnections: 1 }, ...tls },
        both: { origins: [one.url, two.url], balance: 'round-robin', ...tls },
        two: { origins: two.url, ...tls },
      },
      routes: ['odd', 'early', 'narrow', 'both', 'two', 'one'].map((to) =>
        to === 'one' ? { to } : { match: { host: `${to}.test` }, to },
      ),
    });
    const at = (path: string, host = 'one.test', method = 'GET') =>
      ask(`${sluice.url}${path}`, method, null, { Host: host });

    await t.test('GET, HEAD, and a file that is not there', async () => {
      assert.equal((await at('/name')).body.toString(), 'one');
      const head = await at('/name', 'one.test', 'HEAD');
      assert.deepEqual([head.status, head.body.length], [200, 0]);
      assert.equal((await at('/none')).status, 404);
      assert.equal((await at('/name')).body.toString(), 'one', 'and on it goes');
    });

    await t.test('10 MiB there and back, with a length and in chunks', async () => {
      const body = randomBytes(10 * 1_048_576);
      for (const framing of [{ 'Content-Length': String(body.length) }, { 'Transfer-Encoding': 'chunked' }]) {
        const got = await ask(`${sluice.url}/`, 'POST', body, framing);
        assert.equal(got.status, 200);
        assert.ok(got.body.equals(body));
      }
    });

    await t.test('fields of requests and trailers of answers, repeated and odd', async () => {
      const out = request(`${sluice.url}/name`, {
        agent: false,
        headers: {
          ...{ Host: 'odd.test', TE: 'trailers', Connection: 'TE' },
          ...{ 'X-Asked': ['a', 'b'], 'X-Odd': 'caf\xe9 "x"', Cookie: 'c=d; e=f' },
        },
      });
      const trailers = await new Promise<readonly string[]>((resolve, reject) => {
        out.on('error', reject);
        out.on('response', (answer) => answer.resume().on('end', () => resolve(answer.rawTrailers)));
        out.end();
      });
      // Arguments of programs are UTF-8, and fields are bytes.
      const odd = Buffer.from('caf\xe9 "x"').latin1Slice();
      assert.deepEqual(trailers, ['x-twice', 'a', 'x-twice', 'b', 'x-odd', odd]);
      // It writes them down one by one, in colours if it must.
      const heard = [...strange.process.output().matchAll(/recv .*?(x-asked|x-odd|cookie): ([^\r\n]*)/g)];
      assert.deepEqual(heard.map(([, name, value]) => `${name}: ${value}`).toSorted(), [
        ...['cookie: c=d; e=f', 'x-asked: a', 'x-asked: b', 'x-odd: caf\xe9 "x"'],
      ]);
    });

    await t.test('an answer before the upload is here', async () => {
      const got = await ask(`${sluice.url}/name`, 'POST', randomBytes(1_048_576), {
        'Transfer-Encoding': 'chunked',
        Host: 'early.test',
      });
      assert.deepEqual([got.status, got.body.toString(), got.cut], [200, 'early', false]);
    });

    await t.test('a big answer to a reader who is slow', () =>
      slowReader(t, sluice, 'GET /long HTTP/1.1\r\nHost: one.test\r\n\r\n'),
    );

    await t.test('two at once where one is allowed', async () => {
      // Nothing here takes its time, except for those who do not read.
      const socket = connect(sluice.port, sluice.host);
      t.after(() => socket.destroy());
      socket.write('GET /long HTTP/1.1\r\nHost: narrow.test\r\n\r\n');
      await once(socket, 'readable');
      const second = at('/name', 'narrow.test');
      await new Promise((resolve) => setTimeout(resolve, 300));
      socket.destroy();
      assert.equal((await second).body.toString(), 'one');
      await until('the log', () => sluice.access().some(({ target, queue = 0 }) => target === '/name' && queue > 200));
    });

    await t.test('balanced over two, of which one dies in the middle', async () => {
      const seen = new Set<string>();
      for (let i = 0; i < 6; i++) seen.add((await at('/name', 'both.test')).body.toString());
      assert.deepEqual([...seen].toSorted(), ['one', 'two']);
      const out = request(`${sluice.url}/long`, { agent: false, headers: { Host: 'two.test' } }).end();
      const [answer] = (await once(out, 'response')) as [IncomingMessage];
      answer.on('error', () => {});
      two.process.signal('SIGKILL');
      await two.process.ended;
      await new Promise((resolve) => answer.resume().on('close', resolve));
      assert.deepEqual([answer.statusCode, answer.complete], [200, false]);
      for (let i = 0; i < 10; i++) assert.equal((await at('/name', 'both.test')).body.toString(), 'one');
      await until('the log', () => sluice.failures().length > 0);
      assert.deepEqual(
        sluice.failures().map(({ error, target, origin }) => [error, target, origin]),
        [['answer-incomplete', '/long', new URL(two.url).host]],
        JSON.stringify(sluice.failures()),
      );
    });
  });
}

test('nghttpd: 100 clients and its small limits', async (t) => {
  const program = skipUnless(t, 'nghttpd');
  if (program === undefined) return;
  const files = folder(t);
  const big = randomBytes(5 * 1_048_576);
  writeFileSync(join(files, 'big'), big);
  writeFileSync(join(files, 'small'), 'hello');
  for (const own of [
    [],
    ['-m', '1'],
    ['-c', '0', '-b', '200', '--trailer', 'x-sum: 5'],
    ['-w', '10', '-W', '16', '--early-response'],
  ]) {
    const at = await address();
    const server = start(t, program, ['--no-tls', '-a', at.host, '-d', files, ...own, String(at.port)]);
    await listening(at, server);
    const sluice = await startSluice(t, { upstreams: { app: { origins: `h2c://${at.host}:${at.port}` } } });
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(`${sluice.url}/small`)));
    assert.deepEqual(
      answers.map(({ status, body }) => [status, body.toString()]),
      Array.from({ length: 100 }, () => [200, 'hello']),
    );
    assert.ok((await ask(`${sluice.url}/big`)).body.equals(big));
    assert.equal((await ask(`${sluice.url}/none`)).status, 404);
    assert.equal((await ask(`${sluice.url}/small`, 'HEAD')).status, 200);
    const posted = await ask(`${sluice.url}/small`, 'POST', randomBytes(300_000), { 'Transfer-Encoding': 'chunked' });
    assert.equal(posted.body.toString(), 'hello');
    assert.deepEqual(sluice.failures(), []);
  }
});
