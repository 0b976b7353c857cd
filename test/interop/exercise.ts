/** What applications are asked through sluice: the list that each kind of peer goes through, as far as it can. */
import assert from 'node:assert/strict';
import { createHash, randomFillSync } from 'node:crypto';
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import { type Application, ask, valuesOf } from './applications.ts';
import { type AccessLine, residentBytes, type SluiceProcess, startSluice, until } from './stage.ts';

/** Who is asked, and what is known of it. */
export interface Asked {
  readonly t: TestContext;
  readonly sluice: SluiceProcess;
  /** Leads to the application. */
  readonly path: string;
  /** What it answers when nothing is asked of it. */
  readonly name: string;
  /** It can read a chunked body, or gets none. */
  readonly chunks: boolean;
}

const body = randomFillSync(Buffer.alloc(10 * 1_048_576));
const sum = `${body.length} ${createHash('sha256').update(body).digest('hex')}`;

const at = ({ sluice, path }: Asked): string => `${sluice.url}${path}`;

/** The fields that say where a body ends, in the way that this application understands. */
function framing({ chunks }: Asked, length: number): Record<string, string> {
  return chunks ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': String(length) };
}

export async function getAndHead(asked: Asked): Promise<void> {
  const app = at(asked);
  // Twice: the second one may meet a connection that was kept.
  for (let i = 0; i < 2; i++) {
    const got = await ask(app);
    assert.deepEqual([got.status, got.body.toString()], [200, asked.name]);
  }
  const head = await ask(app, 'HEAD');
  assert.deepEqual([head.status, head.body.length], [200, 0]);
  assert.equal(valuesOf(head, 'content-length')[0], String(asked.name.length));
}

/** Fields of the request, some of them twice. Which of REMOTE_ADDR and the scheme it can know depends on the protocol. */
export async function whoAsks(asked: Asked): Promise<string[]> {
  const got = await ask(`${at(asked)}?do=who`, 'GET', null, {
    Host: 'named.example:8000',
    'X-Twice': ['a', 'b'],
    Cookie: 'c=d; e=f',
  });
  const [method, path, remote, host, twice, cookie, scheme] = got.body.toString().split('\n');
  // RFC 9110 §5.3: who joins lines puts a comma between them, and white space as it likes.
  assert.deepEqual(
    [method, path, host, twice?.replace(/,(?=\S)/, ', '), cookie],
    ['GET', asked.path, 'named.example:8000', 'a, b', 'c=d; e=f'],
  );
  return [remote ?? '', scheme ?? ''];
}

export async function uploads(asked: Asked): Promise<void> {
  const app = `${at(asked)}?do=sum`;
  const whole = await ask(app, 'POST', body, { 'Content-Length': String(body.length) });
  assert.equal(whole.body.toString(), sum);
  if (asked.chunks) {
    const chunked = await ask(app, 'POST', body, { 'Transfer-Encoding': 'chunked' });
    assert.equal(chunked.body.toString(), sum);
    const none = await ask(app, 'POST', Buffer.alloc(0), { 'Transfer-Encoding': 'chunked' });
    assert.match(none.body.toString(), /^0 e3b0c442/);
  }
  const waited = await ask(app, 'POST', body.subarray(0, 100_000), {
    Expect: '100-continue',
    'Content-Length': '100000',
  });
  assert.match(waited.body.toString(), /^100000 /);
}

export async function oddFields(asked: Asked): Promise<void> {
  const got = await ask(`${at(asked)}?do=fields`);
  assert.equal(got.status, 299);
  assert.deepEqual(valuesOf(got, 'set-cookie'), ['a=1', 'b=2']);
  assert.deepEqual(valuesOf(got, 'x-odd'), ['caf\xe9 "x"']);
  assert.equal(got.body.length, 0);
}

export async function earlyAndError(asked: Asked): Promise<void> {
  const app = at(asked);
  const early = await ask(`${app}?do=early`, 'POST', Buffer.alloc(30_000), framing(asked, 30_000));
  assert.deepEqual([early.status, early.body.toString(), early.cut], [403, 'early', false]);
  assert.ok([500, 502].includes((await ask(`${app}?do=error`)).status));
  assert.equal((await ask(app)).body.toString(), asked.name, 'and on it goes');
}

export async function bigAnswer(asked: Asked): Promise<void> {
  for (const length of ['', '&length=1']) {
    const got = await ask(`${at(asked)}?do=big&n=320${length}`);
    assert.equal(got.body.length, 320 * 65_536);
    for (let i = 0; i < 320; i++) assert.equal(got.body[i * 65_536 + 65_535], i % 256);
  }
  const { t, sluice, path } = asked;
  await slowReader(t, sluice, `GET ${path}?do=big&n=3200&length=1 HTTP/1.1\r\nHost: a\r\n\r\n`);
}

