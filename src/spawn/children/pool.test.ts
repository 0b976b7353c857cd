import assert from 'node:assert/strict';
import { test } from 'node:test';
import { options, settled, Stage } from '../../../test/support/children.ts';

test('as many children as there are always to be, and one that ends is replaced at once', async () => {
  const stage = new Stage({ instances: { min: 2, max: 2 } });
  await stage.pass(2000);
  assert.equal(stage.shown, 'app.1 ready, app.2 ready');
  stage.launcher.at(1).end('was ended by SIGKILL');
  await stage.pass(100);
  assert.equal(stage.shown, 'app.2 ready, app.3 ready');
  assert.deepEqual([stage.pool.counts.starts, stage.pool.counts.crashes], [3, 1]);
  assert.match(stage.with('child-crashed')[0] ?? '', /app\.1 \(pid 1001\) was ended by SIGKILL after 2s$/);
});

test('children that do not live are started again after growing pauses, and then no more', async () => {
  const stage = new Stage({ crash: { first: '100ms', most: '1s', limit: 5 } });
  stage.launcher.fails = 'no';
  const starts: number[] = [];
  for (let i = 0; i < 40; i++) {
    await stage.pass(100);
    starts.push(stage.pool.counts.starts);
  }
  assert.equal(stage.pool.counts.starts, 5);
  // 100, 200, 400 and 800 ms between them.
  assert.ok((starts[1] ?? 0) <= 3 && (starts[4] ?? 0) <= 4 && starts[20] === 5, starts.join(' '));
  assert.equal(stage.pool.stopped, true);
  assert.equal(stage.changes, 1, 'those who wait are told');
  assert.match(
    stage.with('children-stopped')[0] ?? '',
    /^error children-stopped app: 5 children in a row did not live: no more .*cannot be started: no$/,
  );
  stage.waiting = 5;
  await stage.pass(60_000);
  assert.equal(stage.pool.counts.starts, 5);
});

/** A pool none of whose children can be started. */
function unfit(given: Parameters<typeof options>[0] = {}): Stage {
  const stage = new Stage(given);
  stage.launcher.fails = 'its command app does not exist';
  stage.launcher.unfit = true;
  return stage;
}

test('children that cannot be started at all: three tries at once, one line, and now and then a look', async () => {
  const stage = unfit();
  await stage.pass(500);
  assert.deepEqual([stage.pool.stopped, stage.pool.counts.starts, stage.changes], [true, 3, 1]);
  assert.deepEqual(stage.said, [
    'error children-stopped app: no child can be started: its command app does not exist; requests are refused until one can; ' +
      'the next is tried in 5s, on a reload, `sluice restart`, or when its `spawn` or what it watches changes',
  ]);
  await stage.pass(300_000);
  // After 5, 10, 20, 40, and then each 60 s.
  const { starts } = stage.pool.counts;
  assert.ok(starts >= 10 && starts <= 12, String(starts));
  assert.equal(stage.said.length, 1, 'the same is said once');
  stage.launcher.fails = 'its command app is not executable';
  await stage.pass(60_000);
  assert.match(stage.said[1] ?? '', /^error children-stopped .* app is not executable; .* in 1m,/);
  assert.equal(stage.changes, 1, 'nobody else is concerned');
  assert.equal(stage.pool.stopped, true);

  stage.launcher.fails = null;
  await stage.pass(60_500);
  assert.deepEqual([stage.pool.stopped, stage.pool.members.length], [false, 1]);
});

test('what could not be started for long has all its tries once it can', async () => {
  const stage = unfit();
  await stage.pass(300_000);
  stage.launcher.fails = null;
  stage.launcher.quick = false;
  // One is started within a minute, and is not ready in time.
  await stage.pass(95_000);
  assert.ok(stage.launcher.played.length > 0);
  assert.equal(stage.with('children-stopped').length, 1, stage.said.join('; '));
  stage.launcher.quick = true;
  await stage.pass(95_000);
  assert.deepEqual([stage.pool.stopped, stage.pool.members.length], [false, 1]);
});

test('a reload looks again at what could not be started, but not at what has crashed', async () => {
  const stage = unfit();
  await stage.pass(500);
  stage.pool.again();
  assert.equal(stage.pool.stopped, false, 'it may be there by now');
  await stage.pass(500);
  assert.equal(stage.pool.stopped, true);
  stage.launcher.fails = null;
  stage.pool.again();
  await stage.pass(100);
  assert.deepEqual([stage.pool.stopped, stage.pool.members.length], [false, 1]);

  const crashing = new Stage({ crash: { limit: 1 } });
  crashing.launcher.fails = 'no';
  await crashing.pass(100);
  crashing.pool.again();
  assert.equal(crashing.pool.stopped, true);
});

test('where no children are always there, one is tried all the same when none could be started', async () => {
  const stage = unfit({ instances: { min: 0, max: 2 } });
  await stage.pass(1000);
  assert.equal(stage.pool.counts.starts, 0);
  stage.waiting = 1;
  await stage.pass(1000);
  assert.equal(stage.pool.stopped, true);
  stage.waiting = 0;
  stage.launcher.fails = null;
  await stage.pass(6000);
  assert.equal(stage.pool.stopped, false);
});

