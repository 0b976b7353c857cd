/** The metrics of a proxy that runs: they are the traffic, and nothing takes them back. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test, { describe } from 'node:test';
import { skipUnless } from '../support/peer.ts';
import { checked, fetchOnce, namedOrigin, running, until } from '../support/running.ts';

const listen = '127.0.0.1:0';

/** The samples of a page by name and labels, and the type of each family. */
function read(page: string): { samples: Map<string, number>; types: Map<string, string> } {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of page.split('\n')) {
    const [, family = '', type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (family !== '') types.set(family, type);
    const [, name = '', value = ''] = /^([^#\s][^ ]*(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    if (name !== '') samples.set(name, Number(value));
  }
  return { samples, types };
}

/** The samples that may only grow. */
function counters(page: string): Map<string, number> {
  const { samples, types } = read(page);
  const grows = ([name]: [string, number]): boolean => {
    const plain = name.replace(/\{.*/, '');
    return types.get(plain) === 'counter' || types.get(plain.replace(/_(?:bucket|sum|count)$/, '')) === 'histogram';
  };
  return new Map([...samples].filter(grows));
}

/** What has become less, or is not there any more. */
function fallen(before: string, after: string, gone: RegExp): string[] {
  const now = counters(after);
  return [...counters(before)]
    .filter(([name]) => !gone.test(name))
    .filter(([name, value]) => (now.get(name) ?? -1) < value)
    .map(([name, value]) => `${name} ${value} → ${now.get(name)}`);
}

for (const threads of [1, 2]) {
  describe(`with ${threads} thread${threads === 1 ? '' : 's'}`, () => {
    test('the counters are the traffic, and promtool has nothing to say', async (t) => {
      const promtool = skipUnless(t, 'promtool');
      if (promtool === undefined) return;
      const origin = await namedOrigin(t, 'red', (request, response) => {
        response.statusCode = request.url === '/500' ? 500 : 200;
        response.end('12345');
      });
      const { base, control } = await running(t, {
        listen,
        threads,
        upstreams: { app: { origins: origin.url } },
        routes: [
          { match: { path: '/fixed' }, respond: { status: 204 } },
          { match: { path: '/nowhere/*' }, respond: { status: 404 } },
          { name: 'all', to: 'app' },
        ],
      });
      for (const path of ['/', '/', '/', '/500', '/fixed', '/nowhere/x']) await fetchOnce(base + path);
      const one = async (name: string): Promise<number | undefined> => read(await control.metrics()).samples.get(name);
      const all = `sluice_requests_total{listener="127.0.0.1:0",class=`;
      const counted = 'sluice_request_duration_seconds_count{listener="127.0.0.1:0"}';
      await until(async () => (await one(counted)) === 6, 'all six to be counted');
      const page = await control.metrics();
      const { samples } = read(page);
      const expected: Record<string, number> = {
        [`${all}"2xx"}`]: 4,
        [`${all}"4xx"}`]: 1,
        [`${all}"5xx"}`]: 1,
        [`${all}"none"}`]: 0,
        'sluice_sent_bytes_total{listener="127.0.0.1:0"}': 20,
        'sluice_connections_opened_total{listener="127.0.0.1:0"}': 6,
        'sluice_route_requests_total{route="all",class="2xx"}': 3,
        'sluice_route_requests_total{route="#1",class="2xx"}': 1,
        'sluice_upstream_requests_total{upstream="app",class="2xx"}': 3,
        'sluice_upstream_requests_total{upstream="app",class="5xx"}': 1,
        [`sluice_origin_requests_total{upstream="app",origin="${origin.address}",class="2xx"}`]: 3,
        [`sluice_origin_state{upstream="app",origin="${origin.address}",state="up"}`]: 1,
        [`sluice_origin_received_bytes_total{upstream="app",origin="${origin.address}"}`]: 20,
        'sluice_upstream_in_flight{upstream="app"}': 0,
      };
      for (const [name, value] of Object.entries(expected)) assert.equal(samples.get(name), value, `${name}\n${page}`);
      const perThread = [...samples].filter(([name]) => name.startsWith('sluice_thread_requests_total'));
      assert.equal(perThread.length, threads);
      assert.equal(
        perThread.reduce((sum, [, value]) => sum + value, 0),
        6,
      );
      const buckets = [...samples].filter(([name]) => name.startsWith('sluice_request_duration_seconds_bucket'));
      assert.equal(buckets.at(-1)?.[1], 6, 'the last bucket has all');
      const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], { input: page, encoding: 'utf8' });
      assert.deepEqual([status, `${stdout}${stderr}`], [0, '']);
    });

    test('no counter goes back over a reload that takes routes, origins and a listener away', async (t) => {
      const [red, blue] = [await namedOrigin(t, 'red'), await namedOrigin(t, 'blue')];
      const config = (origins: string[], more: string[]) => ({
        listen: [listen, ...more],
        threads,
        upstreams: { app: { origins } },
        routes: [
          { match: { header: { 'x-none': true } }, respond: { status: 404 } },
          { name: 'all', match: { path: '/' }, to: 'app' as const },
        ],
      });
      const { base, sluice, control } = await running(t, config([red.url, blue.url], ['localhost:0']));
      const other = sluice.addresses[1] ?? '';
      for (const path of ['/', '/', '/x']) for (const at of [base, other]) await fetchOnce(at + path);
      const refused = 'sluice_errors_total{code="no-route"}';
      await until(async () => counters(await control.metrics()).get(refused) === 2, 'both refusals to be counted');
      const before = await control.metrics();
      await sluice.reload(checked(config([blue.url], [])));
      const after = await control.metrics();
      assert.deepEqual(fallen(before, after, new RegExp(`listener="localhost:0"|${red.address}`)), []);
      assert.equal(counters(after).get(refused), 2, 'of the listener that is gone, too');
      assert.equal(counters(after).get('sluice_config_reloads_total{result="done"}'), 1);
    });
  });
}

test('no counter goes back when a thread dies, and what it held is not counted any more', async (t) => {
  const origin = await namedOrigin(t, 'red', (request, response) => {
    if (request.url === '/') response.end();
  });
  const { base, sluice, control } = await running(t, {
    listen,
    threads: 2,
    upstreams: { app: { origins: origin.url } },
  });
  for (let i = 0; i < 20; i++) await fetchOnce(`${base}/`);
  const hung = Array.from({ length: 10 }, () => fetchOnce(`${base}/never`));
  const inFlight = 'sluice_upstream_in_flight{upstream="app"}';
  await until(async () => read(await control.metrics()).samples.get(inFlight) === 10, 'ten to be in flight');
  const before = await control.metrics();
  await sluice.fleet?.kill(0);
  await sluice.fleet?.kill(1);
  await until(async () => (await control.status()).threads.every(({ state }) => state === 'serving'), 'new threads');
  await Promise.all(hung);
  const after = await control.metrics();
  assert.deepEqual(fallen(before, after, /^$/), []);
  const { samples } = read(after);
  for (const gauge of [inFlight, 'sluice_connections{listener="127.0.0.1:0"}'])
    assert.equal(samples.get(gauge), 0, gauge);
  assert.equal(samples.get('sluice_thread_restarts_total{thread="0"}'), 1);
  assert.equal(samples.get(`sluice_origin_connections{upstream="app",origin="${origin.address}"}`), 0);
  assert.equal((await fetchOnce(`${base}/`)).status, 200);
});
