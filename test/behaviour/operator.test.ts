/** What operators see and change, at a proxy that runs and has requests: the real `Control`, with one thread and with two. */
import assert from 'node:assert/strict';
import test, { describe, type TestContext } from 'node:test';
import { ControlError } from '../../src/control/control.ts';
import { originView, planView, recordView, statusView, upstreamView, waitingView } from '../../src/control/views.ts';
import type { OriginView, UpstreamView } from '../../src/control/views.ts';
import { Sluice } from '../../src/sluice.ts';
import { manualClock } from '../support/clock.ts';
import { dnsServer } from '../support/dns-server.ts';
import { eventually } from '../support/scripted.ts';
import {
  checked,
  fetchOnce,
  namedOrigin,
  type NamedOrigin,
  type Running,
  running,
  textOf,
  until,
  whoAnswers,
} from '../support/running.ts';

const listen = '127.0.0.1:0';

/** An origin that answers when it is told to. */
async function holding(t: TestContext): Promise<NamedOrigin & { release(): void }> {
  const held: (() => void)[] = [];
  const origin = await namedOrigin(t, 'held', (_, response) => void held.push(() => response.end('held')));
  return { ...origin, release: () => held.splice(0).forEach((go) => go()) };
}

async function app({ control }: Running): Promise<UpstreamView> {
  const views = await control.upstreams();
  const found = views.find(({ name }) => name === 'app');
  assert.ok(found !== undefined);
  return found;
}

async function viewOf(there: Running, { address }: NamedOrigin): Promise<OriginView | undefined> {
  return (await app(there)).origins.find(({ name }) => name === address);
}

function refusedAs(code: ControlError['code'], says: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof ControlError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, says);
    return true;
  };
}