test('several that are begun at once are one try, and of those to come only one is tried', async () => {
  const stage = unfit({ instances: { min: 4, max: 4 } });
  await stage.pass(50);
  assert.deepEqual([stage.pool.stopped, stage.pool.counts.starts], [false, 4]);
  await stage.pass(950);
  assert.deepEqual([stage.pool.stopped, stage.pool.counts.starts], [true, 12]);
  await stage.pass(5000);
  assert.equal(stage.pool.counts.starts, 13);
});

test('a shell that cannot become the program ends so; a program that can be started and crashes is another matter', async () => {
  const stage = new Stage({ crash: { first: '10ms', most: '10ms', limit: 20 } });
  stage.launcher.quick = false;
  for (let i = 1; i <= 3; i++) {
    await stage.pass(200);
    stage.launcher.at(i).ears.heard('sh: not found');
    stage.launcher.at(i).end('ended with code 127');
  }
  await stage.pass(50);
  assert.equal(stage.pool.stopped, true);
  assert.match(
    stage.with('children-stopped')[0] ?? '',
    /started: ended with code 127 before it was ready; it said last: sh: not found; /,
  );
  await stage.pass(5000);
  stage.launcher.at(4).end('ended with code 1');
  await stage.pass(50);
  assert.equal(stage.pool.stopped, false, 'requests wait for the next one');
});

test('a restart begins again where it had stopped', async () => {
  const stage = new Stage({ crash: { limit: 1 } });
  stage.launcher.fails = 'no';
  await stage.pass(100);
  assert.equal(stage.pool.stopped, true);
  stage.launcher.fails = null;
  stage.pool.restart('operator');
  await stage.pass(100);
  assert.equal(stage.pool.stopped, false);
  assert.equal(stage.shown, 'app.2 ready');
});

test('one that has lived for a second does not count, and the count begins anew', async () => {
  const stage = new Stage({ crash: { first: '10ms', most: '10ms', limit: 3 } });
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 2; i++) {
      await stage.pass(150);
      stage.launcher.played.at(-1)?.end();
    }
    await stage.pass(1500);
  }
  assert.equal(stage.pool.stopped, false);
  assert.equal(stage.pool.counts.crashes, 8);
});

test('children that crash beside one that lives for long are not forgiven because of it', async () => {
  const stage = new Stage({ instances: { min: 2, max: 2 }, crash: { first: '10ms', most: '10ms', limit: 3 } });
  await stage.pass(5000);
  for (let i = 0; i < 3; i++) {
    stage.launcher.played.at(-1)?.end();
    await stage.pass(200);
  }
  // The first of the three had lived for long itself.
  assert.equal(stage.pool.stopped, false);
  stage.launcher.played.at(-1)?.end();
  await stage.pass(200);
  assert.equal(stage.pool.stopped, true);
  assert.equal(stage.shown, 'app.1 ready', 'who lives goes on');
});

test('a rolling restart: a new one is ready before an old one drains, and never fewer than wanted take requests', async () => {
  const stage = new Stage({ instances: { min: 3, max: 3 } });
  await stage.pass(1000);
  for (const name of ['app.1', 'app.2', 'app.3']) stage.inFlight.set(name, 1);
  stage.launcher.quick = false;
  stage.pool.restart('operator');
  await stage.pass(1000);
  assert.equal(stage.shown, 'app.1 ready, app.2 ready, app.3 ready, app.4 starting');
  stage.launcher.at(4).ready = true;
  await stage.pass(300);
  assert.equal(stage.pool.members.length, 3);
  assert.match(stage.shown, /app\.1 draining, app\.2 ready, app\.3 ready, app\.4 ready, app\.5 starting/);
  assert.deepEqual(stage.launcher.at(1).signals, [], 'it has a request in hand');
  stage.inFlight.clear();
  await stage.pass(300);
  assert.deepEqual(stage.launcher.at(1).signals, ['SIGTERM']);
  stage.launcher.quick = true;
  stage.launcher.at(5).ready = true;
  for (let i = 0; i < 10; i++) {
    await stage.pass(200);
    assert.ok(stage.pool.members.length >= 3);
  }
  assert.equal(stage.shown, 'app.4 ready, app.5 ready, app.6 ready');
  assert.equal(stage.pool.counts.restarts.operator, 3);
  assert.equal(stage.pool.counts.crashes, 0);
});

