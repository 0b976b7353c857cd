import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { z } from 'zod';
import { deafOrigin, eventually, ok, origin, server, sleep, type ScriptedOrigin } from '../../test/support/scripted.ts';
import { systemClock } from '../core/clock.ts';
import type { OriginAddress } from '../core/origin.ts';
import type { Finding } from './check.ts';
import { http } from './http.ts';

type Options = z.input<typeof http.options>;

/** Where a scripted origin is. */
function at({ url, port }: Pick<ScriptedOrigin, 'url' | 'port'>): OriginAddress {
  const path = url.startsWith('unix:') ? { path: url.slice('unix:'.length), host: '' } : { host: '127.0.0.1' };
  return { scheme: 'http', port, ...path };
}

/** Long enough for what comes, short where nothing comes. */
const LONG = 10_000;
const SHORT = 600;

function probe(address: OriginAddress, options: Options = {}, timeout = LONG): Promise<Finding> {
  const check = http.create(http.options.parse(options));
  return check.probe(address, { clock: systemClock, timeout, signal: new AbortController().signal });
}

/** An origin that sends this to everyone who asks, and then does not close by itself. */
function says(t: TestContext, ...parts: string[]): Promise<ScriptedOrigin> {
  return server(t, async (_request, peer) => {
    for (const part of parts) {
      peer.send(part);
      await sleep(5);
    }
  });
}

async function closed(all: ScriptedOrigin, count = 1): Promise<void> {
  await eventually(
    () => all.connections.length === count && all.connections.every(({ ending }) => ending !== 'open'),
    'the probe closes its connection',
  );
}

const good = (detail = 'status 200'): Finding => ({ healthy: true, detail });
const bad = (detail: string): Finding => ({ healthy: false, detail });

describe('the request', () => {
  test('goes to the path, with Host of the origin, and says that it is the only one', async (t) => {
    const app = await server(t, () => ok());
    assert.deepEqual(await probe(at(app)), good());
    const [request] = app.requests;
    assert.equal(request?.line, 'GET / HTTP/1.1');
    assert.equal(request?.field('host'), `127.0.0.1:${app.port}`);
    assert.equal(request?.field('connection'), 'close');
    assert.equal(request?.field('user-agent'), 'sluice-check');
    await closed(app);
  });

  test('has what the options say', async (t) => {
    const app = await server(t, () => ok());
    const headers = { 'X-Check': '1', 'user-agent': 'me' };
    await probe(at(app), { method: 'POST', path: '/up?a=b%20c', host: 'app.example', headers });
    const [request] = app.requests;
    assert.equal(request?.line, 'POST /up?a=b%20c HTTP/1.1');
    assert.equal(request?.field('host'), 'app.example');
    assert.equal(request?.field('x-check'), '1');
    assert.equal(request?.field('user-agent'), 'me');
    assert.equal(request?.body, '');
  });

  test('goes to a unix socket', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-check-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const app = await server(t, () => ok(), join(folder, 's'));
    assert.deepEqual(await probe(at(app)), good());
    assert.equal(app.requests[0]?.field('host'), 'localhost');
    assert.deepEqual(await probe({ ...at(app), path: join(folder, 'none') }), bad('cannot connect: no such socket'));
  });

  test('goes to the address that a name has been resolved to, with Host of the name', async (t) => {
    const app = await server(t, () => ok());
    assert.deepEqual(await probe({ ...at(app), host: 'app.invalid', ip: '127.0.0.1' }), good());
    assert.equal(app.requests[0]?.field('host'), `app.invalid:${app.port}`);
    assert.equal((await probe({ ...at(app), host: 'app.invalid' })).healthy, false);
  });

  test('HEAD and OPTIONS are answered without a body', async (t) => {
    const app = await server(t, ({ method }) =>
      method === 'HEAD' ? 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n' : 'HTTP/1.1 204 No Content\r\n\r\n',
    );
    assert.deepEqual(await probe(at(app), { method: 'HEAD' }), good());
    assert.deepEqual(await probe(at(app), { method: 'OPTIONS' }), good('status 204'));
    await closed(app, 2);
  });
});

