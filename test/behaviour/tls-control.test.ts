/** Origins over TLS in a proxy that runs: reloads, threads, checks, names, and what operators see. */
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { UpstreamInput } from '../../src/config/index.ts';
import { Authority, authority, type Issued } from '../support/certificates.ts';
import { dnsServer } from '../support/dns-server.ts';
import { peer as program } from '../support/peer.ts';
import { checked, fetchOnce, namedOrigin, running, textOf, until } from '../support/running.ts';
import { eventually } from '../support/scripted.ts';

interface App {
  readonly port: number;
  readonly url: string;
  /** Targets in the order they came. */
  readonly seen: string[];
  /** Handshakes that were done. */
  handshakes: number;
}

/** A server over TLS; answers with the name it was asked for, unless told otherwise. */
async function app(t: TestContext, { pem }: Issued, more: object = {}, answer?: RequestListener): Promise<App> {
  const self = { port: 0, url: '', seen: [] as string[], handshakes: 0 };
  const server = createServer({ ...pem, ...more }, (request, response) => {
    self.seen.push(request.url ?? '');
    if (answer !== undefined) return answer(request, response);
    response.end(String((request.socket as TLSSocket).servername));
  });
  server.keepAliveTimeout = 60_000;
  server.on('secureConnection', () => self.handshakes++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  self.port = (server.address() as AddressInfo).port;
  self.url = `https://127.0.0.1:${self.port}`;
  return self;
}

const own = (t: TestContext): [Authority, Authority] | undefined => {
  const ca = authority(t);
  return ca === undefined ? undefined : [ca, new Authority(program('openssl') ?? '', 'Other CA')];
};

for (const threads of [1, 2]) {
  describe(`with ${threads === 1 ? 'one thread' : 'two threads'}`, () => {
    test('a reload notices that a file has another content, and no connection of before is used again', async (t) => {
      const both = own(t);
      if (both === undefined) return;
      const [ca, other] = both;
      const origin = await app(t, ca.issue('app'));
      const file = join(ca.folder, `trusted-${threads}.pem`);
      copyFileSync(ca.cert, file);
      const config = {
        listen: '127.0.0.1:0',
        threads,
        upstreams: { app: { origins: origin.url, tls: { ca: file } } },
      };
      const { sluice, base, control } = await running(t, config);
      for (let i = 0; i < 8; i++) assert.equal((await fetchOnce(base)).status, 200);
      assert.deepEqual(await sluice.reload(checked(config)), [], 'the same content');
      const before = origin.handshakes;
      assert.ok(before <= threads);
      for (let i = 0; i < 8; i++) assert.equal((await fetchOnce(base)).status, 200);
      assert.ok(origin.handshakes <= threads);

      copyFileSync(other.cert, file);
      const planned = await control.plan(textOf(config));
      assert.deepEqual(
        planned.changes.map(({ what, name, options }) => [what, name, options]),
        [['upstream', 'app', 'tls']],
      );
      await sluice.reload(checked(config));
      await until(async () => (await control.upstreams())[0]?.origins[0]?.connections === 0, 'idle connections to go');
      // Also those that come while it rests: nobody waits for what waiting does not mend.
      for (let i = 0; i < 8; i++) assert.equal((await fetchOnce(base)).status, 502);
      assert.equal(origin.seen.length, 16);
      assert.match(
        (await control.explain('GET', '/', [])).because ?? '',
        /waiting does not mend that: 502 tls-untrusted$/,
      );

      copyFileSync(ca.cert, file);
      await sluice.reload(checked(config));
      for (let i = 0; i < 4; i++) assert.equal((await fetchOnce(base)).status, 200);
    });

    test('a reload brings another client certificate', async (t) => {
      const both = own(t);
      if (both === undefined) return;
      const [ca] = both;
      const origin = await app(t, ca.issue('app'), { requestCert: true, ca: ca.pem }, ({ socket }, response) =>
        response.end(String((socket as TLSSocket).getPeerCertificate().subject.CN)),
      );
      const with_ = (name: string) => {
        const { cert, key } = ca.issue(name);
        return {
          listen: '127.0.0.1:0',
          threads,
          upstreams: { app: { origins: origin.url, tls: { ca: ca.cert, cert, key } } },
        };
      };
      const { sluice, base } = await running(t, with_('first'));
      for (let i = 0; i < 4; i++) assert.equal((await fetchOnce(base)).body, 'first');
      await sluice.reload(checked(with_('second')));
      for (let i = 0; i < 4; i++) assert.equal((await fetchOnce(base)).body, 'second');
    });
  });
}

test('an origin that goes over to TLS at the same address, in the middle of an answer', async (t) => {
  const both = own(t);
  if (both === undefined) return;
  const [ca] = both;
  let held: (() => void) | undefined;
  const clear = await namedOrigin(t, 'clear', (request, response) => {
    if (request.url !== '/hold') return void response.end('clear');
    response.write('clear ');
    held = () => response.end('to the end');
  });
  const config = (url: string, tls?: UpstreamInput['tls']) => ({
    listen: '127.0.0.1:0',
    upstreams: { app: { origins: url, queue: { timeout: '100ms' }, ...(tls === undefined ? {} : { tls }) } },
  });
  const { sluice, base, control } = await running(t, config(clear.url));
  assert.equal((await fetchOnce(base)).body, 'clear');
  const slow = fetchOnce(`${base}/hold`);
  await eventually(() => held !== undefined, 'the answer to begin');
  // Only the scheme changes, so it is the same origin; what it was in the middle of it ends.
  await sluice.reload(checked(config(clear.url.replace('http:', 'https:'), { ca: ca.cert, serverName: 'x.example' })));
  const [origin] = (await control.upstreams())[0]?.origins ?? [];
  assert.deepEqual(origin?.tls, { serverName: 'x.example', checks: ['ca'], clientCertificate: false });
  held?.();
  assert.equal((await slow).body, 'clear to the end');
  await until(
    async () => (await control.upstreams())[0]?.origins[0]?.connections === 0,
    'the connections in clear text to go',
  );
  const { seen } = clear;
  const { status } = await fetchOnce(base, undefined, { 'X-A': 'b' }).catch(() => ({ status: 'failed' }));
  assert.notEqual(status, 200);
  assert.deepEqual(seen, ['/', '/hold'], 'nothing more has come in clear text');
});

test('the name in the config is asked for and checked, wherever it leads', async (t) => {
  const both = own(t);
  if (both === undefined) return;
  const [ca] = both;
  const origin = await app(t, ca.issue('app', { names: ['DNS:app.test'] }));
  const dns = await dnsServer(t);
  for (const name of ['app.test', 'alias.test']) dns.host(name, ['127.0.0.1']);
  const resolver = { servers: dns.address, family: 'ipv4' } as const;
  const start = (host: string) =>
    running(t, {
      listen: '127.0.0.1:0',
      resolver,
      upstreams: { app: { origins: `https://${host}:${origin.port}`, tls: { ca: ca.cert }, eject: { on: [] } } },
    });
  const right = await start('app.test');
  assert.equal((await fetchOnce(right.base)).body, 'app.test');
  const wrong = await start('alias.test');
  assert.equal((await fetchOnce(wrong.base)).status, 502);
  const [record] = await wrong.control.records(1);
  assert.equal(record?.error, 'tls-wrong-name');
  assert.equal(record?.detail, 'it is for app.test, not for alias.test');
  assert.match(record?.ledger.join() ?? '', /^127\.0\.0\.1:\d+ tls-wrong-name it is for app\.test/);
});

test('what is not checked is said at the start, after a reload that brings it, and whenever somebody looks', async (t) => {
  const both = own(t);
  if (both === undefined) return;
  const [ca] = both;
  const issued = ca.issue('app');
  const origin = await app(t, issued);
  const key = join(ca.folder, 'view.key');
  copyFileSync(issued.key, key);
  const config = (tls: UpstreamInput['tls']) => ({
    listen: '127.0.0.1:0',
    upstreams: {
      blind: { origins: 'https://app.example', tls: { verify: false } },
      app: { origins: origin.url, tls: { ca: ca.cert, cert: issued.pem.cert, key, ...tls } },
    },
    routes: [{ to: 'app' as const }],
  });
  const { sluice, control, said } = await running(t, config({}));
  const warned = (): string[] => said.filter((line) => line.includes('tls-unverified'));
  assert.deepEqual(warned(), [
    'warn tls-unverified blind: nobody checks its certificates: whoever gets between can read and change everything (tls.verify: false)',
  ]);
  await sluice.reload(checked(config({ minVersion: 'TLSv1.3' })));
  assert.equal(warned().length, 1);
  const shown = JSON.stringify(await control.config());
  assert.doesNotMatch(shown, /BEGIN|PRIVATE/);
  assert.match(shown, new RegExp(`"key":\\{"from":"${key}","text":"\\*\\*\\*"\\}`));
  const explained = await control.explain('GET', '/', []);
  assert.deepEqual(explained.tls, { serverName: '127.0.0.1', checks: ['ca'], clientCertificate: true });
  const open = { ...config({}), upstreams: { app: { origins: origin.url, tls: { verify: false } }, ...{} } };
  await sluice.reload(checked(open));
  assert.match(warned()[1] ?? '', /^warn tls-unverified app: /);
  assert.deepEqual((await control.explain('GET', '/', [])).tls?.checks, []);
});

test('who waits for a test of an origin hears at once that its certificate is still wrong', async (t) => {
  const both = own(t);
  if (both === undefined) return;
  const [ca, other] = both;
  const origin = await app(t, other.issue('app'));
  const { base, control } = await running(t, {
    listen: '127.0.0.1:0',
    upstreams: {
      app: {
        origins: origin.url,
        tls: { ca: ca.cert },
        queue: { timeout: '10m' },
        disableTime: { first: '50ms', most: '100ms' },
      },
    },
  });
  for (let i = 0; i < 20; i++) {
    const all = await Promise.all(Array.from({ length: 10 }, () => fetchOnce(base)));
    for (const { status, body } of all) assert.deepEqual([status, /tls-untrusted/.test(body)], [502, true], body);
  }
  assert.equal((await control.upstreams())[0]?.queue.length, 0);
});

test('one that is busy is waited for, whatever the certificate of the other', async (t) => {
  const both = own(t);
  if (both === undefined) return;
  const [ca, other] = both;
  const bad = await app(t, other.issue('bad'));
  const held: (() => void)[] = [];
  const good = await app(t, ca.issue('good'), {}, (_request, response) => void held.push(() => response.end('good')));
  const { base } = await running(t, {
    listen: '127.0.0.1:0',
    upstreams: { app: { origins: [good.url, bad.url], maxConnections: 1, tls: { ca: ca.cert }, balance: 'first' } },
  });
  const all = [1, 2, 3].map(() => fetchOnce(base));
  for (let i = 0; i < 3; i++) {
    await eventually(() => held.length > i, 'the next one to come');
    held[i]();
  }
  for (const { status, body } of await Promise.all(all)) assert.deepEqual([status, body], [200, 'good']);
});

test('where the check finds the certificate wrong nobody waits either', async (t) => {
  const both = own(t);
  if (both === undefined) return;
  const [ca, other] = both;
  const origin = await app(t, other.issue('app'));
  const check = { type: 'tcp', interval: '200ms', timeout: '200ms', fall: 1, first: 'block' } as const;
  const { base, control } = await running(t, {
    listen: '127.0.0.1:0',
    upstreams: { app: { origins: origin.url, tls: { ca: ca.cert }, check, queue: { timeout: '10m' } } },
  });
  assert.deepEqual((await fetchOnce(base)).status, 502, 'it has come before the first check, or after');
  await until(async () => (await control.upstreams())[0]?.origins[0]?.check?.healthy === false, 'a check');
  const { status, body } = await fetchOnce(base);
  assert.deepEqual([status, /tls-untrusted/.test(body)], [502, true], body);
});

describe('active checks over TLS', () => {
  const check = { interval: '100ms', timeout: '90ms', rise: 1, fall: 1 } as const;
  for (const type of ['http', 'tcp'] as const) {
    test(`${type}: a good certificate passes, a wrong one does not and gets no request`, async (t) => {
      const both = own(t);
      if (both === undefined) return;
      const [ca, other] = both;
      const good = await app(t, ca.issue('good'));
      const bad = await app(t, other.issue('bad'));
      const clear = await namedOrigin(t, 'clear');
      const { control } = await running(t, {
        listen: '127.0.0.1:0',
        upstreams: {
          app: {
            origins: [good.url, bad.url, clear.url.replace('http:', 'https:')],
            tls: { ca: ca.cert },
            check: { type, ...check, timeout: '100ms', interval: '200ms' },
          },
        },
      });
      const views = async () => (await control.upstreams())[0]?.origins ?? [];
      await until(async () => (await views()).every((view) => view.check !== null), 'a check of each');
      await until(async () => (await views())[0]?.check?.healthy === true, 'the good one to pass');
      const [one, two, three] = await views();
      assert.equal(one?.check?.detail, type === 'http' ? 'status 200' : 'connected');
      assert.match(two?.check?.detail ?? '', /^tls-untrusted: .*; bad, issued by Other CA$/);
      assert.match(three?.check?.detail ?? '', /^tls-not-spoken: /);
      await until(async () => (await views())[1]?.state === 'down', 'the bad one to be taken out');
      assert.deepEqual(bad.seen, []);
      if (type === 'http') assert.ok(good.seen.length > 0);
    });
  }
});
