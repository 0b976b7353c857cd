/** Origins over TLS: who is let in, what is said of those who are not, and that nothing reaches them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type ErrorCode, errors } from '../../src/core/errors.ts';
import type { UpstreamInput } from '../../src/config/index.ts';
import { Authority, authority } from '../support/certificates.ts';
import { start } from '../support/line.ts';
import { peer as program } from '../support/peer.ts';
import { eventually, get, ok, post } from '../support/scripted.ts';
import { secureOrigin, secureServer, type SecureOrigin } from '../support/secure.ts';

type Tls = NonNullable<UpstreamInput['tls']>;

/** How an origin has to fail. */
interface Fault {
  /** Its port, and the requests that came through to somebody. */
  readonly at: (t: TestContext, ca: Authority) => Promise<{ port: number; requests?: readonly unknown[] }>;
  readonly tls?: (ca: Authority) => Tls;
  readonly code: string;
  /** The error type of RFC 9209. */
  readonly proxy: string;
  readonly detail: RegExp;
  /** What the second origin gets in its place; default a request that may not be repeated, with a body. */
  readonly request?: string;
}

/** A record that somebody between has made up. */
const FORGED = Buffer.concat([Buffer.from([23, 3, 3, 0, 40]), Buffer.alloc(40, 7)]);

const answering = (
  t: TestContext,
  ca: Authority,
  wanted: Parameters<Authority['issue']>[1],
  options = {},
): Promise<SecureOrigin> => secureServer(t, ca.issue('app', wanted), (request) => ok(request.target), options);

/** An origin below TLS. */
async function plain(t: TestContext, talk: (socket: Socket) => void): Promise<{ port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    talk(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port };
}

