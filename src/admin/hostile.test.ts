/** Wrong requests, as bytes: each is answered with its code, and none changes anything. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { admin, folderOf, optionsOf, TOKEN, type Admin } from '../../test/support/admin.ts';
import { JSON_TYPE, json, message, ONE, ORIGINS, Raw, ROWS } from '../../test/support/hostile-requests.ts';
import { eventually } from '../../test/support/scripted.ts';
import { ControlError } from '../control/control.ts';
import { AdminServer } from './server.ts';

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
  await serves(t, there);
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
  // Whoever asks later and has been answered tells that what came before has been seen.
  await serves(t, there);
  second.socket.destroy();
  await serves(t, there);
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