/**
 * Somebody who reads a long answer (200 MB or so) in small sips, and leaves after 4 MiB.
 *
 * @param request its bytes
 */
export async function slowReader(t: TestContext, sluice: SluiceProcess, request: string | Buffer): Promise<void> {
  const before = residentBytes(sluice.pid);
  let received = 0;
  const socket = connect(sluice.port, sluice.host);
  t.after(() => socket.destroy());
  socket.on('data', (piece) => {
    received += piece.length;
    socket.pause();
    setTimeout(() => socket.resume(), 1);
  });
  socket.write(request);
  await until('4 MiB', () => received > 4 * 1_048_576);
  const grown = (residentBytes(sluice.pid) - before) / 1_048_576;
  assert.ok(grown < 60, `${grown} MiB more for a slow reader`);
  socket.destroy();
}

/** @param host leads to an upstream whose only origin has `maxConnections: 1` */
export async function oneAtATime(asked: Asked, host: string): Promise<void> {
  const { sluice } = asked;
  const both = await Promise.all([1, 2].map((n) => ask(`${at(asked)}?do=slow&n=${n}`, 'GET', null, { Host: host })));
  assert.deepEqual(
    both.map((got) => got.body.toString()),
    ['1', '2'],
  );
  const slow = (): AccessLine[] => sluice.access().filter((line) => line.target?.includes('do=slow') === true);
  await until('the log', () => slow().length === 2);
  const total = slow().map((line) => line.total);
  assert.ok(Math.max(...total) > Math.min(...total) + 200, `one of them waited: ${JSON.stringify(slow())}`);
}

/** @param host leads to an upstream whose origin nobody will miss */
export async function deathInTheMiddle(asked: Asked, host: string): Promise<void> {
  const got = await ask(`${at(asked)}?do=die`, 'GET', null, { Host: host });
  assert.deepEqual([got.status, got.cut], [200, true]);
  await until('the log', () => asked.sluice.failures().some((line) => line.error === 'answer-incomplete'));
}

/** The options of an upstream that its applications need. */
type Own = Record<string, unknown>;

/**
 * Everything that equal applications are asked.
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
      doomed: { origins: two.url, timeouts, ...own },
    },
    routes: [
      { match: { host: 'doomed.test' }, to: 'doomed' },
      { match: { host: 'narrow.test' }, to: 'narrow' },
      { match: {}, to: 'one' },
    ],
  });
  const asked: Asked = { t, sluice, path, name: 'one', chunks };

  await t.test('GET and HEAD', () => getAndHead(asked));
  await t.test('who asks, for what', async () => assert.deepEqual(await whoAsks(asked), ['127.0.0.1', 'http']));
  await t.test('10 MiB with a length, and in chunks', () => uploads(asked));
  await t.test('fields repeated and odd', () => oddFields(asked));
  await t.test('an early answer, and an error', () => earlyAndError(asked));
  await t.test('a big answer, and a reader who is slow', () => bigAnswer(asked));
  await t.test('two at once where one is allowed', () => oneAtATime(asked, 'narrow.test'));
  // Tomcat ends as a whole, of uWSGI a worker.
  await t.test('death in the middle', () => deathInTheMiddle(asked, 'doomed.test'));

  await t.test('balanced over two, and one is killed', async () => {
    const three = await launch('three');
    const pair = await startSluice(t, {
      upstreams: { pair: { origins: [one.url, three.url], balance: 'round-robin', timeouts, ...own } },
    });
    const url = `${pair.url}${path}`;
    const answers = async (): Promise<string> => {
      const got = await ask(url);
      assert.equal(got.status, 200);
      return got.body.toString();
    };
    const seen = new Set<string>();
    for (let i = 0; i < 6; i++) seen.add(await answers());
    assert.deepEqual([...seen].toSorted(), ['one', 'three']);
    let over = false;
    void three.process.ended.then(() => (over = true));
    three.process.signal(three.end ?? 'SIGTERM');
    // Nobody hears of it who asks meanwhile.
    await until('its end', async () => {
      assert.match(await answers(), /^(?:one|three)$/);
      return over;
    });
    for (let i = 0; i < 5; i++) {
      assert.equal(await answers(), 'one');
      const got = await ask(`${url}?do=sum`, 'POST', body.subarray(0, 9000), framing(asked, 9000));
      assert.match(got.body.toString(), /^9000 /);
    }
  });
}