const FAULTS: Readonly<Record<string, Fault>> = {
  'a CA that nobody knows': {
    at: (t, ca) => answering(t, ca, {}),
    tls: () => ({}),
    code: 'tls-untrusted',
    proxy: 'tls_certificate_error',
    detail: /its issuer is not known.*; app, issued by Test CA/,
  },
  'another CA than the one that is trusted': {
    at: (t) => answering(t, new Authority(program('openssl') ?? '', 'Other CA'), {}),
    code: 'tls-untrusted',
    proxy: 'tls_certificate_error',
    detail: /issued by Other CA/,
  },
  'a self-signed certificate': {
    at: async (t) => {
      const other = new Authority(program('openssl') ?? '', 'Itself');
      return secureServer(t, other.own, () => ok());
    },
    code: 'tls-untrusted',
    proxy: 'tls_certificate_error',
    detail: /it is self-signed; Itself/,
  },
  'a certificate that has expired': {
    at: (t, ca) => answering(t, ca, { from: -5, to: -1 }),
    code: 'tls-expired',
    proxy: 'tls_certificate_error',
    detail: /^on \d{4}-\d\d-\d\d; app, issued by Test CA$/,
  },
  'a CA between that has expired': {
    at: async (t, ca) => {
      const between = new Authority(program('openssl') ?? '', 'Between', ca, { from: -5, to: -1 });
      const leaf = between.issue('app');
      return secureServer(t, { ...leaf, pem: { ...leaf.pem, cert: leaf.pem.cert + between.pem } }, () => ok());
    },
    code: 'tls-expired',
    proxy: 'tls_certificate_error',
    detail: /^on \d{4}-\d\d-\d\d of its issuer Between; app, issued by Between$/,
  },
  'a certificate that is not valid yet': {
    at: (t, ca) => answering(t, ca, { from: 2, to: 5 }),
    code: 'tls-not-yet-valid',
    proxy: 'tls_certificate_error',
    detail: /^until \d{4}-\d\d-\d\d; app/,
  },
  'a certificate for other names': {
    at: (t, ca) => answering(t, ca, { names: ['DNS:a.example', 'DNS:*.b.example', 'IP:10.0.0.1'] }),
    code: 'tls-wrong-name',
    proxy: 'tls_certificate_error',
    detail: /^it is for a\.example, \*\.b\.example, 10\.0\.0\.1, not for 127\.0\.0\.1$/,
  },
  'a certificate without names': {
    at: (t, ca) => answering(t, ca, { names: [] }),
    tls: (ca) => ({ ca: ca.cert, serverName: 'c.example' }),
    code: 'tls-wrong-name',
    proxy: 'tls_certificate_error',
    detail: /^it is for app, issued by Test CA, not for c\.example$/,
  },
  'another fingerprint, though the CA is trusted': {
    at: (t, ca) => answering(t, ca, {}),
    tls: (ca) => ({ ca: ca.cert, fingerprint: ca.issue('app').fingerprint }),
    code: 'tls-wrong-fingerprint',
    proxy: 'tls_certificate_error',
    detail: /^it is (?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/,
  },
  'another fingerprint, and nothing else to go by': {
    at: (t, ca) => answering(t, ca, {}),
    tls: (ca) => ({
      fingerprint: [ca.issue('one').fingerprint, ca.issue('two').fingerprint.replaceAll(':', '').toLowerCase()],
    }),
    code: 'tls-wrong-fingerprint',
    proxy: 'tls_certificate_error',
    detail: /^it is /,
  },
  'another fingerprint, beside whom Node trusts': {
    at: (t, ca) => answering(t, ca, { names: ['DNS:pinned.example'] }),
    tls: () => ({ verify: true, fingerprint: '00'.repeat(32) }),
    code: 'tls-wrong-fingerprint',
    proxy: 'tls_certificate_error',
    detail: /^it is /,
  },
  'a client certificate that is missing': {
    at: (t, ca) => answering(t, ca, {}, { requestCert: true, ca: ca.pem }),
    code: 'tls-client-certificate',
    proxy: 'tls_alert_received',
    detail: /^alert certificate_required: it wants one: tls\.cert is not set$/,
    // TLS 1.3 lets the client begin before the server has looked: of a body nothing would be left to be sent again.
    request: post(''),
  },
  'a client certificate that is missing, before TLS 1.3': {
    at: (t, ca) => answering(t, ca, {}, { requestCert: true, ca: ca.pem, maxVersion: 'TLSv1.2' }),
    code: 'tls-refused',
    proxy: 'tls_alert_received',
    detail: /^alert handshake_failure: .*client certificate/,
  },
  'no common version': {
    at: (t, ca) => answering(t, ca, {}, { maxVersion: 'TLSv1.2' }),
    tls: (ca) => ({ ca: ca.cert, minVersion: 'TLSv1.3' }),
    code: 'tls-refused',
    proxy: 'tls_alert_received',
    detail: /^alert protocol_version$/,
  },
  'no common cipher': {
    at: (t, ca) => answering(t, ca, {}, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }),
    tls: (ca) => ({ ca: ca.cert, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }),
    code: 'tls-refused',
    proxy: 'tls_alert_received',
    detail: /^alert handshake_failure/,
  },
  'plain HTTP': {
    at: (t) => plain(t, (socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))),
    code: 'tls-not-spoken',
    proxy: 'tls_protocol_error',
    detail: /first bytes are not TLS/,
  },
  'a greeting in clear text': {
    at: (t) => plain(t, (socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n')),
    code: 'tls-not-spoken',
    proxy: 'tls_protocol_error',
    detail: /first bytes are not TLS/,
  },
  'a close in the middle of the handshake': {
    at: (t) => plain(t, (socket) => socket.on('data', () => socket.end())),
    code: 'tls-failed',
    proxy: 'tls_protocol_error',
    detail: /^closed during the handshake/,
  },
  'a close before the handshake': {
    at: (t) => plain(t, (socket) => socket.end()),
    code: 'tls-failed',
    proxy: 'tls_protocol_error',
    detail: /^closed during the handshake/,
  },
  'a reset in the middle of the handshake': {
    at: (t) => plain(t, (socket) => socket.on('data', () => socket.resetAndDestroy())),
    code: 'tls-failed',
    proxy: 'tls_protocol_error',
    detail: /^closed during the handshake/,
  },
  'half a record, and then nothing': {
    at: (t) => plain(t, (socket) => socket.write(Buffer.from([22, 3, 3, 1, 0, 2]))),
    code: 'connect-timeout',
    proxy: 'connection_timeout',
    detail: /^connected, but the TLS handshake was not done in time$/,
  },
  'a record that is none of a handshake': {
    at: (t) =>
      plain(t, (socket) => socket.on('data', () => socket.write(Buffer.from([22, 3, 3, 0, 5, 1, 2, 3, 4, 5])))),
    code: 'tls-failed',
    proxy: 'tls_protocol_error',
    detail: /^unexpected message$/,
  },
};

for (const [
  name,
  { at, tls = (ca: Authority) => ({ ca: ca.cert }), code, proxy, detail, request = post('twice?') },
] of Object.entries(FAULTS)) {
  test(`${name}: said so, and a POST goes to another origin`, async (t) => {
    const ca = authority(t);
    if (ca === undefined) return;
    const bad = await at(t, ca);
    const own = tls(ca);
    const url = `https://127.0.0.1:${bad.port}`;
    const timeouts = { connect: code === 'connect-timeout' ? '300ms' : '10s' };
    // Waiting mends no certificate: the client is told at once what is wrong. Other faults may pass, unless nothing is held against the origin.
    const alone = await start(t, [url], {
      tls: own,
      timeouts,
      ...(errors[code as ErrorCode].lasts ? {} : { eject: { on: [] } }),
    });
    const peer = await alone.connect();
    peer.send(post('body'));
    const answer = await peer.answer();
    assert.equal(answer.status, code === 'connect-timeout' ? 504 : 502);
    assert.equal(answer.field('proxy-status'), `sluice; error=${proxy}; details="${code}"`);
    const [line] = await alone.logged(1);
    assert.equal(line?.error, code);
    assert.match(line?.detail ?? '', detail);
    assert.deepEqual(bad.requests ?? [], [], 'nothing has reached the origin');
    await alone.settled();
    assert.equal(alone.first.connections, 0);

    const held = await start(t, [url, `http://127.0.0.1:${(await echoing(t)).port}`], { tls: own, timeouts });
    const second = await held.connect();
    second.send(request);
    const passed = await second.answer();
    assert.deepEqual([passed.status, passed.body], [200, request.slice(request.indexOf('\r\n\r\n') + 4)]);
    assert.equal((await held.logged(1))[0]?.attempts, 2);
    assert.equal(held.first.state, 'down');
    assert.match(held.said.join('\n'), new RegExp(`origin-down app 127\\.0\\.0\\.1:${bad.port}: ${code}: `));
  });
}

/** An origin in clear text that answers with what it was sent. */
function echoing(t: TestContext): Promise<{ port: number }> {
  return plain(t, (socket) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const [head, body] = text.split('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(head ?? '')?.[1] ?? 0);
      if (body !== undefined && body.length >= length) socket.write(ok(body));
    });
  });
}

