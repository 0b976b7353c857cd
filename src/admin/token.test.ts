import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { admin, folderOf, optionsOf, TOKEN } from '../../test/support/admin.ts';
import { manualClock } from '../../test/support/clock.ts';
import { ask } from '../../test/support/program.ts';
import { Guesses, isTold } from './guesses.ts';
import { readToken, TokenCheck } from './token.ts';

test('a token from the config, from a file, or none', async (t) => {
  const file = join(folderOf(t), 'token');
  writeFileSync(file, `  ${TOKEN}\n\n`);
  assert.equal(await readToken({ token: TOKEN, tokenFile: null }), TOKEN);
  assert.equal(await readToken({ token: null, tokenFile: file }), TOKEN);
  assert.equal(await readToken({ token: null, tokenFile: null }), null);
});

test('what is wrong with the file names the file, and nothing in it', async (t) => {
  const file = join(folderOf(t), 'token');
  const wrong = async (text: string | null, says: RegExp): Promise<void> => {
    if (text !== null) writeFileSync(file, text);
    await assert.rejects(readToken({ token: null, tokenFile: file }), (error: Error) => {
      assert.match(error.message, says);
      assert.ok(error.message.includes(file) && !error.message.includes('hunter'));
      return true;
    });
  };
  await wrong(null, /there is no such file$/);
  await wrong('hunter2\n', /at least 16 characters$/);
  await wrong('hunter2 hunter2 hunter2', /without spaces$/);
  await wrong('hunter2-hunter2\nhunter2-hunter2', /one line/);
  await wrong(`hunter2-hunter2-${'ä'.repeat(8)}`, /ASCII/);
});

test('bearer tokens, and nothing else', () => {
  const check = new TokenCheck(TOKEN);
  assert.equal(check.of(`Bearer ${TOKEN}`), 'good');
  assert.equal(check.of(`bearer   ${TOKEN} `), 'good', 'the scheme has no case (RFC 9110 §11.1)');
  assert.equal(check.of(undefined), 'no-token');
  for (const text of [
    '',
    'Bearer',
    TOKEN,
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN} x`,
    `Bearer ${TOKEN.toUpperCase()}`,
    `Basic ${TOKEN}`,
  ]) {
    assert.equal(check.of(text), 'wrong-token', text);
  }
  assert.equal(new TokenCheck(null).of(undefined), 'good');
});

test('a reload reads the file again; one that is wrong changes nothing', async (t) => {
  const file = join(folderOf(t), 'token');
  writeFileSync(file, TOKEN);
  const there = await admin(t, { token: null, tokenFile: file });
  const status = async (token: string): Promise<number> =>
    (await ask(`${there.url}/v1/status`, { headers: { Authorization: `Bearer ${token}` } })).status;
  assert.equal(await status(TOKEN), 200);
  writeFileSync(file, 'another-token-of-the-operators');
  const options = optionsOf({ token: null, tokenFile: file });
  (await there.server.prepare(options))();
  assert.deepEqual([await status(TOKEN), await status('another-token-of-the-operators')], [401, 200]);
  writeFileSync(file, 'short');
  await assert.rejects(there.server.prepare({ ...options, metrics: 'open' }), /at least 16/);
  assert.equal(await status('another-token-of-the-operators'), 200);
  assert.equal((await ask(`${there.url}/metrics`)).status, 401, 'metrics did not open either');
});

test('guessing gets slower, for each peer, and is forgotten after ten quiet minutes', () => {
  const clock = manualClock();
  const guesses = new Guesses(clock);
  const waits = Array.from({ length: 8 }, () => guesses.wrong('10.0.0.1').wait);
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  assert.deepEqual(guesses.wrong('10.0.0.2'), { wait: 100, count: 1 });
  clock.advance(600_001);
  assert.deepEqual(guesses.wrong('10.0.0.1'), { wait: 100, count: 1 });
  for (let i = 0; i < 2000; i++) guesses.wrong(`peer ${i}`);
  assert.equal(guesses.wrong('10.0.0.1').count, 1, 'the oldest peers are forgotten: memory is bounded');
  assert.deepEqual(Array.from({ length: 40 }, (_, i) => i + 1).filter(isTold), [1, 2, 3, 4, 5, 8, 16, 32]);
});
