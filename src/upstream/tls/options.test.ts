import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Authority, authority } from '../../../test/support/certificates.ts';
import { peer } from '../../../test/support/peer.ts';
import { check } from '../../config/index.ts';
import { tlsDefaults, tlsSchema } from './options.ts';

type Input = Parameters<typeof tlsSchema.parse>[0];

/** What is wrong, by the option. */
function problems(given: Input): string[] {
  const { problems: found = [] } = check({ upstreams: { app: { origins: 'https://app.example', tls: given } } });
  return found.map(({ message }) => message.replace(/^upstreams\.app\.tls\./, ''));
}

test('files and text, and only what belongs there', (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const own = ca.issue('own');
  const together = join(ca.folder, 'together.pem');
  writeFileSync(together, `Some words before.\n${own.pem.key}\n${own.pem.cert}${ca.pem}`);
  const read = tlsSchema.parse({ ca: [ca.cert, ca.pem, 'system', together], cert: together });
  assert.deepEqual(
    read.ca.map((one) => (typeof one === 'string' ? one : one.from)),
    [ca.cert, 'inline', 'system', together],
  );
  assert.doesNotMatch(JSON.stringify(read.ca), /PRIVATE/, 'a key beside them goes nowhere');
  assert.doesNotMatch(read.cert?.text ?? '', /PRIVATE|words/);
  assert.equal(read.cert?.text.match(/BEGIN CERTIFICATE/g)?.length, 2);
  assert.match(read.key?.text ?? '', /^-----BEGIN PRIVATE KEY-----[^]*-----END PRIVATE KEY-----\n$/);
  const apart = tlsSchema.parse({ cert: own.pem.cert, key: own.key });
  assert.deepEqual(apart.key?.text, read.key?.text);
});

test('when a chain is checked, and when a fingerprint is enough', (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const fingerprint = 'ab'.repeat(32);
  const verifies = (given: Input): boolean => tlsSchema.parse(given).verify;
  assert.equal(tlsDefaults.verify, true);
  assert.equal(verifies({ ca: ca.cert }), true);
  assert.equal(verifies({ fingerprint }), false);
  assert.equal(verifies({ fingerprint, ca: ca.cert }), true);
  assert.equal(verifies({ fingerprint, ca: 'default' }), true);
  assert.equal(verifies({ fingerprint, verify: true }), true);
  assert.equal(verifies({ verify: false }), false);
  assert.deepEqual(
    tlsSchema.parse({ fingerprint: `SHA256 Fingerprint=${fingerprint}`.slice(0, 7) + fingerprint }).fingerprints,
    [Array.from({ length: 32 }, () => 'AB').join(':')],
  );
});

test('what cannot be used, and why; never what is in it', (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const own = ca.issue('own');
  const other = ca.issue('other');
  const locked = ca.lock(own, 'sesame');
  const damaged = own.pem.cert.replace(/\n[^-\n]{20}/, '\nAAAAAAAAAAAAAAAAAAAA');
  const cases: [Input, RegExp][] = [
    [{ ca: own.key }, /^ca: no certificate is in .*\.key, but a private key; PEM begins/],
    [{ ca: damaged }, /^ca: certificate 1 in the text cannot be read: it is damaged$/],
    [{ ca: own.pem.cert + damaged }, /^ca: certificate 2 in the text/],
    [{ ca: ca.folder }, /^ca: .* is no file$/],
    [{ ca: [] }, /^ca: /],
    [{ cert: own.cert }, /^cert: no private key is in .*; give "key"$/],
    [{ cert: own.cert, key: other.key }, /^key: the private key in .* is not that of the first certificate in /],
    [{ cert: own.cert, key: own.cert }, /^key: no private key is in /],
    [{ cert: own.key, key: own.key }, /^cert: no certificate is in .*, but a private key/],
    [
      { cert: own.cert, key: locked },
      /^key: the private key in .* cannot be read: it is encrypted, and there is no "passphrase"$/,
    ],
    [{ cert: own.cert, key: locked, passphrase: 'open' }, /^key: .*: the passphrase is wrong$/],
    [
      { cert: own.cert, key: own.pem.key.replace(/\n[^-\n]{30}/, '\nAAAA') },
      /^key: the private key in the text cannot be read: it is damaged$/,
    ],
    [{ key: own.key }, /^key: "cert" is missing/],
    [{ fingerprint: 'ab' }, /^fingerprint: expected a SHA-256 fingerprint/],
    [{ verify: false, ca: 'default' }, /^ca: nobody is asked/],
    [{ ciphers: 'nonsense' }, /^ciphers: OpenSSL knows none/],
    [{ serverName: 'a b' }, /^serverName: expected a host name/],
  ];
  for (const [given, why] of cases) {
    const found = problems(given);
    assert.equal(found.length, 1, JSON.stringify(found));
    assert.match(found[0] ?? '', why);
    assert.doesNotMatch(found[0] ?? '', /sesame|MIG|AAAA/);
  }
  assert.deepEqual(problems({ cert: own.cert, key: locked, passphrase: 'sesame' }), []);
});

test('another content of a file is another config', (t) => {
  const ca = authority(t);
  if (ca === undefined) return;
  const file = join(ca.folder, 'changing.pem');
  writeFileSync(file, ca.pem);
  const before = tlsSchema.parse({ ca: file });
  assert.deepEqual(tlsSchema.parse({ ca: file }), before);
  writeFileSync(file, new Authority(peer('openssl') ?? '', 'Next CA').pem);
  assert.notDeepEqual(tlsSchema.parse({ ca: file }), before);
});