const GOOD: Readonly<
  Record<string, { issue?: Parameters<Authority['issue']>[1]; tls: (ca: Authority, fingerprint: string) => Tls }>
> = {
  'a CA in a file': { tls: (ca) => ({ ca: ca.cert }) },
  'a CA in the config, beside those of Node': { tls: (ca) => ({ ca: ['default', ca.pem] }) },
  'another name than the address': {
    issue: { names: ['DNS:*.b.example'] },
    tls: (ca) => ({ ca: ca.cert, serverName: 'a.b.example' }),
  },
  'a fingerprint alone, whatever else is wrong': {
    issue: { names: ['DNS:x'], from: -5, to: -1 },
    tls: (_, fingerprint) => ({ fingerprint: `sha256:${fingerprint.toLowerCase()}` }),
  },
  'a fingerprint and a CA': {
    tls: (ca, fingerprint) => ({ ca: ca.cert, fingerprint: ['00'.repeat(32), fingerprint] }),
  },
  'nothing that is checked': { issue: { names: ['DNS:x'], from: -5, to: -1 }, tls: () => ({ verify: false }) },
};

for (const [name, { issue = {}, tls }] of Object.entries(GOOD)) {
  test(`${name}: let in`, async (t) => {
    const ca = authority(t);
    if (ca === undefined) return;
    const issued = ca.issue('app', issue);
    const app = await secureServer(t, issued, ({ body }) => ok(body));
    const line = await start(t, [app.url], { tls: tls(ca, issued.fingerprint) });
    const peer = await line.connect();
    for (const length of [0, 10, 300_000]) {
      peer.send(post('x'.repeat(length)));
      assert.equal((await peer.answer()).body.length, length);
    }
    assert.equal(app.connections.length, 1);
    const [line1] = await line.logged(3);
    assert.ok((line1?.connect ?? 0) > 0, 'the time of the handshake is the time to connect');
  });
}

