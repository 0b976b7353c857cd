/** What one handshake ends in, without a proxy around it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { connect } from 'node:tls';
import { authority } from '../../../test/support/certificates.ts';
import { manualClock } from '../../../test/support/clock.ts';
import { eventually } from '../../../test/support/scripted.ts';
import { secureOrigin } from '../../../test/support/secure.ts';
import type { OriginAddress } from '../../core/origin.ts';
import { identityOf, serverNameOf } from './identity.ts';
import type { Fault } from './fault.ts';
import { tlsSchema, type TlsOptions } from './options.ts';
import { Security } from './security.ts';

/** Makes a connection that a Security judges. */
async function judged(
  t: TestContext,
  port: number,
  tls: TlsOptions,
  offer: { names: string[]; required: boolean },
): Promise<{ fault: Fault | undefined; chosen: string | false | null }> {
  const address = { scheme: 'https', host: '127.0.0.1', port };
  const handshake = new Security(tls, manualClock()).handshake(address, offer, null);
  const socket = connect({ port, host: '127.0.0.1', ...handshake.connectOptions() });
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  return { fault: handshake.judge(socket), chosen: socket.alpnProtocol };
}

test('a protocol that has to be chosen by ALPN, and one that need not', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const leaf = ca.issue('app');
  const tls = tlsSchema.parse({ ca: ca.cert });
  const knows = await secureOrigin(t, leaf, () => {}, { ALPNProtocols: ['h2', 'http/1.1'] });
  const doesNot = await secureOrigin(t, leaf, () => {});
  const need = { names: ['h2'], required: true };
  const may = { names: ['http/1.1'], required: false };
  assert.deepEqual(await judged(t, knows.port, tls, need), { fault: undefined, chosen: 'h2' });
  assert.deepEqual(await judged(t, knows.port, tls, may), { fault: undefined, chosen: 'http/1.1' });
  assert.deepEqual(await judged(t, doesNot.port, tls, may), { fault: undefined, chosen: false });
  assert.deepEqual((await judged(t, doesNot.port, tls, need)).fault, {
    code: 'tls-no-protocol',
    detail: 'it does not speak h2',
  });
});

test('a session is taken up again for the name that it was made with, and for no other', async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const far = await secureOrigin(t, ca.issue('app'), () => {}, { maxVersion: 'TLSv1.2' });
  const security = new Security(tlsSchema.parse({ ca: ca.cert }), manualClock());
  const reused = async (address: OriginAddress): Promise<boolean> => {
    const handshake = security.handshake(address, { names: [], required: false }, address);
    const socket = connect({ port: far.port, host: '127.0.0.1', ...handshake.connectOptions() });
    handshake.listen(socket);
    await once(socket, 'secureConnect');
    handshake.judge(socket);
    const again = socket.isSessionReused();
    socket.destroy();
    return again;
  };
  const here = { scheme: 'https', host: '127.0.0.1', port: far.port };
  assert.deepEqual([await reused(here), await reused(here)], [false, true]);
  assert.equal(await reused({ ...here, host: 'localhost' }), false);
});

test("what is in a certificate is a stranger's text", async (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const names = Array.from({ length: 100 }, (_, i) => `DNS:host-${i}.example`);
  const app = await secureOrigin(t, ca.issue('app', { names }), () => {});
  const { fault } = await judged(t, app.port, tlsSchema.parse({ ca: ca.cert }), { names: [], required: false });
  assert.equal(fault?.code, 'tls-wrong-name');
  assert.match(fault.detail, /^it is for host-0\.example, .*… *, not for 127\.0\.0\.1$/);
  assert.ok(fault.detail.length < 300);
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`an origin that gets another host shows its certificate again, ${maxVersion}`, async (t) => {
    const ca = authority(t);
    if (ca === undefined) return;
    const app = await secureOrigin(t, ca.issue('a', { names: ['DNS:a.example'] }), (socket) => socket.resume(), {
      maxVersion,
    });
    const security = new Security(tlsSchema.parse({ ca: ca.cert }), manualClock());
    const origin = {};
    const asked = async (host: string): Promise<[boolean, string | undefined]> => {
      const address = { scheme: 'https', host, ip: '127.0.0.1', port: app.port };
      const handshake = security.handshake(address, { names: [], required: false }, origin);
      const socket = connect({ port: app.port, host: '127.0.0.1', ...handshake.connectOptions() });
      t.after(() => socket.destroy());
      handshake.listen(socket);
      let tickets = 0;
      socket.on('session', () => tickets++);
      await once(socket, 'secureConnect');
      const fault = handshake.judge(socket);
      if (fault === undefined) await eventually(() => tickets > 0 || socket.isSessionReused(), 'a ticket');
      return [socket.isSessionReused(), fault?.code];
    };
    assert.deepEqual(await asked('a.example'), [false, undefined]);
    assert.deepEqual(await asked('a.example'), [true, undefined]);
    assert.deepEqual(await asked('b.example'), [false, 'tls-wrong-name']);
  });
}

test('who an origin has to be', () => {
  const address = { scheme: 'https', host: 'app.example.', port: 443 };
  const plain = tlsSchema.parse({});
  assert.equal(serverNameOf(plain, address), 'app.example');
  assert.equal(serverNameOf(plain, { ...address, ip: '10.0.0.1' }), 'app.example', 'the name, not where it led');
  assert.equal(serverNameOf(plain, { ...address, host: '', port: 0, path: '/s' }), 'localhost');
  assert.equal(serverNameOf(tlsSchema.parse({ serverName: 'other' }), address), 'other');
  assert.deepEqual(identityOf(plain, address), { serverName: 'app.example', checks: ['ca'], clientCertificate: false });
  const pinned = tlsSchema.parse({ fingerprint: '00'.repeat(32) });
  assert.deepEqual(identityOf(pinned, address).checks, ['fingerprint']);
  assert.deepEqual(identityOf(tlsSchema.parse({ verify: false }), address).checks, []);
});
