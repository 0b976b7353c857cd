/** Wrong requests, as bytes: each is answered with its code, and none changes anything. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { admin, folderOf, optionsOf, TOKEN, type Admin } from '../../test/support/admin.ts';
import { eventually } from '../../test/support/scripted.ts';
import { ControlError } from '../control/control.ts';
import { problemView, type ProblemView } from './problem.ts';
import { AdminServer } from './server.ts';

const AUTH = `Authorization: Bearer ${TOKEN}\r\n`;
const JSON_TYPE = 'Content-Type: application/json\r\n';
const ORIGINS = '/v1/upstreams/app/origins';
const ONE = `${ORIGINS}/127.0.0.1:3000`;

interface Given {
  readonly host?: string;
  readonly auth?: string;
  readonly lines?: string;
  readonly body?: string | Buffer;
}

/** A request as bytes; with a body it has a length, unless `lines` say otherwise. */
function message(line: string, { host = '127.0.0.1', auth = AUTH, lines = '', body = '' }: Given = {}): Buffer {
  const bytes = Buffer.from(body);
  const length =
    bytes.length === 0 || /^(content-length|transfer-encoding):/im.test(lines)
      ? ''
      : `Content-Length: ${bytes.length}\r\n`;
  return Buffer.concat([
    Buffer.from(`${line} HTTP/1.1\r\nHost: ${host}\r\n${auth}${lines}${length}\r\n`, 'latin1'),
    bytes,
  ]);
}

const json = (line: string, body: string, lines = ''): Buffer => message(line, { lines: JSON_TYPE + lines, body });

/** What it is · the bytes · status · code · what the detail says. */
type Row = readonly [what: string, bytes: Buffer, status: number, code: string, says?: RegExp];