test('a unix socket, which is localhost', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const app = await secureServer(t, ca.issue('app'), (_, peer) => ok(String(peer.socket.servername)), {
    path: join(folder, 's'),
  });
  const line = await start(t, [app.url], { tls: { ca: ca.cert } });
  const peer = await line.connect();
  peer.send(get());
  assert.equal((await peer.answer()).body, 'localhost');
});

test('the name is sent, an address is not', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const app = await secureServer(t, ca.issue('app'), (_, peer) => ok(String(peer.socket.servername)));
  for (const [url, tls, sent] of [
    [app.url, {}, 'false'],
    [`https://localhost:${app.port}`, {}, 'localhost'],
    [app.url, { serverName: 'LOCALHOST.' }, 'LOCALHOST'],
  ] as const) {
    const line = await start(t, [url], { tls: { ca: ca.cert, ...tls } });
    const peer = await line.connect();
    peer.send(get());
    assert.equal((await peer.answer()).body, sent, url);
  }
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${version}: a client certificate is shown`, async (t) => {
    const ca = authority(t);
    if (ca === undefined) return;
    const app = await secureServer(
      t,
      ca.issue('app'),
      (_, peer) => ok(String(peer.socket.getPeerCertificate().subject.CN)),
      { requestCert: true, ca: ca.pem, maxVersion: version },
    );
    const own = ca.issue('sluice', { names: ['DNS:me'] });
    const locked = ca.lock(own, 'sesame');
    for (const tls of [
      { cert: own.cert, key: own.key },
      { cert: own.pem.cert + own.pem.key },
      { cert: own.cert, key: locked, passphrase: 'sesame' },
    ]) {
      const line = await start(t, [app.url], { tls: { ca: ca.cert, ...tls } });
      const peer = await line.connect();
      peer.send(get());
      assert.equal((await peer.answer()).body, 'sluice');
    }
  });

  test(`${version}: the next connection takes up the session, and one whose certificate was refused does not`, async (t) => {
    const ca = authority(t);
    if (ca === undefined) return;
    const app = await secureServer(
      t,
      ca.issue('app'),
      (_, peer) => ok(String(peer.socket.isSessionReused()), 'Connection: close\r\n'),
      { maxVersion: version },
    );
    const line = await start(t, [app.url], { tls: { ca: ca.cert } });
    const peer = await line.connect();
    const reused: string[] = [];
    for (let i = 0; i < 6; i++) {
      peer.send(get());
      reused.push((await peer.answer()).body);
    }
    assert.deepEqual(reused, ['false', 'true', 'true', 'true', 'true', 'true']);
    assert.equal(app.connections.length, 6);
    const strict = await start(t, [app.url], { tls: { ca: ca.cert, serverName: 'other.example' }, eject: { on: [] } });
    const again = await strict.connect();
    for (let i = 0; i < 3; i++) {
      again.send(get());
      assert.match((await again.answer()).field('proxy-status') ?? '', /tls-wrong-name/);
    }
    assert.equal(app.requests.length, 6);
  });

  test(`${version}: an answer that ends with the connection is whole only when the origin says so`, async (t) => {
    const ca = authority(t);
    if (ca === undefined) return;
    const app = await secureServer(
      t,
      ca.issue('app'),
      async (request, peer, self) => {
        peer.send('HTTP/1.1 200 OK\r\n\r\nall of it');
        const raw = self.raw[self.connections.indexOf(peer)];
        if (request.target === '/at-once') peer.socket.end();
        else if (request.target === '/whole') setTimeout(() => peer.socket.end(), 50);
        else if (request.target === '/cut') setTimeout(() => raw?.end(), 50);
        else if (request.target === '/forged') setTimeout(() => raw?.write(FORGED), 50);
        else setTimeout(() => raw?.resetAndDestroy(), 50);
        await new Promise(() => {});
      },
      { maxVersion: version },
    );
    const line = await start(t, [app.url], { tls: { ca: ca.cert } });
    for (const target of ['/at-once', '/whole']) {
      const peer = await line.connect();
      peer.send(get(target));
      assert.equal((await peer.answer()).body, 'all of it');
    }
    for (const target of ['/cut', '/forged', '/reset']) {
      const peer = await line.connect();
      peer.send(get(target));
      await peer.until('\r\n\r\n');
      await assert.rejects(async () => peer.chunked());
      assert.notEqual(peer.ending, 'open');
    }
    const errors = (await line.logged(5)).map(({ error, detail }) => [error, detail]);
    assert.match(errors[3]?.[1] ?? '', /^ERR_SSL_/);
    assert.deepEqual(errors, [
      [undefined, undefined],
      [undefined, undefined],
      ['answer-incomplete', 'NO_CLOSE_NOTIFY'],
      ['answer-incomplete', errors[3]?.[1]],
      ['answer-incomplete', 'ECONNRESET'],
    ]);
  });
}

test('a close_notify that comes with the last bytes while the client reads slowly is seen', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const size = 8 * 1_048_576;
  const app = await secureServer(t, ca.issue('app'), (_, peer) => {
    peer.send('HTTP/1.1 200 OK\r\n\r\n');
    peer.socket.end(Buffer.alloc(size, 'x'));
  });
  const line = await start(t, [app.url], { tls: { ca: ca.cert } });
  const peer = await line.connect();
  peer.pause();
  const slowly = setInterval(() => {
    peer.resume();
    setImmediate(() => peer.pause());
  }, 5);
  t.after(() => clearInterval(slowly));
  peer.send(get());
  await peer.until('\r\n\r\n');
  assert.equal((await peer.chunked()).body.length, size);
  assert.equal((await line.logged(1))[0]?.error, undefined);
});

test('an answer with a length needs no close_notify, and what is cut short of it is cut', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const app = await secureServer(t, ca.issue('app'), (request, peer, self) => {
    peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${request.target === '/short' ? 10 : 4}\r\n\r\nbody`);
    const raw = self.raw[self.connections.indexOf(peer)];
    setTimeout(() => raw?.end(), 30);
  });
  const line = await start(t, [app.url], { tls: { ca: ca.cert } });
  const peer = await line.connect();
  peer.send(get());
  assert.equal((await peer.answer()).body, 'body');
  await eventually(() => line.first.connections === 0, 'the kept connection is gone');
  const second = await line.connect();
  second.send(get('/short'));
  await assert.rejects(async () => second.answer());
  assert.deepEqual(
    (await line.logged(2)).map(({ error }) => error),
    [undefined, 'answer-incomplete'],
  );
});