describe('the status', () => {
  const status = (code: number): string => `HTTP/1.1 ${code} X\r\nContent-Length: 0\r\nLocation: /elsewhere\r\n\r\n`;

  test('one of those expected; redirects are not followed', async (t) => {
    const app = await server(t, ({ target }) => status(Number(target.slice(1))));
    const ask = (code: number, options: Options = {}) => probe(at(app), { path: `/${code}`, ...options });
    for (const code of [200, 204, 302, 399]) assert.deepEqual(await ask(code), good(`status ${code}`));
    for (const code of [400, 404, 500, 503, 600])
      assert.deepEqual(await ask(code), bad(`status ${code}, expected 200-399`));
    assert.deepEqual(await ask(401, { status: ['200-299', 401] }), good('status 401'));
    assert.deepEqual(await ask(302, { status: ['200-299', 401] }), bad('status 302, expected 200-299, 401'));
    await closed(app, 11);
    assert.ok(app.requests.every(({ target }) => target !== '/elsewhere'));
  });

  test('interim answers are none', async (t) => {
    const app = await says(t, 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', ok());
    assert.deepEqual(await probe(at(app)), good());
    const silent = await says(t, 'HTTP/1.1 100 Continue\r\n\r\n');
    assert.deepEqual(await probe(at(silent), {}, SHORT), bad('no answer within 600ms'));
  });

  test('an answer that switches protocols is not what was asked for', async (t) => {
    const app = await says(t, 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    assert.deepEqual(await probe(at(app)), bad('status 101, expected 200-399'));
    await closed(app);
  });
});

describe('the body', () => {
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

  test('holds the text, over many packets', async (t) => {
    const app = await says(
      t,
      chunked,
      ...'all gr'.split('').map((one) => `1\r\n${one}\r\n`),
      '2\r\n\xc3\xbc\r\n',
      '0\r\n\r\n',
    );
    assert.deepEqual(await probe(at(app), { body: 'grü' }), good());
    assert.deepEqual(await probe(at(app), { body: 'grau' }), bad('status 200, but the body is not as expected'));
    await closed(app, 2);
  });

  test('is found by a regular expression, in either spelling', async (t) => {
    const app = await server(t, () => ok('status: OK'));
    for (const body of ['/^status: (?i:ok)$/', '~^status: (?i:ok)$', { regex: ': OK$' }, /^STATUS/i])
      assert.deepEqual(await probe(at(app), { body }), good());
    assert.equal((await probe(at(app), { body: '/^OK/' })).healthy, false);
  });

  test('counts up to its 65536th byte, and no further is read', async (t) => {
    let sent = 0;
    const app = await server(t, async ({ target }, peer) => {
      const fill = Number(target.slice(1));
      peer.send(`HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n${'.'.repeat(fill)}ok`);
      for (sent = fill; sent < 100_000_000 && peer.ending === 'open'; sent += 16_384) {
        peer.send('.'.repeat(16_384));
        await sleep(1);
      }
    });
    assert.deepEqual(await probe(at(app), { path: '/65534', body: 'ok' }), good());
    await closed(app);
    assert.deepEqual(
      await probe(at(app), { path: '/65535', body: 'ok' }),
      bad('status 200, but the body is not as expected'),
    );
    assert.deepEqual(await probe(at(app), { path: '/70000' }), good());
    await closed(app, 3);
    assert.ok(sent < 50_000_000, `${sent} bytes were taken`);
  });

  test('of another status is not looked at', async (t) => {
    const app = await server(t, () => 'HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nok');
    assert.deepEqual(await probe(at(app), { body: 'ok' }), bad('status 500, expected 200-399'));
  });
});

describe('origins that do not answer', () => {
  test('nobody listens', async (t) => {
    const gone = await server(t, () => ok());
    await gone.refuse();
    assert.deepEqual(await probe(at(gone)), bad('cannot connect: connection refused'));
  });

  test('no connection comes about', async (t) => {
    const port = Number(new URL(await deafOrigin(t)).port);
    assert.deepEqual(
      await probe({ scheme: 'http', host: '127.0.0.1', port }, {}, SHORT),
      bad('no connection within 600ms'),
    );
  });

  test('accepts and says nothing', async (t) => {
    const app = await origin(t, () => {});
    assert.deepEqual(await probe(at(app), {}, SHORT), bad('no answer within 600ms'));
    await closed(app);
  });

  test('a head that does not end, however busily it comes', async (t) => {
    const app = await server(t, async (_request, peer) => {
      peer.send('HTTP/1.1 200 OK\r\n');
      for (let i = 0; peer.ending === 'open'; i++) {
        peer.send(`X-${i}: y\r\n`);
        await sleep(10);
      }
    });
    assert.deepEqual(await probe(at(app), {}, SHORT), bad('no answer within 600ms'));
    await closed(app);
  });

  test('a head that is too large', async (t) => {
    const app = await says(t, `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`);
    const { healthy, detail } = await probe(at(app));
    assert.equal(healthy, false);
    assert.equal(detail, 'no answer: HPE_HEADER_OVERFLOW');
    await closed(app);
  });

  test('a body that does not end', async (t) => {
    const app = await says(t, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok');
    assert.deepEqual(
      await probe(at(app), { body: 'ok' }, 1500),
      bad('status 200, but the body did not end within 1.5s'),
    );
    // When nobody asks for the body, the status has decided.
    assert.deepEqual(await probe(at(app)), good());
    await closed(app, 2);
  });

  test('cut off: in the body, in the head, before it', async (t) => {
    for (const how of ['reset', 'fin'] as const) {
      for (const [bytes, detail] of [
        ['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok', 'status 200, but the answer was cut off'],
        ['HTTP/1.1 200 O', 'no answer: connection reset'],
        ['', 'no answer: connection reset'],
      ] as const) {
        const app = await server(t, async (_request, peer) => {
          if (bytes !== '') peer.send(bytes);
          await sleep(20);
          peer[how]();
        });
        assert.deepEqual(await probe(at(app)), bad(detail), `${how} after ${JSON.stringify(bytes)}`);
        await closed(app);
      }
    }
  });

  test('closes before it is asked', async (t) => {
    const app = await origin(t, (peer) => peer.fin());
    assert.equal((await probe(at(app))).healthy, false);
    const rude = await origin(t, (peer) => peer.reset());
    assert.equal((await probe(at(rude))).healthy, false);
  });

  test('garbage, and none of it in the log', async (t) => {
    for (const bytes of [
      'SSH-2.0-OpenSSH_9.2\r\n',
      '\0\x1b[31mred\n',
      'HTTP/1.1 abc\r\n\r\n',
      'HTTP/1.1 200 OK\r\nX Y\r\n\r\n',
    ]) {
      const app = await says(t, bytes);
      const { healthy, detail } = await probe(at(app));
      assert.equal(healthy, false);
      assert.match(detail, /^no answer: HPE_[A-Z_]+$/);
      await closed(app);
    }
  });
});

test('a probe that is not wanted any more ends at once', async (t) => {
  const app = await origin(t, () => {});
  const stop = new AbortController();
  const check = http.create(http.options.parse({}));
  const tools = { clock: systemClock, timeout: 60_000, signal: stop.signal };
  const running = check.probe(at(app), tools);
  await eventually(() => app.connections.length === 1, 'it connects');
  stop.abort();
  assert.equal((await running).healthy, undefined);
  await closed(app);
  assert.equal((await check.probe(at(app), tools)).healthy, undefined);
  assert.equal(app.connections.length, 1);
});
