/** Checks that ask applications in CGI's names: what they are told, and what is made of what they answer. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ending, readRecords, record, requestFrom, stdout, TYPES } from '../../test/support/fastcgi.ts';
import { origin, type Peer } from '../../test/support/scripted.ts';
import { systemClock } from '../core/clock.ts';
import type { Check, Finding } from './check.ts';
import { fastcgi } from './fastcgi.ts';
import { scgi } from './scgi.ts';
import { uwsgi } from './uwsgi.ts';

async function found(
  t: TestContext,
  check: Check,
  act: (peer: Peer) => Promise<void> | void,
  timeout = 10_000,
): Promise<Finding> {
  const app = await origin(t, act);
  const address = { scheme: 'http', host: '127.0.0.1', port: app.port };
  return check.probe(address, { clock: systemClock, timeout, signal: new AbortController().signal });
}

const make = (given: Parameters<typeof fastcgi.options.parse>[0] = {}): Check =>
  fastcgi.create(fastcgi.options.parse(given));

/** All of a FastCGI request: up to the empty STDIN. */
async function asked(peer: Peer) {
  let bytes = '';
  for (;;) {
    const head = await peer.bytes(8);
    const rest = await peer.bytes(head.charCodeAt(4) * 256 + head.charCodeAt(5) + head.charCodeAt(6));
    bytes += head + rest;
    if (head.charCodeAt(1) === TYPES.stdin && rest === '') break;
  }
  return requestFrom(readRecords(Buffer.from(bytes, 'latin1')).records);
}

const answer = (text: string): Buffer => Buffer.concat([stdout(text), record(TYPES.stdout), ending()]);
const PONG = answer('Content-Type: text/plain\r\n\r\npong');

test("fastcgi: php-fpm's ping.path is SCRIPT_NAME and SCRIPT_FILENAME", async (t) => {
  let told = new Map<string, string>();
  const finding = await found(t, make({ path: '/fpm-ping?full' }), async (peer) => {
    told = (await asked(peer)).variables;
    peer.send(PONG);
  });
  assert.deepEqual(finding, { healthy: true, detail: 'status 200' });
  const shown = ['REQUEST_METHOD', 'SCRIPT_NAME', 'SCRIPT_FILENAME', 'REQUEST_URI', 'QUERY_STRING', 'HTTP_HOST'];
  assert.deepEqual(
    shown.map((name) => told.get(name)),
    ['GET', '/fpm-ping', '/fpm-ping', '/fpm-ping?full', 'full', 'localhost'],
  );
  assert.equal(told.get('HTTP_USER_AGENT'), 'sluice-check');
  assert.equal(told.has('CONTENT_LENGTH'), false);
});

test('fastcgi: a script, a host and variables of your own', async (t) => {
  let told = new Map<string, string>();
  const check = make({ path: '/health.php', script: '/srv/h.php', host: 'a.test:81', env: { APP_ENV: 'check' } });
  await found(t, check, async (peer) => {
    told = (await asked(peer)).variables;
    peer.send(PONG);
  });
  assert.deepEqual(
    ['SCRIPT_NAME', 'SCRIPT_FILENAME', 'HTTP_HOST', 'SERVER_NAME', 'APP_ENV'].map((name) => told.get(name)),
    ['/health.php', '/srv/h.php', 'a.test:81', 'a.test', 'check'],
  );
});