const ROWS: readonly Row[] = [
  ['no token', message('GET /v1/status', { auth: '' }), 401, 'no-token'],
  [
    'a wrong token',
    message('GET /v1/status', { auth: 'Authorization: Bearer correct-horse-battery-stapler\r\n' }),
    401,
    'wrong-token',
  ],
  [
    'a token of the right length',
    message('GET /v1/status', { auth: `Authorization: Bearer ${TOKEN.slice(0, -1)}X\r\n` }),
    401,
    'wrong-token',
  ],
  ['an empty token', message('GET /v1/status', { auth: 'Authorization: Bearer \r\n' }), 401, 'wrong-token'],
  ['another scheme', message('GET /v1/status', { auth: `Authorization: Basic ${TOKEN}\r\n` }), 401, 'wrong-token'],
  ['the token in the query', message(`GET /v1/status?token=${TOKEN}`, { auth: '' }), 401, 'no-token'],
  [
    'a change without a token',
    message(`POST ${ORIGINS}`, { auth: '', lines: JSON_TYPE, body: '{"url":"127.0.0.1:1"}' }),
    401,
    'no-token',
  ],
  [
    'an unknown path without a token says nothing about paths',
    message('GET /v1/nosuch', { auth: '' }),
    401,
    'no-token',
  ],
  ['metrics without a token', message('GET /metrics', { auth: '' }), 401, 'no-token'],

  [
    'a host name (DNS rebinding)',
    message('GET /v1/status', { host: 'evil.example' }),
    403,
    'host-refused',
    /evil\.example/,
  ],
  [
    'a host name that starts like an address',
    message('GET /v1/status', { host: '127.0.0.1.evil.example' }),
    403,
    'host-refused',
  ],
  ['localhost of somebody else', message('GET /v1/status', { host: 'localhost.evil.example:80' }), 403, 'host-refused'],
  ['no Host', Buffer.from(`GET /v1/status HTTP/1.1\r\n${AUTH}\r\n`), 403, 'host-refused'],
  ['a broken Host', message('GET /v1/status', { host: '[::1' }), 403, 'host-refused'],
  ['a web page', message('GET /v1/status', { lines: 'Origin: http://127.0.0.1\r\n' }), 403, 'origin-refused'],
  ['a sandboxed web page', message(`DELETE ${ONE}`, { lines: 'Origin: null\r\n' }), 403, 'origin-refused'],
  [
    'a preflight',
    message(`OPTIONS ${ONE}`, { auth: '', lines: 'Origin: http://evil.example\r\n' }),
    403,
    'origin-refused',
  ],

  ['an unknown path', message('GET /v1/nosuch'), 404, 'unknown-path'],
  ['a mistyped path', message('GET /v1/statsu'), 404, 'unknown-path', /did you mean \/v1\/status\?/],
  ['path traversal', message('GET /v1/../../etc/passwd'), 404, 'unknown-path'],
  ['escaped path traversal', message('GET /v1/upstreams/%2e%2e%2f%2e%2e%2fetc'), 404, 'not-found'],
  ['dots for a name', message('GET /v1/upstreams/%2e%2e'), 404, 'unknown-path'],
  ['an empty name', message('GET /v1/upstreams/'), 404, 'unknown-path'],
  ['double slashes', message('GET //v1/status'), 404, 'unknown-path'],
  ['a NUL in the path', message('GET /v1/upstreams/app%00'), 400, 'bad-path'],
  ['a line end in the path', message('DELETE /v1/upstreams/app/origins/a%0d%0aX'), 400, 'bad-path'],
  ['a bad escape', message('GET /v1/upstreams/%zz'), 400, 'bad-path'],
  ['bytes that are not UTF-8', message('GET /v1/upstreams/%ff'), 400, 'bad-path'],
  ['absolute-form', message('GET http://127.0.0.1/v1/status'), 400, 'bad-path'],
  ['an unknown upstream', message('GET /v1/upstreams/ap'), 404, 'not-found', /did you mean "app"\?/],
  ['the queue of an unknown upstream', message('GET /v1/upstreams/nosuch/queue'), 404, 'not-found'],
  ['an unknown request', message('GET /v1/requests/nosuch'), 404, 'not-found'],

  ['a wrong method', message('DELETE /v1/status'), 405, 'wrong-method', /GET, HEAD/],
  ['a method that nobody has', message('PROPFIND /v1/status'), 405, 'wrong-method'],
  ['GET of what changes', message('GET /v1/reload'), 405, 'wrong-method', /POST/],
  ['OPTIONS without a page', message(`OPTIONS ${ONE}`), 405, 'wrong-method', /PATCH, DELETE/],
  ['CONNECT', message('CONNECT 127.0.0.1:22'), 404, 'unknown-path'],

  ['no content type', message(`POST ${ORIGINS}`, { body: '{}' }), 415, 'wrong-type', /no Content-Type/],
  [
    'a form, which a page could send',
    message(`POST ${ORIGINS}`, { lines: 'Content-Type: text/plain\r\n', body: '{"url":"a:1"}' }),
    415,
    'wrong-type',
  ],
  [
    'another charset',
    message(`POST ${ORIGINS}`, { lines: 'Content-Type: application/json; charset=utf-16\r\n', body: '{}' }),
    415,
    'wrong-type',
  ],
  ['a compressed body', json(`POST ${ORIGINS}`, '{}', 'Content-Encoding: gzip\r\n'), 415, 'wrong-type'],
  [
    'a config as a form',
    message('POST /v1/reload', { lines: 'Content-Type: application/x-www-form-urlencoded\r\n', body: 'a=b' }),
    415,
    'wrong-type',
  ],

  ['no JSON', json(`POST ${ORIGINS}`, '{"url": '), 400, 'bad-json', /^line 1, column \d+: /],
  ['an empty body', json(`POST ${ORIGINS}`, '  '), 400, 'bad-json', /empty/],
  ['JSON with a comment', json(`POST ${ORIGINS}`, '{\n // x\n}'), 400, 'bad-json', /^line 2, column 2/],
  [
    'a key twice',
    json(`POST ${ORIGINS}`, '{"url": "a:1",\n "url": "b:1"}'),
    400,
    'bad-json',
    /^line 2, column 2.*twice/,
  ],
  ['JSON that is nested deeply', json(`POST ${ORIGINS}`, '['.repeat(5000)), 400, 'bad-json', /deep/],
  [
    'a body that is not UTF-8',
    message(`POST ${ORIGINS}`, { lines: JSON_TYPE, body: Buffer.from([0x22, 0xff, 0x22]) }),
    400,
    'bad-text',
  ],
  ['a body where none belongs', message('GET /v1/status', { body: 'x' }), 400, 'unexpected-body'],
  ['a body with DELETE', json(`DELETE ${ONE}`, '{"ttl": "1m"}'), 400, 'unexpected-body'],

  ['a list', json(`POST ${ORIGINS}`, '[]'), 422, 'invalid', /expected an object/],
  ['null', json(`PATCH ${ONE}`, 'null'), 422, 'invalid'],
  [
    'a field too many',
    json(`POST ${ORIGINS}`, '{"url": "a:1", "wieght": 2}'),
    422,
    'invalid',
    /"wieght"; did you mean "weight"\?/,
  ],
  ['__proto__', json(`PATCH ${ONE}`, '{"weight": 1, "__proto__": {"state": "up"}}'), 422, 'invalid', /__proto__/],
  ['no url', json(`POST ${ORIGINS}`, '{"weight": 2}'), 422, 'invalid', /"url" is missing/],
  ['a url of another type', json(`POST ${ORIGINS}`, '{"url": 3000}'), 422, 'invalid', /url: expected text/],
  [
    'a url that is very long',
    json(`POST ${ORIGINS}`, JSON.stringify({ url: 'a'.repeat(5000) })),
    422,
    'invalid',
    /at most 2048/,
  ],
  ['a negative weight', json(`PATCH ${ONE}`, '{"weight": -1}'), 422, 'invalid', /at least 0/],
  ['a weight that overflows', json(`PATCH ${ONE}`, '{"weight": 1e999}'), 422, 'invalid'],
  ['a state that cannot be set', json(`PATCH ${ONE}`, '{"state": "down"}'), 422, 'invalid', /"draining" or "up"/],
  ['nothing to change', json(`PATCH ${ONE}`, '{}'), 422, 'invalid', /give state or weight/],
  [
    'a TTL without a meaning',
    json(`PATCH ${ONE}`, '{"weight": 1, "ttl": "soon"}'),
    422,
    'invalid',
    /ttl: expected a duration/,
  ],
  ['a TTL that is too short', json(`PATCH ${ONE}`, '{"weight": 1, "ttl": "1ms"}'), 422, 'invalid', /at least 1s/],
  ['a TTL that never ends', json(`PATCH ${ONE}`, '{"weight": 1, "ttl": "off"}'), 422, 'invalid'],
  ['a bad TTL in the query', message(`DELETE ${ONE}?ttl=99999d`), 422, 'invalid', /at most 30d/],
  ['a parameter twice', message(`DELETE ${ONE}?ttl=1m&ttl=2m`), 422, 'invalid', /twice/],
  ['a parameter too many', message(`DELETE ${ONE}?tll=1m`), 422, 'invalid', /did you mean "ttl"/],
  ['a parameter where there is none', message('GET /v1/status?x=1'), 422, 'invalid', /takes none/],
  ['too many at once', message('GET /v1/requests?most=100000'), 422, 'invalid', /at most 1000/],
  ['no number', message('GET /v1/requests?most=all'), 422, 'invalid'],
  ['explain nothing', message('GET /v1/explain'), 422, 'invalid', /"url" is missing/],
  ['a field that is none', message('GET /v1/explain?url=/&header=x'), 422, 'invalid', /Name: value/],
  [
    'an empty plan',
    message('POST /v1/plan', { lines: 'Content-Type: text/plain\r\n', body: ' ' }),
    422,
    'invalid',
    /empty/,
  ],
  ['a plan of nothing', message('POST /v1/plan'), 415, 'wrong-type'],
  [
    'a plan that is wrong',
    message('POST /v1/plan', { lines: 'Content-Type: text/plain\r\n', body: 'wrong' }),
    422,
    'invalid',
    /the config is wrong/,
  ],

  [
    'a body that is too long by its length',
    json(`POST ${ORIGINS}`, '{', 'Content-Length: 2000000\r\n'),
    413,
    'body-too-large',
  ],
  [
    'a head that is too long',
    message('GET /v1/status', { lines: `X: ${'x'.repeat(20_000)}\r\n` }),
    431,
    'head-too-large',
  ],
  ['a path that is too long', message(`GET /v1/status?${'x'.repeat(13_000)}`), 414, 'target-too-long'],
  ['an unknown expectation', message('GET /v1/status', { lines: 'Expect: miracles\r\n' }), 417, 'unknown-expectation'],
  ['garbage', Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 GET\r\n\r\n', 'latin1'), 400, 'bad-request'],
  [
    'length and chunks (smuggling)',
    message('POST /v1/reload', { lines: 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', body: '0\r\n\r\n' }),
    400,
    'bad-request',
  ],
  ['a NUL in a field', message('GET /v1/status', { lines: 'X: a\0b\r\n' }), 400, 'bad-request'],
  ['bare line feeds', Buffer.from(`GET /v1/status HTTP/1.1\nHost: 127.0.0.1\n${AUTH}\n`), 400, 'bad-request'],
  ['a folded field', message('GET /v1/status', { lines: 'X: a\r\n b\r\n' }), 400, 'bad-request'],
];

class Raw {
  text = '';
  ended = false;
  readonly socket: Socket;

  constructor(t: TestContext, at: { port: number } | { path: string }) {
    this.socket = 'port' in at ? connect(at.port, '127.0.0.1') : connect(at.path);
    this.socket.setEncoding('latin1');
    this.socket.on('data', (chunk: string) => (this.text += chunk));
    this.socket.on('error', () => {});
    this.socket.on('close', () => (this.ended = true));
    t.after(() => void this.socket.destroy());
  }

  /** The next whole answer. */
  async answer(): Promise<{ status: number; head: string; body: string }> {
    let end = -1;
    let length = 0;
    await eventually(
      () => {
        end = this.text.indexOf('\r\n\r\n');
        length = Number(/^content-length: (\d+)/im.exec(this.text.slice(0, Math.max(end, 0)))?.[1] ?? 0);
        return end >= 0 && this.text.length >= end + 4 + length;
      },
      () => `an answer; there is ${JSON.stringify(this.text)}`,
    );
    const head = this.text.slice(0, end);
    const body = this.text.slice(end + 4, end + 4 + length);
    this.text = this.text.slice(end + 4 + length);
    return { status: Number(head.slice(9, 12)), head, body };
  }

  async problem(): Promise<{ status: number; head: string; problem: ProblemView }> {
    const { status, head, body } = await this.answer();
    assert.match(head, /^content-type: application\/problem\+json$/im, `${head}\n${body}`);
    return { status, head, problem: problemView.parse(JSON.parse(body)) };
  }
}

describe('wrong requests', { concurrency: 4 }, () => {
  for (const [what, bytes, status, code, says] of ROWS) {
    test(what, async (t) => {
      const there = await admin(t);
      const raw = new Raw(t, there);
      raw.socket.write(bytes);
      const { status: got, problem } = await raw.problem();
      assert.deepEqual([got, problem.code, problem.status], [status, code, status], problem.detail);
      if (says !== undefined) assert.match(problem.detail, says);
      assert.notEqual(problem.hint, '');
      assert.deepEqual(there.control.calls, []);
      assert.ok(!JSON.stringify([problem, there.said]).includes(TOKEN), 'the token is never shown');
      await serves(t, there);
    });
  }

  test('they are at least forty', () => assert.ok(ROWS.length >= 40));
});

/** It still answers others. */
async function serves(t: TestContext, { port }: Admin): Promise<void> {
  const raw = new Raw(t, { port });
  raw.socket.write(message('GET /v1/status'));
  assert.equal((await raw.answer()).status, 200);
}

test('401 says how, 405 says what else', async (t) => {
  const raw = new Raw(t, await admin(t));
  raw.socket.write(message('GET /v1/status', { auth: '' }));
  assert.match((await raw.problem()).head, /^www-authenticate: Bearer/im);
  raw.socket.write(message(`PUT ${ONE}`));
  assert.match((await raw.problem()).head, /^allow: PATCH, DELETE$/im);
});

test('a chunked body that grows too long is answered, and its rest thrown away', async (t) => {
  const there = await admin(t, {}, { body: 1000 });
  const raw = new Raw(t, there);
  raw.socket.write(message(`POST ${ORIGINS}`, { lines: `${JSON_TYPE}Transfer-Encoding: chunked\r\n` }));
  const chunk = `${(4096).toString(16)}\r\n${' '.repeat(4096)}\r\n`;
  for (let i = 0; i < 64; i++) raw.socket.write(chunk);
  assert.equal((await raw.problem()).problem.code, 'body-too-large');
  raw.socket.write(`0\r\n\r\n${message('GET /v1/status').toString('latin1')}`);
  assert.equal((await raw.answer()).status, 200, 'the connection is good for the next request');
  assert.deepEqual(there.control.calls, []);
});

test('a body is invited only when the token is right and the length fits', async (t) => {
  const there = await admin(t);
  const lines = `${JSON_TYPE}Expect: 100-continue\r\n`;
  const refused = new Raw(t, there);
  refused.socket.write(message(`PATCH ${ONE}`, { auth: '', lines: `${lines}Content-Length: 12\r\n` }));
  assert.equal((await refused.problem()).status, 401);
  const large = new Raw(t, there);
  large.socket.write(message(`PATCH ${ONE}`, { lines: `${lines}Content-Length: 99999999\r\n` }));
  assert.equal((await large.problem()).status, 413);
  const good = new Raw(t, there);
  good.socket.write(message(`PATCH ${ONE}`, { lines: `${lines}Content-Length: 13\r\n` }));
  assert.equal((await good.answer()).status, 100);
  good.socket.write('{"weight": 2}');
  assert.equal((await good.answer()).status, 200);
});

test('a slow head and a slow body are given up (slowloris)', async (t) => {
  const there = await admin(t, {}, { headTime: 150, requestTime: 300 });
  const head = new Raw(t, there);
  head.socket.write('GET /v1/status HTTP/1.1\r\nHost: 127');
  assert.equal((await head.problem()).problem.code, 'body-timeout');
  const body = new Raw(t, there);
  body.socket.write(message('POST /v1/reload', { lines: `${JSON_TYPE}Content-Length: 100\r\n` }));
  assert.equal((await body.problem()).problem.code, 'body-timeout');
  await eventually(() => head.ended && body.ended, 'both are closed');
  assert.deepEqual(there.control.calls, []);
});

test('a client that leaves in the middle of its body changes nothing, and is no defect', async (t) => {
  const there = await admin(t);
  const raw = new Raw(t, there);
  raw.socket.write(message('POST /v1/reload', { lines: `${JSON_TYPE}Content-Length: 100\r\n` }));
  await new Promise((resolve) => setTimeout(resolve, 30));
  raw.socket.resetAndDestroy();
  await serves(t, there);
  assert.deepEqual(there.control.calls, []);
  assert.deepEqual(there.said, []);
});

test('garbage behind a good request is refused, and the good one answered', async (t) => {
  const there = await admin(t);
  const raw = new Raw(t, there);
  raw.socket.write(Buffer.concat([message('GET /v1/status'), Buffer.from('\0\0garbage\r\n\r\n')]));
  await eventually(() => raw.ended, 'it is closed');
  assert.match(raw.text, /^HTTP\/1\.1 (?:200|400) /);
  await serves(t, there);
});

test('more connections than allowed are dropped, and said', async (t) => {
  const there = await admin(t, {}, { connections: 2 });
  const all = [new Raw(t, there), new Raw(t, there)];
  for (const one of all) {
    one.socket.write(message('GET /v1/status'));
    assert.equal((await one.answer()).status, 200);
  }
  const third = new Raw(t, there);
  await eventually(() => third.ended, 'the third is closed');
  assert.equal(third.text, '');
  assert.deepEqual(there.said, ['warn admin-full more than 2 connections']);
});

test('changes run one after the other; not too many wait', async (t) => {
  const there = await admin(t, {}, { changes: 4 });
  const go: (() => void)[] = [];
  there.control.before = () => new Promise((resolve) => go.push(resolve));
  const first = new Raw(t, there);
  first.socket.write(json(`PATCH ${ONE}`, '{"weight": 1}'));
  await eventually(() => go.length === 1, 'the first is at work');
  const others = Array.from({ length: 6 }, () => new Raw(t, there));
  for (const [i, one] of others.entries()) one.socket.write(json(`PATCH ${ONE}`, `{"weight": ${i + 2}}`));
  await eventually(() => others.filter(({ text }) => text.includes('"busy"')).length === 2, 'two are refused');
  await serves(t, there);
  for (let done = 1; done <= 5; done++) {
    await eventually(() => go.length === done, `${done} have begun`);
    go[done - 1]();
  }
  assert.equal((await first.answer()).status, 200);
  const statuses = await Promise.all(others.map(async (one) => (await one.answer()).status));
  assert.deepEqual(
    statuses.toSorted((a, b) => a - b),
    [200, 200, 200, 200, 503, 503],
  );
  assert.equal(there.control.mostBusy, 1);
  assert.equal(there.control.calls.length, 5);
});

test('who leaves before its turn is not served', async (t) => {
  const there = await admin(t);
  let go = (): void => {};
  there.control.before = () => new Promise((resolve) => (go = resolve));
  const first = new Raw(t, there);
  first.socket.write(json(`PATCH ${ONE}`, '{"weight": 1}'));
  await eventually(() => there.control.calls.length === 1, 'the first is at work');
  const second = new Raw(t, there);
  second.socket.write(json(`DELETE ${ONE}`, ''));
  await new Promise((resolve) => setTimeout(resolve, 30));
  second.socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 30));
  go();
  assert.equal((await first.answer()).status, 200);
  await serves(t, there);
  assert.equal(there.control.calls.length, 1);
});

test('what Control refuses has its code, what it throws is a defect and stays inside', async (t) => {
  const there = await admin(t);
  const raw = new Raw(t, there);
  const cases: [Error, number, string][] = [
    [new ControlError('conflict', 'is there already'), 409, 'conflict'],
    [new ControlError('unavailable', 'is shutting down'), 503, 'unavailable'],
    [new ControlError('invalid', 'wrong', ['a', 'b']), 422, 'invalid'],
    [new TypeError(`x is not a function ${TOKEN}`), 500, 'failed'],
  ];
  for (const [error, status, code] of cases) {
    there.control.before = () => {
      throw error;
    };
    raw.socket.write(json(`PATCH ${ONE}`, '{"weight": 1}'));
    const { status: got, problem } = await raw.problem();
    assert.deepEqual([got, problem.code], [status, code]);
    if (code === 'invalid') assert.deepEqual(problem.problems, ['a', 'b']);
    if (code === 'failed') assert.doesNotMatch(JSON.stringify(problem), /function|hostile/);
  }
  assert.equal(there.said.length, 1);
  assert.match(there.said[0], /^error internal TypeError: x is not a function \*\*\*/);
});

test('an operation that hangs is answered in time', async (t) => {
  const there = await admin(t, {}, { workTime: 50 });
  there.control.before = () => new Promise(() => {});
  const raw = new Raw(t, there);
  raw.socket.write(json(`PATCH ${ONE}`, '{"weight": 1}'));
  assert.equal((await raw.problem()).problem.code, 'too-slow');
  await serves(t, there);
});

test('wrong tokens are slowed down and counted; the right one is not', async (t) => {
  const there = await admin(t);
  const started = performance.now();
  const guess = (): Promise<unknown> => {
    const raw = new Raw(t, there);
    raw.socket.write(message('GET /v1/status', { auth: 'Authorization: Bearer hunter2hunter2hunter2\r\n' }));
    return raw.problem();
  };
  const guesses = [guess(), guess(), guess()];
  await serves(t, there);
  await Promise.all(guesses);
  assert.ok(performance.now() - started >= 350, 'the third waits 400 ms');
  assert.deepEqual(there.said, [
    'warn admin-refused 127.0.0.1 has shown a wrong token',
    'warn admin-refused 127.0.0.1 has shown a wrong token (2 by now)',
    'warn admin-refused 127.0.0.1 has shown a wrong token (3 by now)',
  ]);
});

test('a connection that has shown a wrong token is done: guesses cannot be pipelined', async (t) => {
  const there = await admin(t);
  const raw = new Raw(t, there);
  const wrong = message(`DELETE ${ONE}`, { auth: 'Authorization: Bearer hunter2hunter2hunter2\r\n' });
  raw.socket.write(Buffer.concat([wrong, wrong, message(`DELETE ${ONE}`)]));
  const { problem, head } = await raw.problem();
  assert.equal(problem.code, 'wrong-token');
  assert.match(head, /^connection: close$/im);
  await eventually(() => raw.ended, 'it is closed');
  assert.deepEqual(there.control.calls, []);
  assert.equal(there.said.length, 1, 'the second guess was not even looked at');
});

test('a file that is no socket is not taken for a left-over one', async (t) => {
  const path = join(folderOf(t), 'admin.sock');
  writeFileSync(path, 'mine');
  await assert.rejects(admin(t, { address: { kind: 'unix', path, mode: 0o600 }, token: null }), { code: 'EADDRINUSE' });
  assert.equal(readFileSync(path, 'utf8'), 'mine');
});

test('the socket file of a killed process is replaced', async (t) => {
  const path = join(folderOf(t), 'admin.sock');
  // A process that is killed leaves its file behind.
  spawnSync(process.execPath, [
    '-e',
    `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]);
  assert.ok(statSync(path).isSocket());
  await admin(t, { address: { kind: 'unix', path, mode: 0o660 }, token: null });
  assert.equal(statSync(path).mode & 0o777, 0o660);
});

test('a unix socket: only its owner may open it, any Host will do, and nobody takes it over', async (t) => {
  const path = join(folderOf(t), 'admin.sock');
  const options = { address: { kind: 'unix', path, mode: 0o600 } as const, token: null };
  const there = await admin(t, options);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const raw = new Raw(t, { path });
  raw.socket.write(message(`DELETE ${ONE}`, { host: 'sluice', auth: '' }));
  assert.equal((await raw.answer()).status, 204);
  assert.deepEqual(there.control.calls, ['remove app 127.0.0.1:3000 undefined socket unix:']);
  raw.socket.write(message('GET /v1/status', { host: 'sluice', auth: '', lines: 'Origin: http://x\r\n' }));
  assert.equal((await raw.problem()).status, 403);
  const second = new AdminServer(optionsOf(options), {
    control: there.control,
    clock: { ...clockless },
    version: '0',
    say() {},
  });
  await assert.rejects(second.open(), { code: 'EADDRINUSE' });
});

const clockless = {
  now: () => 0,
  wall: () => 0,
  random: () => 0,
  after: () => () => {},
  every: () => () => {},
  soon: () => {},
};

test('close ends idle connections and waits for those at work', async (t) => {
  const there = await admin(t);
  const idle = new Raw(t, there);
  idle.socket.write(message('GET /v1/status'));
  await idle.answer();
  let go = (): void => {};
  there.control.before = () => new Promise((resolve) => (go = resolve));
  const working = new Raw(t, there);
  working.socket.write(json(`PATCH ${ONE}`, '{"weight": 1}'));
  await eventually(() => there.control.calls.length === 1, 'it is at work');
  const closed = there.server.close();
  await eventually(() => idle.ended, 'the idle one is closed');
  go();
  assert.equal((await working.answer()).status, 200);
  await closed;
  const late = connect(there.port, '127.0.0.1');
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});
