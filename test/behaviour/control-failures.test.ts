/** What a start or a reload leaves behind when it fails half way, or is overtaken by the end: nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { check, type ConfigInput, showProblems } from '../../src/config/index.ts';
import { bellMemory } from '../../src/core/bells.ts';
import { DataPlane } from '../../src/data-plane.ts';
import { Administration } from '../../src/administration.ts';
import { Sluice, type Surroundings } from '../../src/sluice.ts';
import { manualClock } from '../support/clock.ts';
import { dnsServer } from '../support/dns-server.ts';
import { FakeControl } from '../support/fake-control.ts';
import { eventually } from '../support/scripted.ts';

function checked(input: ConfigInput): ReturnType<typeof check>['config'] & object {
  const { config, problems } = check({ listen: '127.0.0.1:0', log: { access: 'off', error: 'off' }, ...input });
  if (config === undefined) throw new Error(showProblems(problems));
  return config;
}

async function opened(t: TestContext, input: ConfigInput, surroundings: Surroundings = {}): Promise<Sluice> {
  const sluice = new Sluice(checked(input), surroundings);
  t.after(() => sluice.close(0));
  await sluice.open();
  return sluice;
}

/** A port that somebody else listens on. */
async function taken(t: TestContext): Promise<string> {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Whether somebody listens there. */
function isOpen(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ''));
    socket.once('connect', () => resolve(socket.destroy() !== null));
    socket.once('error', () => resolve(false));
  });
}

const ok = { routes: [{ respond: { status: 200 } }] };

test('a reload that fails leaves the names of what is in force resolved, and their servers asked', async (t) => {
  const dns = await dnsServer(t);
  const other = await dnsServer(t);
  dns.host('app.example', ['127.0.0.2'], 0);
  const config = (name: string, server: string, listen: string[]): ConfigInput => ({
    listen,
    resolver: { servers: server, least: '100ms', timeout: '5s', tries: 1, family: 'ipv4', start: '30s' },
    upstreams: { app: { origins: `http://${name}:81` } },
  });
  const sluice = await opened(t, config('app.example', dns.address, ['127.0.0.1:0']));
  const origins = (): string[] => sluice.upstreams.get('app')?.origins.map(({ name }) => name) ?? [];
  assert.deepEqual(origins(), ['127.0.0.2:81']);
  const wrong = checked(config('new.example', other.address, ['127.0.0.1:0', await taken(t)]));
  await assert.rejects(sluice.reload(wrong), { code: 'EADDRINUSE' });
  // Anything that puts the config in force anew: it must not find its names forgotten.
  await sluice.override((overrides) =>
    overrides.with({ kind: 'removed', upstream: 'app', origin: '127.0.0.9:1', until: null }),
  );
  assert.deepEqual(origins(), ['127.0.0.2:81']);
  dns.host('app.example', ['127.0.0.3'], 0);
  await eventually(() => origins().join() === '127.0.0.3:81', 'the old name to be followed still');
});

for (const threads of [1, 2]) {
  test(`a close during the start ends it, and nothing listens afterwards, ${threads} threads`, async () => {
    for (const moment of [0, 1, 5, 30]) {
      const sluice = new Sluice(
        checked({ listen: ['127.0.0.1:0', { address: '127.0.0.1:0', name: 'two' }], threads, ...ok }),
      );
      const opening = sluice.open().then(
        () => 'open',
        () => 'refused',
      );
      await new Promise((resolve) => setTimeout(resolve, moment));
      await sluice.close(0);
      await opening;
      for (const url of sluice.addresses.filter((one) => one !== '')) assert.equal(await isOpen(url), false);
    }
  });
}

test('a close does not wait for names that nobody answers, and cuts the start short', async (t) => {
  const dns = await dnsServer(t);
  for (const type of ['A', 'AAAA']) dns.zone.set(`${type} app.example`, { silent: true });
  const sluice = new Sluice(
    checked({
      resolver: { servers: dns.address, start: '60s', timeout: '30s' },
      upstreams: { app: { origins: 'http://app.example:81' } },
    }),
  );
  const opening = assert.rejects(sluice.open(), /shutting down/);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await sluice.close(0);
  await opening;
  assert.deepEqual(sluice.addresses, []);
});