test('fastcgi: status and body, in one piece or byte by byte', async (t) => {
  const cases: [given: Parameters<typeof make>[0], bytes: Buffer, finding: Finding][] = [
    [{ body: 'pong' }, PONG, { healthy: true, detail: 'status 200' }],
    [{ body: '/^pong$/' }, PONG, { healthy: true, detail: 'status 200' }],
    [{ body: 'ping' }, PONG, { healthy: false, detail: 'status 200, but the body is not as expected' }],
    [{}, answer('Status: 503 No\n\n'), { healthy: false, detail: 'status 503, expected 200-399' }],
    [{ status: 503 }, answer('Status: 503 No\n\n'), { healthy: true, detail: 'status 503' }],
    [{}, ending(0, 2), { healthy: false, detail: 'origin-overloaded: OVERLOADED' }],
    [{}, Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), { healthy: false, detail: 'bad-answer: not FastCGI 1' }],
    [{}, ending(3), { healthy: false, detail: 'bad-answer: no answer, exit status 3' }],
  ];
  for (const [given, bytes, finding] of cases) {
    const whole = await found(t, make(given), async (peer) => {
      await asked(peer);
      peer.send(bytes);
    });
    assert.deepEqual(whole, finding);
    const dripped = await found(t, make(given), async (peer) => {
      await asked(peer);
      await peer.drip(bytes.latin1Slice());
    });
    assert.deepEqual(dripped, finding);
  }
});

test('fastcgi: whoever closes, resets, hangs or stops half-way is failing', async (t) => {
  const early = await found(t, make(), (peer) => peer.fin());
  assert.deepEqual(early, { healthy: false, detail: 'closed without an answer' });
  const reset = await found(t, make(), async (peer) => {
    await asked(peer);
    peer.reset();
  });
  assert.equal(reset.healthy, false);
  assert.deepEqual(await found(t, make(), () => {}, 150), { healthy: false, detail: 'no answer within 150ms' });
  const half = await found(t, make(), async (peer) => {
    await asked(peer);
    peer.send(stdout('A: b\n\npo'));
    peer.fin();
  });
  assert.deepEqual(half, { healthy: false, detail: 'status 200, but the answer was cut off' });
  const slow = async (peer: Peer): Promise<void> => {
    await asked(peer);
    peer.send(stdout('A: b\n\npo'));
  };
  assert.deepEqual(await found(t, make({ body: 'pong' }), slow, 300), {
    healthy: false,
    detail: 'status 200, but the body did not end within 300ms',
  });
  assert.deepEqual(await found(t, make(), slow, 300), { healthy: true, detail: 'status 200' }, 'the status decides');
});

test('fastcgi: a flood is not kept', async (t) => {
  const flood = Buffer.concat([
    stdout('A: b\n\n'),
    ...Array.from({ length: 40 }, () => stdout(Buffer.alloc(60_000, 0x61))),
  ]);
  const finding = await found(t, make({ body: 'needle' }), async (peer) => {
    await asked(peer);
    peer.send(flood);
  });
  assert.deepEqual(finding, { healthy: false, detail: 'status 200, but the body is not as expected' });
});

test('fastcgi: a path that leads nowhere is not asked for', async (t) => {
  const { healthy, detail } = await found(t, make({ path: '/../x' }), () => {});
  assert.equal(healthy, false);
  assert.match(detail, /^The request target/);
});

test('scgi and uwsgi: the path is PATH_INFO of an application at the root', async (t) => {
  let bytes = '';
  const reply = async (peer: Peer, end: string): Promise<void> => {
    bytes = await peer.until(end);
    peer.send('Status: 200 OK\r\n\r\nfine');
    peer.fin();
  };
  const own = { path: '/healthz', body: 'fine' };
  const first = await found(t, scgi.create(scgi.options.parse(own)), (peer) => reply(peer, '\0,'));
  assert.deepEqual(first, { healthy: true, detail: 'status 200' });
  assert.match(bytes, /^\d+:CONTENT_LENGTH\x000\x00SCGI\x001\x00/);
  assert.match(bytes, /\x00SCRIPT_NAME\x00\x00PATH_INFO\x00\/healthz\x00/);
  const second = await found(t, uwsgi.create(uwsgi.options.parse({ ...own, modifier1: 5 })), (peer) =>
    reply(peer, 'sluice-check'),
  );
  assert.deepEqual(second, { healthy: true, detail: 'status 200' });
  assert.equal(bytes.charCodeAt(0), 5);
  assert.match(bytes, /PATH_INFO\x08\0\/healthz/);
});