for (const threads of [1, 2]) {
  describe(`with ${threads} thread${threads === 1 ? '' : 's'}`, () => {
    async function two(t: TestContext, more: { readonly balance?: 'first' } = {}) {
      const [red, blue] = [await namedOrigin(t, 'red'), await namedOrigin(t, 'blue')];
      const config = {
        listen,
        threads,
        upstreams: { app: { origins: [red.url, blue.url], balance: more.balance ?? ('round-robin' as const) } },
      };
      return { red, blue, config, there: await running(t, config) };
    }

    test('status counts what came, and the threads add up', async (t) => {
      const { there } = await two(t);
      const { base, control } = there;
      for (let i = 0; i < 20; i++) assert.equal((await fetchOnce(`${base}/`)).status, 200);
      const sum = (numbers: number[]): number => numbers.reduce((all, one) => all + one, 0);
      // A request is counted when it is over, which is a moment after the client has its answer.
      await until(
        async () => sum((await control.status()).threads.map(({ requests }) => requests)) === 20,
        '20 requests',
      );
      const status = statusView.parse(await control.status());
      assert.equal(status.threads.length, threads);
      assert.deepEqual(new Set(status.threads.map(({ state }) => state)), new Set(['serving']));
      assert.equal(sum(status.threads.map(({ requests }) => requests)), 20);
      assert.equal(sum(status.threads.map(({ inFlight }) => inFlight)), 0);
      const [listener] = status.listeners;
      assert.equal(listener.address, base);
      assert.equal(listener.opened, 20);
      assert.equal(listener.refused, 0);
      assert.equal(sum(status.threads.map(({ connections }) => connections)), listener.connections);
      assert.equal(status.state, 'running');
      assert.equal(status.pid, process.pid);
    });

    test('upstreams and origins count by class, with errors, latency and what is in flight', async (t) => {
      const good = await namedOrigin(t, 'good', (request, response) => {
        response.statusCode = Number(request.url?.slice(1));
        response.end();
      });
      const dead = await namedOrigin(t, 'dead');
      dead.server.close();
      const there = await running(t, {
        listen,
        threads,
        upstreams: {
          app: { origins: [dead.url, good.url], balance: 'first', disableTime: { first: '1m', most: '1m' } },
        },
      });
      for (const status of [200, 200, 204, 301, 404, 500]) {
        assert.equal((await fetchOnce(`${there.base}/${status}`)).status, status);
      }
      await until(async () => (await app(there)).requests === 6, 'six requests to be counted');
      const view = upstreamView.parse(await app(there));
      const answers = { '1xx': 0, '2xx': 3, '3xx': 1, '4xx': 1, '5xx': 1, none: 0 };
      assert.deepEqual(view.answers, answers);
      assert.equal(view.requests, 6);
      assert.equal(view.inFlight, 0);
      assert.equal(view.balance, 'first');
      assert.ok(view.latency.p50 !== null && view.latency.p99 !== null && view.latency.p50 <= view.latency.p99);
      const [first, second] = view.origins;
      assert.equal(first.state, 'down');
      assert.match(first.reason, /connect-refused/);
      assert.ok(first.errors >= 1 && first.failures >= 1 && first.until !== null);
      assert.deepEqual([second.state, second.requests, second.answers], ['up', 6, answers]);
      assert.equal(second.errors, 0);
      assert.ok(second.connections >= 1 && second.connections === second.idle);
      assert.equal(view.retries, first.errors, 'each failed attempt was made good elsewhere');
    });

    test('the queue: its length, the oldest, and who is in it', async (t) => {
      const slow = await holding(t);
      const there = await running(t, {
        listen,
        threads,
        upstreams: { app: { origins: slow.url, maxConnections: 1, queue: { size: 7, timeout: '10m' } } },
      });
      const asked = [fetchOnce(`${there.base}/first`)];
      await eventually(() => slow.seen.length === 1, 'the first to be at the origin');
      for (const path of ['/a', '/b?token=secret']) {
        asked.push(fetchOnce(there.base + path));
        await until(async () => (await app(there)).queue.length === asked.length - 1, `${path} to wait`);
      }
      const { queue, inFlight, origins } = await app(there);
      assert.deepEqual([queue.length, queue.size, inFlight, origins[0].state], [2, 7, 1, 'full']);
      assert.ok(queue.oldest !== null && queue.oldest >= 0);
      const list = (await there.control.waiting('app', 10)).map((one) => waitingView.parse(one));
      assert.deepEqual(
        list.map(({ method, target }) => `${method} ${target.split('?')[0]}`),
        ['GET /a', 'GET /b'],
      );
      assert.doesNotMatch(JSON.stringify(list), /secret/);
      assert.ok(list[0].waited >= list[1].waited && list[0].left <= 600_000 && list[0].left > 500_000);
      assert.equal(list[0].client, '127.0.0.1');
      assert.equal((await there.control.waiting('app', 1)).length, 1);
      await assert.rejects(there.control.waiting('nosuch', 1), refusedAs('not-found', /there are: app/));
      while (slow.seen.length < 3) {
        slow.release();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      slow.release();
      assert.deepEqual(
        (await Promise.all(asked)).map(({ status }) => status),
        [200, 200, 200],
      );
      assert.deepEqual(await there.control.waiting('app', 10), []);
      assert.equal((await app(there)).queue.oldest, null);
    });

    test('an origin is added, shown as added, served, and gone with the reload', async (t) => {
      const { there, config } = await two(t);
      const green = await namedOrigin(t, 'green');
      const added = originView.parse(
        await there.control.addOrigin(
          'app',
          { url: green.url, weight: 3, maxConnections: 9 },
          undefined,
          'token 1.2.3.4',
        ),
      );
      assert.deepEqual(
        [added.name, added.source, added.state, added.weight, added.maxConnections, added.override],
        [green.address, 'admin', 'up', 3, 9, { added: true, until: 'reload' }],
      );
      assert.deepEqual(await whoAnswers(there.base), ['blue', 'green', 'red']);
      assert.ok(
        there.said.includes(`info audit app: add ${green.address}, weight 3, maxConnections 9 (token 1.2.3.4)`),
        there.said.join('\n'),
      );
      await there.control.reload(textOf(config), 'me');
      assert.equal(await viewOf(there, green), undefined);
      assert.deepEqual(await whoAnswers(there.base), ['blue', 'red']);
    });

    test('what has a TTL outlives a reload', async (t) => {
      const { there, config, red } = await two(t);
      const green = await namedOrigin(t, 'green');
      await there.control.addOrigin('app', { url: green.url }, 60_000, 'me');
      await there.control.changeOrigin('app', red.address, { weight: 7 }, 60_000, 'me');
      await there.control.reload(textOf(config), 'me');
      assert.match(String((await viewOf(there, green))?.override?.until), /^\d{4}-/);
      assert.equal((await viewOf(there, red))?.weight, 7);
    });

    // How long a reload takes is the machine's affair: nothing here says what is there before the end.
    test('what has a TTL ends by itself, a reload or not, and says so', async (t) => {
      const { there, config, red } = await two(t);
      const green = await namedOrigin(t, 'green');
      await there.control.addOrigin('app', { url: green.url }, 500, 'me');
      await there.control.changeOrigin('app', red.address, { weight: 7 }, 500, 'me');
      await there.control.reload(textOf(config), 'me');
      await until(async () => (await viewOf(there, green)) === undefined, 'the addition to end');
      await until(async () => (await viewOf(there, red))?.override === null, 'the weight to end');
      assert.equal((await viewOf(there, red))?.weight, 1);
      const ended = (): string[] => there.said.filter((line) => line.startsWith('info override-ended'));
      // It is said when all threads have gone over, which is later than operators see it.
      await eventually(
        () => ended().length >= 2,
        () => there.said.join('\n'),
      );
      assert.deepEqual(ended().toSorted(), [
        `info override-ended change origin app ${red.address}: weight`,
        `info override-ended remove origin app ${green.address}`,
      ]);
    });

    test('a drained origin finishes what it has, its idle connections close, and it comes back', async (t) => {
      let finish = (): void => {};
      const slow = await namedOrigin(t, 'slow', (request, response) => {
        if (request.url === '/long') finish = () => response.end('long');
        else response.end('slow');
      });
      const other = await namedOrigin(t, 'other');
      const there = await running(t, {
        listen,
        threads,
        upstreams: { app: { origins: [slow.url, other.url], balance: 'first' } },
      });
      assert.deepEqual(await whoAnswers(there.base, 4), ['slow']);
      const long = fetchOnce(`${there.base}/long`);
      await eventually(() => slow.seen.includes('/long'), 'the long request to be there');
      const view = await there.control.changeOrigin('app', slow.address, { state: 'draining' }, undefined, 'me');
      assert.deepEqual([view.state, view.override], ['draining', { state: 'draining', until: 'reload' }]);
      assert.deepEqual(await whoAnswers(there.base, 6), ['other']);
      finish();
      assert.deepEqual(await long, { ...(await long), status: 200, body: 'long' });
      await until(async () => (await slow.connections()) === 0, 'all its connections to be closed');
      const back = await there.control.changeOrigin('app', slow.address, { state: 'up' }, undefined, 'me');
      assert.deepEqual([back.state, back.override], ['up', null]);
      assert.deepEqual(await whoAnswers(there.base, 4), ['slow']);
    });

    test('each change has an end of its own: draining for a while does not take the addition along', async (t) => {
      const { there } = await two(t);
      const green = await namedOrigin(t, 'green');
      await there.control.addOrigin('app', { url: green.url }, undefined, 'me');
      const drained = await there.control.changeOrigin('app', green.address, { state: 'draining' }, 60_000, 'me');
      assert.equal(drained.override?.added, true);
      assert.match(drained.override?.until ?? '', /^\d{4}-/);
      await there.control.changeOrigin('app', green.address, { state: 'draining' }, 500, 'me');
      await until(async () => (await viewOf(there, green))?.state === 'up', 'the draining to end');
      assert.deepEqual((await viewOf(there, green))?.override, { added: true, until: 'reload' });
      assert.deepEqual(await whoAnswers(there.base), ['blue', 'green', 'red']);
    });

    test('removed, added again, and added again with another weight', async (t) => {
      const { there, red } = await two(t);
      await there.control.removeOrigin('app', red.address, undefined, 'me');
      assert.deepEqual(await whoAnswers(there.base, 6), ['blue']);
      const plain = await there.control.addOrigin('app', { url: red.url }, undefined, 'me');
      assert.deepEqual([plain.override, plain.source, plain.weight], [null, 'config', 1]);
      assert.deepEqual(await whoAnswers(there.base, 6), ['blue', 'red']);
      await there.control.removeOrigin('app', red.address, undefined, 'me');
      const heavy = await there.control.addOrigin('app', { url: red.url, weight: 4, backup: true }, undefined, 'me');
      assert.deepEqual([heavy.weight, heavy.backup, heavy.override], [4, true, { added: true, until: 'reload' }]);
      assert.deepEqual(await whoAnswers(there.base, 6), ['blue'], 'it is a backup now');
      await there.control.removeOrigin('app', red.address, undefined, 'me');
      assert.equal(await viewOf(there, red), undefined, 'what the config has below does not shine through');
    });

    test('weights: of one origin, shown, in force, and back', async (t) => {
      const { there, red, blue } = await two(t);
      const none = await there.control.changeOrigin('app', red.address, { weight: 0 }, undefined, 'me');
      assert.deepEqual(none.override, { weight: 0, until: 'reload' });
      assert.deepEqual(await whoAnswers(there.base, 8), ['blue']);
      await there.control.changeOrigin('app', red.address, { weight: 3, state: 'draining' }, undefined, 'me');
      const up = await there.control.changeOrigin('app', red.address, { state: 'up' }, undefined, 'me');
      assert.deepEqual([up.state, up.weight, up.override], ['up', 3, { weight: 3, until: 'reload' }]);
      assert.equal((await viewOf(there, blue))?.override, null);
    });

    test('what cannot be done is refused, says why, and changes and audits nothing', async (t) => {
      const { there, red } = await two(t);
      const before = await there.control.config();
      const { control } = there;
      const cases: [() => Promise<unknown>, ControlError['code'], RegExp][] = [
        [
          () => control.addOrigin('app', { url: red.url }, undefined, 'me'),
          'conflict',
          /app has 127\.0\.0\.1:\d+ already/,
        ],
        [() => control.addOrigin('nosuch', { url: red.url }, undefined, 'me'), 'not-found', /there are: app/],
        [
          () => control.addOrigin('app', { url: 'http://example.org:80' }, undefined, 'me'),
          'invalid',
          /example\.org is a name/,
        ],
        [() => control.addOrigin('app', { url: 'srv:_http._tcp.a' }, undefined, 'me'), 'invalid', /is a name/],
        [() => control.addOrigin('app', { url: 'cgi:/bin/sh' }, undefined, 'me'), 'invalid', /said in the config only/],
        [() => control.addOrigin('app', { url: 'ftp://127.0.0.1' }, undefined, 'me'), 'invalid', /^url: /],
        [() => control.addOrigin('app', { url: 'http://127.0.0.1/path' }, undefined, 'me'), 'invalid', /^url: /],
        [
          () => control.removeOrigin('app', '127.0.0.1:1', undefined, 'me'),
          'not-found',
          /app has no origin "127\.0\.0\.1:1"; it has: 127/,
        ],
        [() => control.changeOrigin('app', '127.0.0.1:1', { weight: 1 }, undefined, 'me'), 'not-found', /it has: /],
        [
          () => control.changeOrigin('__proto__', red.address, { weight: 1 }, undefined, 'me'),
          'not-found',
          /no upstream/,
        ],
        [() => control.record('nosuch'), 'not-found', /the access log may have it/],
        [() => control.reload(undefined, 'me'), 'unavailable', /did not come from a file/],
      ];
      for (const [work, code, says] of cases) await assert.rejects(work(), refusedAs(code, says));
      assert.deepEqual(await control.config(), before);
      assert.deepEqual(
        there.said.filter((line) => line.includes('audit')),
        [],
      );
    });

    test('changes that are asked for at once are applied one after the other, and none is lost', async (t) => {
      const { there, red, config } = await two(t);
      const greens = await Promise.all(Array.from({ length: 8 }, (_, i) => namedOrigin(t, `green${i}`)));
      let failed = 0;
      let stop = false;
      const traffic = (async () => {
        while (!stop) if ((await fetchOnce(`${there.base}/`)).status !== 200) failed++;
      })();
      const same = Array.from({ length: 4 }, () =>
        there.control.addOrigin('app', { url: greens[0].url }, undefined, 'me'),
      );
      const outcomes = await Promise.allSettled([
        ...same,
        ...greens.slice(1).map(({ url }) => there.control.addOrigin('app', { url }, 60_000, 'me')),
        there.control.changeOrigin('app', red.address, { weight: 5 }, 60_000, 'me'),
        there.control.reload(textOf(config), 'me'),
        there.control.removeOrigin('app', greens[1].address, undefined, 'me'),
      ]);
      stop = true;
      await traffic;
      assert.equal(failed, 0);
      assert.equal(
        outcomes.slice(0, 4).filter(({ status }) => status === 'fulfilled').length,
        1,
        'one of the same wins',
      );
      assert.deepEqual(new Set(outcomes.slice(4).map(({ status }) => status)), new Set(['fulfilled']));
      const names = (await app(there)).origins.map(({ name }) => name).toSorted();
      const expected = [
        red.address,
        config.upstreams.app.origins[1].slice(7),
        ...greens.slice(2).map(({ address }) => address),
      ];
      assert.deepEqual(names, expected.toSorted());
      assert.equal((await viewOf(there, red))?.weight, 5);
    });

    test('plan says what the reload then does, with the connections that end; the reload says the same', async (t) => {
      const { there, red, config } = await two(t);
      await whoAnswers(there.base, 6);
      const held = (await viewOf(there, red))?.connections ?? 0;
      assert.ok(held >= 1);
      const next = textOf({
        ...config,
        listen: [listen, 'localhost:0'],
        upstreams: {
          app: { ...config.upstreams.app, origins: config.upstreams.app.origins.slice(1), queue: { size: 3 } },
        },
      });
      const before = await there.control.config();
      const planned = planView.parse(await there.control.plan(next));
      assert.deepEqual(await there.control.config(), before);
      assert.deepEqual(
        planned.changes.find(({ what, action }) => what === 'origin' && action === 'remove'),
        { action: 'remove', what: 'origin', name: `app ${red.address}`, options: '', connections: held },
      );
      assert.deepEqual(planView.parse(await there.control.reload(next, 'token ::1')), planned);
      assert.deepEqual(await there.control.plan(next), { changes: [] });
      assert.deepEqual(await whoAnswers(there.base, 6), ['blue']);
      assert.ok(
        there.said.some((line) =>
          /^info audit reload with a config that was sent, \d changes \(token ::1\)$/.test(line),
        ),
      );
      await until(async () => (await red.connections()) === 0, 'its connections to be closed');
    });

    test('a wrong text changes nothing and lists every fault', async (t) => {
      const { there } = await two(t);
      const before = await there.control.config();
      const wrong = '{"upstreams": {"app": {"origins": [1], "balanc": 1, "queue": {"size": -1}}}}';
      for (const work of [there.control.plan(wrong), there.control.reload(wrong, 'me')]) {
        await assert.rejects(work, (error: unknown) => {
          assert.ok(error instanceof ControlError);
          assert.equal(error.problems.length, 2, error.problems.join('\n'));
          assert.match(error.problems.join('\n'), /did you mean "balance"\?/);
          return true;
        });
      }
      assert.deepEqual(await there.control.config(), before);
      assert.deepEqual(await whoAnswers(there.base), ['blue', 'red']);
    });

    test('failed requests are found by their id, whichever thread had them', async (t) => {
      const there = await running(t, {
        listen,
        threads,
        upstreams: { app: { origins: '127.0.0.1:1', queue: { timeout: '50ms' } } },
      });
      const ids: string[] = [];
      for (let i = 0; i < 8; i++)
        ids.push((await fetchOnce(`${there.base}/${i}?password=x`, undefined, { 'X-Request-Id': `mine-${i}` })).id);
      const all = (await there.control.records(100)).map((one) => recordView.parse(one));
      assert.equal(all.length, 8);
      assert.deepEqual(
        all.map(({ at }) => at),
        all
          .map(({ at }) => at)
          .toSorted()
          .toReversed(),
        'newest first',
      );
      for (const { id } of all) assert.deepEqual((await there.control.record(id)).id, id);
      assert.deepEqual(new Set(all.map(({ error, status }) => `${status} ${error}`)), new Set(['504 backlog-timeout']));
      assert.doesNotMatch(JSON.stringify(all), /password/);
      assert.equal((await there.control.records(3)).length, 3);
    });

    test('an address that a name leads to is drained, and still is when DNS says other things', async (t) => {
      const dns = await dnsServer(t);
      dns.host('app.example', ['127.0.0.2', '127.0.0.3'], 0);
      const config = {
        listen,
        threads,
        resolver: { servers: dns.address, least: '100ms', family: 'ipv4' as const },
        upstreams: { app: { origins: 'http://app.example:9' } },
      };
      const there = await running(t, config);
      const states = async (): Promise<string[]> =>
        (await app(there)).origins.map(({ name, state }) => `${name} ${state}`).toSorted();
      const view = await there.control.changeOrigin('app', '127.0.0.2:9', { state: 'draining' }, undefined, 'me');
      assert.deepEqual([view.source, view.state], ['dns', 'draining']);
      await there.control.removeOrigin('app', '127.0.0.3:9', undefined, 'me');
      assert.deepEqual(await states(), ['127.0.0.2:9 draining']);
      dns.host('app.example', ['127.0.0.2', '127.0.0.3', '127.0.0.4'], 0);
      await until(async () => (await states()).length === 2, 'the new address to come');
      assert.deepEqual(await states(), ['127.0.0.2:9 draining', '127.0.0.4:9 up']);
      await there.control.reload(textOf(config), 'me');
      assert.deepEqual(await states(), ['127.0.0.2:9 up', '127.0.0.3:9 up', '127.0.0.4:9 up']);
    });

    test('explain tells what then happens', async (t) => {
      const { there, red, blue } = await two(t, { balance: 'first' });
      const foretold = async (path: string): Promise<string | null> =>
        (await there.control.explain('GET', there.base + path, [])).pick;
      assert.equal(await foretold('/'), red.address);
      assert.deepEqual(await whoAnswers(there.base, 3), ['red']);
      await there.control.changeOrigin('app', red.address, { state: 'draining' }, undefined, 'me');
      assert.equal(await foretold('/'), blue.address);
      assert.deepEqual(await whoAnswers(there.base, 3), ['blue']);
      const told = await there.control.explain('GET', `${there.base}/`, []);
      assert.deepEqual(
        told.origins.map(({ name, state, usable }) => [name, state, usable]),
        [
          [red.address, 'draining', false],
          [blue.address, 'up', true],
        ],
      );
    });
  });
}

test('a TTL that is over while a reload or another change is under way is told as any other', async (t) => {
  const clock = manualClock();
  const said: string[] = [];
  const messages = { say: (...words: string[]) => void said.push(words.join(' ')) };
  const config = checked({ listen, upstreams: { app: { origins: ['127.0.0.1:1'] } } });
  const sluice = new Sluice(config, { messages, clock });
  await sluice.open();
  t.after(() => sluice.close(0));
  const { operator } = sluice;
  const others = [
    () => sluice.reload(config),
    () => operator.changeOrigin('app', '127.0.0.1:1', { weight: 2 }, undefined, 'me'),
  ];
  for (const other of others) {
    await operator.addOrigin('app', { url: '127.0.0.1:2' }, 1000, 'me');
    said.length = 0;
    const under = other();
    clock.jump(2000);
    await under;
    await eventually(
      () => said.includes('info override-ended remove origin app 127.0.0.1:2'),
      () => said.join('\n'),
    );
  }
});