/** A folder that is gone after the test. */
function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("a token's file that is gone refuses reloads, and neither names nor operators", async (t) => {
  const dns = await dnsServer(t);
  dns.host('app.example', ['127.0.0.2'], 0);
  const tokenFile = join(folder(t), 'token');
  writeFileSync(tokenFile, 'a-token-of-some-length');
  const config: ConfigInput = {
    resolver: { servers: dns.address, least: '100ms', tries: 1, family: 'ipv4' },
    upstreams: { app: { origins: 'http://app.example:81' } },
    admin: { address: '127.0.0.1:0', tokenFile },
  };
  const sluice = await opened(t, config);
  rmSync(tokenFile);
  await assert.rejects(sluice.reload(checked(config)), /tokenFile/);
  dns.host('app.example', ['127.0.0.3'], 0);
  const origins = (): string[] => sluice.upstreams.get('app')?.origins.map(({ name }) => name) ?? [];
  await eventually(() => origins().join() === '127.0.0.3:81', 'the name to be followed');
});

test('an admin interface that waits for its address is given up when a reload switches it off', async (t) => {
  const address = await taken(t);
  const said: string[] = [];
  const messages = { say: (_level: string, code: string) => void said.push(code) };
  const admin = { address, token: 'a-token-of-some-length' };
  const clock = manualClock();
  const administration = new Administration({ control: new FakeControl(), clock, version: '1', ...messages });
  t.after(() => administration.close());
  const options = checked({ ...ok, admin }).admin;
  await administration.open(options, true);
  assert.deepEqual(said, ['admin-waits']);
  assert.equal(clock.waiting, 1);
  // Still the same: it goes on waiting, and the reload is not refused.
  (await administration.prepare(checked({ ...ok, admin }).admin)).commit();
  clock.advance(1000);
  await eventually(() => clock.waiting === 1, 'the next attempt');
  (await administration.prepare(null)).commit();
  clock.advance(10_000);
  assert.equal(clock.waiting, 0);
  assert.equal(administration.url, null);
});

test('a reload that fails leaves the logs as they were, also when their files could not be opened anew', async (t) => {
  const path = folder(t);
  const log = (name: string) => ({ access: 'off' as const, error: join(path, name) });
  const sluice = await opened(t, { log: log('old'), ...ok });
  rmSync(path, { recursive: true });
  mkdirSync(path);
  // Opened anew it would be a new file; what is open still is written to, though nobody can see it.
  mkdirSync(join(path, 'old'));
  const address = await taken(t);
  const wrong = checked({ listen: ['127.0.0.1:0', address], log: log('new'), ...ok });
  await assert.rejects(sluice.reload(wrong), { code: 'EADDRINUSE' });
  sluice.say('error', 'internal', 'where does this go?');
  assert.equal(readFileSync(join(path, 'new'), 'latin1'), '');
});

test('what was prepared and is not wanted after all is given up at once, whoever has connected to it', async (t) => {
  const config = checked({ timeouts: { drain: '60s' }, ...ok });
  const place = { thread: 0, threads: 1, bells: bellMemory(1), secret: 'x', sharing: true, takeover: false };
  const plane = new DataPlane(config, new Map(), place);
  t.after(() => plane.close(0));
  await plane.open([]);
  const next = checked({ listen: ['127.0.0.1:0', { name: 'new', address: 'localhost:0' }], ...ok });
  const [, fresh] = await plane.prepare(next, new Map(), []);
  const socket = connect(fresh?.port ?? 0, 'localhost');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  // Half a request: a connection that is not idle.
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const begun = performance.now();
  await plane.abort();
  assert.ok(performance.now() - begun < 30_000);
  assert.equal(await isOpen(fresh?.url ?? ''), false);
});

test('a close that overtakes a reload leaves no listener of it', async () => {
  const config = checked(ok);
  const place = { thread: 0, threads: 1, bells: bellMemory(1), secret: 'x', sharing: true, takeover: false };
  const plane = new DataPlane(config, new Map(), place);
  const open = await plane.open([]);
  const next = checked({ listen: ['127.0.0.1:0', { name: 'new', address: 'localhost:0' }], ...ok });
  const preparing = plane.prepare(next, new Map(), []).catch(() => open);
  await Promise.all([plane.close(0), preparing]);
  plane.commit();
  for (const one of await preparing) assert.equal(await isOpen(one?.url ?? ''), false);
});