test('a restart whose new children do not live leaves the old ones at work', async () => {
  const stage = new Stage({ instances: { min: 2, max: 2 }, crash: { limit: 3 } });
  await stage.pass(1500);
  stage.launcher.fails = 'it is broken';
  stage.pool.update(options({ command: 'other', instances: { min: 2, max: 2 }, crash: { limit: 3 } }), Infinity);
  await stage.pass(10_000);
  assert.equal(stage.shown, 'app.1 ready, app.2 ready');
  assert.equal(stage.pool.stopped, true);
  stage.launcher.fails = null;
  stage.pool.restart('operator');
  await stage.pass(1000);
  assert.equal(stage.shown, 'app.6 ready, app.7 ready');
  assert.equal(stage.launcher.played.at(-1)?.order.options.command, 'other');
});

test('a draining child ends when data planes have let go of it, or its time is up', async () => {
  const stage = new Stage();
  await stage.pass(1000);
  stage.follows = false;
  stage.pool.restart('operator');
  await stage.pass(1000);
  assert.equal(stage.shown, 'app.1 draining, app.2 ready', 'somebody may send it a request still');
  await stage.pass(30_000);
  assert.equal(stage.shown, 'app.2 ready');
});

test('an unchanged config touches nothing; what can be changed under a child is; the rest rolls', async () => {
  const stage = new Stage();
  await stage.pass(1000);
  stage.pool.update(options(), Infinity);
  await stage.pass(500);
  stage.pool.update(options({ maxAge: '1h', idleTimeout: '5m', killDelay: '1s', instances: { min: 1, max: 3 } }), 4);
  await stage.pass(500);
  assert.equal(stage.shown, 'app.1 ready');
  stage.pool.update(options({ env: { A: 'b' } }), Infinity);
  await stage.pass(500);
  assert.equal(stage.shown, 'app.2 ready');
  assert.equal(stage.pool.counts.restarts.config, 1);
});

test('replaced after so many requests, so much time, so much memory', async () => {
  const stage = new Stage({ maxRequests: 100, maxAge: '1m' });
  await stage.pass(1000);
  stage.requests.set('app.1', 100);
  await stage.pass(500);
  assert.equal(stage.shown, 'app.2 ready');
  await stage.pass(61_000);
  assert.equal(stage.shown, 'app.3 ready');
  const [child] = stage.pool.members;
  assert.ok(child);
  stage.pool.outgrown(child, 'memory');
  await stage.pass(500);
  assert.equal(stage.shown, 'app.4 ready');
  const { requests, age, memory } = stage.pool.counts.restarts;
  assert.deepEqual([requests, age, memory, stage.pool.counts.crashes], [1, 1, 1, 0]);
});

test('none until a request waits; none again when idle', async () => {
  const stage = new Stage({ instances: { min: 0, max: 2 }, idleTimeout: '1s' }, 1);
  await stage.pass(5000);
  assert.equal(stage.pool.counts.starts, 0);
  stage.waiting = 2;
  await stage.pass(100);
  assert.equal(stage.shown, 'app.1 ready, app.2 ready');
  stage.waiting = 0;
  stage.inFlight.set('app.1', 1);
  await stage.pass(1500);
  assert.equal(stage.shown, 'app.1 ready', 'the one that has nothing to do goes');
  stage.inFlight.clear();
  await stage.pass(1500);
  assert.equal(stage.shown, '');
  assert.equal(stage.pool.counts.crashes, 0);
});

test('a child that is recycled when nobody needs it has no successor', async () => {
  const stage = new Stage({ instances: { min: 0, max: 1 }, idleTimeout: '1s', maxAge: '2s' });
  stage.waiting = 1;
  await stage.pass(200);
  stage.waiting = 0;
  await stage.pass(5000);
  assert.equal(stage.shown, '');
  assert.equal(stage.pool.counts.starts, 1);
});

test('what a config no longer has finishes what is in hand and ends, and nothing follows', async () => {
  const stage = new Stage({ instances: { min: 2, max: 2 } });
  await stage.pass(1000);
  stage.inFlight.set('app.2', 1);
  let over = false;
  void stage.pool.retire().then(() => (over = true));
  await stage.pass(500);
  assert.equal(stage.shown, 'app.2 draining');
  stage.inFlight.clear();
  await stage.pass(500);
  await settled();
  assert.equal(over, true);
  assert.equal(stage.pool.counts.starts, 2);
});

test('at the end all get TERM, and KILL soon when nobody wants to wait', async () => {
  const stage = new Stage({ instances: { min: 2, max: 2 }, killDelay: '1m' });
  stage.launcher.stubborn = true;
  await stage.pass(1000);
  let over = false;
  void stage.pool.end(false).then(() => (over = true));
  await stage.pass(2000);
  assert.equal(over, false);
  void stage.pool.end(true);
  await stage.pass(1500);
  assert.equal(over, true);
  assert.deepEqual(stage.launcher.at(1).signals, ['SIGTERM', 'SIGKILL']);
  assert.equal(stage.clock.waiting, 0, 'no timer is left');
});

test('one that dies while sluice ends is not replaced', async () => {
  const stage = new Stage();
  await stage.pass(1000);
  stage.pool.freeze();
  stage.launcher.at(1).end();
  await stage.pass(1000);
  assert.equal(stage.shown, '');
  assert.equal(stage.pool.counts.starts, 1);
});