test('a tunnel over TLS: both ways, half-closed, and cut where the origin is cut', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const app = await secureOrigin(t, ca.issue('app'), async (peer, self) => {
    const request = await peer.request();
    peer.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello');
    if (request?.target === '/cut') {
      await peer.bytes(4);
      return void self.raw[self.connections.indexOf(peer)]?.end();
    }
    const all = await peer.end();
    peer.send(`${all.length} bytes`);
    peer.fin();
  });
  const line = await start(t, [app.url], { tls: { ca: ca.cert } });
  const upgrade = 'Connection: Upgrade\r\nUpgrade: echo\r\n';
  const peer = await line.connect();
  peer.send(get('/', upgrade));
  assert.equal((await peer.answer()).status, 101);
  assert.equal(await peer.bytes(5), 'hello');
  peer.send(Buffer.alloc(1_000_000));
  peer.fin();
  assert.equal(await peer.end(), '1000000 bytes');
  assert.equal(peer.ending, 'fin');
  const second = await line.connect();
  second.send(get('/cut', upgrade));
  await second.until('hello');
  second.send('more');
  await second.end();
  assert.equal(second.ending, 'reset', 'what was cut off looks cut off');
});

test('the client leaves in the middle: so does the connection to the origin', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const app = await secureServer(t, ca.issue('app'), (_, peer) => {
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun');
  });
  const line = await start(t, [app.url], { tls: { ca: ca.cert } });
  const peer = await line.connect();
  peer.send(get());
  await peer.until('begun');
  peer.reset();
  await eventually(() => app.connections[0]?.ending !== 'open', 'the origin hears of it');
  await line.settled();
});

test('an early answer to an upload is passed on', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const app = await secureOrigin(t, ca.issue('app'), async (peer) => {
    await peer.requestHead();
    peer.send('HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno');
    peer.fin();
    setTimeout(() => peer.close(), 100);
  });
  const line = await start(t, [app.url], { tls: { ca: ca.cert } });
  const peer = await line.connect();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n');
  peer.send(Buffer.alloc(4_000_000));
  assert.equal((await peer.answer()).body, 'no');
});
