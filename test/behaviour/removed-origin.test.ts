/** Requests whose origin is taken out while they are being connected to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, type ConfigInput, showProblems } from '../../src/config/index.ts';
import { Sluice } from '../../src/sluice.ts';
import { start } from '../support/line.ts';
import { client, deafOrigin, eventually, get, ok, post, server } from '../support/scripted.ts';

test('a channel that is cut while it connects: its request goes to another origin, whatever its method', async (t) => {
  const good = await server(t, (request) => ok(request.method + request.body));
  const line = await start(t, [await deafOrigin(t), good.url], { timeouts: { connect: '1m' } });
  const peers = await Promise.all([line.connect(), line.connect()]);
  peers[0].send(get());
  peers[1].send(post('body'));
  await eventually(() => line.first.connections === 2, 'both to be connecting');
  assert.equal(line.app.pool.cut(line.first), 2);
  assert.equal((await peers[0].answer()).body, 'GET');
  assert.equal((await peers[1].answer()).body, 'POSTbody');
  const logged = await line.logged(2);
  for (const one of logged) {
    assert.equal(one.attempts, 2);
    assert.equal(one.error, undefined);
    assert.equal(one.origin, `127.0.0.1:${good.port}`);
  }
  await line.settled();
});

test('a reload that takes the origin out does so when its time is up, and nothing is logged as failed', async (t) => {
  const good = await server(t, () => ok('good'));
  const deaf = await deafOrigin(t);
  const config = (origins: string[]) => {
    const input: ConfigInput = {
      listen: '127.0.0.1:0',
      log: { access: 'off', error: 'off' },
      timeouts: { drain: '100ms' },
      upstreams: { app: { balance: 'first', origins, timeouts: { connect: '1m' } } },
    };
    const checked = check(input);
    if (checked.config === undefined) throw new Error(showProblems(checked.problems));
    return checked.config;
  };
  const sluice = new Sluice(config([deaf, good.url]), { messages: { say() {} } });
  t.after(() => sluice.close(0));
  await sluice.open();
  const [gone] = sluice.upstreams.get('app')?.origins ?? [];
  const peer = await client(t, Number(new URL(sluice.addresses[0]).port));
  peer.send(post('body'));
  await eventually(() => gone.connections === 1, 'the request to be connecting');
  await sluice.reload(config([good.url]));
  assert.equal((await peer.answer()).body, 'good');
  assert.equal(gone.connections, 0);
  assert.equal(gone.inFlight, 0);
});

test('with no other origin left it waits for one, as long as it may', async (t) => {
  const line = await start(t, await deafOrigin(t), { timeouts: { connect: '1m' }, queue: { timeout: '200ms' } });
  const peer = await line.connect();
  peer.send(get());
  await eventually(() => line.first.connections === 1, 'the request to be connecting');
  line.app.pool.cut(line.first);
  assert.equal((await peer.answer()).status, 504);
  const [logged] = await line.logged(1);
  assert.equal(logged?.error, 'backlog-timeout');
  assert.match(logged?.detail ?? '', /the origin was removed/);
  await line.settled();
});
