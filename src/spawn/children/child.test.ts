import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settled, Stage } from '../../../test/support/children.ts';

test('a child is ready when it takes connections, and only then', async () => {
  const stage = new Stage({ ready: { timeout: '5s' } });
  stage.launcher.quick = false;
  await stage.pass(1000);
  assert.equal(stage.shown, 'app.1 starting');
  assert.equal(stage.changes, 0);
  stage.launcher.at(1).ready = true;
  await stage.pass(500);
  assert.equal(stage.shown, 'app.1 ready');
  assert.equal(stage.changes, 1);
  assert.match(stage.with('child-ready')[0] ?? '', /^info child-ready app\.1 \(pid 1001\) is ready after 1/);
});

test('a child is ready when it writes the line that was asked for', async () => {
  const stage = new Stage({ ready: { line: 'listening on' } });
  await stage.pass(500);
  assert.equal(stage.shown, 'app.1 starting', 'taking connections is not enough');
  stage.launcher.at(1).ears.heard('now listening on 3000');
  await stage.pass(100);
  assert.equal(stage.shown, 'app.1 ready');
});

test('a child that looks ready and ends in the same moment never was', async () => {
  const stage = new Stage({ crash: { first: '10s' } });
  await settled();
  stage.look();
  await settled();
  stage.clock.advance(15);
  await settled();
  stage.launcher.at(1).end('ended with code 3');
  await stage.pass(200);
  assert.equal(stage.changes, 0);
  assert.match(stage.with('child-crashed')[0] ?? '', /app\.1 \(pid 1001\) ended with code 3 before it was ready$/);
});

test('a child that is never ready is ended, TERM first, and counts as crashed', async () => {
  const stage = new Stage({
    ready: { http: '/up', timeout: '1s' },
    killDelay: '2s',
    crash: { first: '1m', most: '1m' },
  });
  stage.launcher.quick = false;
  stage.launcher.stubborn = true;
  await stage.pass(1100);
  assert.deepEqual(stage.launcher.at(1).signals, ['SIGTERM']);
  assert.match(
    stage.with('child-crashed')[0] ?? '',
    /was not ready within 1s \(ready is an answer of 2xx or 3xx to GET \/up\)$/,
  );
  assert.equal(stage.pool.counts.crashes, 1);
  await stage.pass(2100);
  assert.deepEqual(stage.launcher.at(1).signals, ['SIGTERM', 'SIGKILL']);
  assert.equal(stage.shown, '');
  assert.equal(stage.launcher.at(1).forgotten, true);
  assert.equal(stage.pool.counts.crashes, 1, 'its end is no second crash');
  assert.match(stage.with('child-killed')[0] ?? '', /is there 2s after TERM: it gets KILL$/);
});

test('processes that an ended child has left are ended', async () => {
  const stage = new Stage({ killDelay: '1s', crash: { first: '1m', most: '1m' } });
  await stage.pass(100);
  const one = stage.launcher.at(1);
  one.stubborn = true;
  one.end('ended with code 0', 2);
  assert.equal(stage.shown.split(',')[0], 'app.1 ending');
  assert.deepEqual(one.signals, ['SIGTERM']);
  assert.equal(one.forgotten, false, 'the keeper has to know of them');
  await stage.pass(1200);
  assert.deepEqual(one.signals, ['SIGTERM', 'SIGKILL']);
  assert.equal(one.forgotten, true);
  assert.equal(stage.with('child-left').length, 1);
});

test('what cannot even be killed is given up after a while', async () => {
  const stage = new Stage({ killDelay: '100ms' });
  await stage.pass(100);
  const one = stage.launcher.at(1);
  one.signals.push = () => {
    one.left = 1;
    return 0;
  };
  one.stubborn = true;
  one.end = () => {};
  const over = stage.pool.end(false);
  await stage.pass(5000);
  await over;
  assert.equal(stage.shown, '');
});

test('a child that was asked to end while it was being launched is ended when it is there', async () => {
  const stage = new Stage();
  stage.look();
  const over = stage.pool.end(true);
  await settled();
  assert.deepEqual(stage.launcher.at(1).signals, ['SIGTERM']);
  await stage.pass(100);
  await over;
  assert.equal(stage.shown, '');
  assert.equal(stage.pool.counts.crashes, 0);
});

test('why a child could not be started, and what it said last, are in the line about it', async () => {
  const stage = new Stage({ crash: { first: '1s', most: '1s' } });
  stage.launcher.fails = 'its command app is not in any folder of PATH (/bin)';
  await stage.pass(100);
  assert.equal(
    stage.said[0],
    'error child-crashed app.1 cannot be started: its command app is not in any folder of PATH (/bin)',
  );
  stage.launcher.fails = null;
  await stage.pass(1200);
  stage.launcher.at(1).ears.heard('Error: no database');
  stage.launcher.at(1).end('ended with code 1');
  assert.match(stage.with('child-crashed')[1] ?? '', /ended with code 1 after .*; it said last: Error: no database$/);
});
