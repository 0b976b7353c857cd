import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { ask, origin, seeded, tally, times, weighted, without } from '../../test/support/origins.ts';
import type { Origin } from '../core/origin.ts';
import type { Balancer } from './balancer.ts';
import { crc32 } from './crc32.ts';
import { hash } from './hash.ts';

function make(origins: readonly Origin[], given: { key?: string } = {}): Balancer {
  const balancer = hash.create(hash.options.parse(given), seeded());
  balancer.update(origins);
  return balancer;
}

const URLS = Array.from({ length: 20_000 }, (_, i) => ask({ key: `/articles/${i}/index.html` }));

test('every choice in the trace of the 2006 announcement', () => {
  const trace = readFileSync(join(import.meta.dirname, 'fixtures', 'hash-trace.txt'), 'utf8');
  const pool = [...trace.matchAll(/adding (\S+) to the address-pool/g)].map(([, name]) => origin(name));
  const choices = [...trace.matchAll(/using hash-balancing: (\S+) -> (\S+)/g)];
  assert.deepEqual([pool.length, choices.length], [14, 15]);
  const balancer = make(pool);
  for (const [, path, name] of choices)
    assert.equal(balancer.pick(ask({ key: path, authority: '127.0.0.1:1445' }))?.name, name, path);
});

test('ten origins, one dies: only its URLs move, and each of the other nine gets 1/9 of them', () => {
  const origins = weighted(1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
  const balancer = make(origins);
  const before = URLS.map((url) => balancer.pick(url));
  for (const dead of origins) {
    const received = new Map<Origin, number>();
    for (const [i, url] of URLS.entries()) {
      const after = balancer.pick({ ...url, usable: (one) => one !== dead }) as Origin;
      if (before[i] === dead) received.set(after, (received.get(after) ?? 0) + 1);
      else assert.equal(after, before[i]);
    }
    const ninth = before.filter((one) => one === dead).length / 9;
    assert.equal(received.size, 9);
    for (const count of received.values())
      assert.ok(Math.abs(count - ninth) < 5 * Math.sqrt(ninth), `${count} ${ninth}`);
  }
});

test('a second death moves the URLs of the second only', () => {
  const origins = weighted(1, 1, 1, 1, 1);
  const balancer = make(origins);
  for (const url of URLS.slice(0, 3000)) {
    const one = balancer.pick({ ...url, usable: (who) => who !== origins[0] });
    const two = balancer.pick({ ...url, usable: (who) => who !== origins[0] && who !== origins[1] });
    assert.equal(one === two, one !== origins[1]);
  }
});

test('survivors share a dead origin by weight', () => {
  const origins = weighted(1, 1, 2, 4);
  const balancer = make(origins);
  const dead = balancer.pick(URLS[0]) as Origin;
  const orphans = URLS.filter((url) => balancer.pick(url) === dead);
  const counts = tally(
    balancer,
    origins,
    orphans.map((url) => ({ ...url, usable: (who: Origin) => who !== dead })),
  );
  const sum = origins.reduce((total, one) => total + (one === dead ? 0 : one.weight), 0);
  for (const [i, one] of origins.entries()) {
    const due = one === dead ? 0 : (orphans.length * one.weight) / sum;
    assert.ok(Math.abs(counts[i] - due) <= 5 * Math.sqrt(due), counts.join(' '));
  }
});

test('Host takes part for paths only', () => {
  const origins = weighted(1, 1, 1, 1, 1, 1);
  const hosts = Array.from({ length: 50 }, (_, i) => `site${i}.example.org`);
  const chosen = (key: string): number => {
    const balancer = make(origins, { key });
    return new Set(hosts.map((authority) => balancer.pick(ask({ key: '/a', authority })))).size;
  };
  assert.ok(chosen('path') > 1);
  for (const key of ['uri', 'address', 'header:x', 'cookie:x']) assert.equal(chosen(key), 1);
});

test('hosts that alternate get the answers they get alone', () => {
  const origins = weighted(1, 1, 1, 1, 1, 1);
  const together = make(origins);
  for (let i = 0; i < 100; i++) {
    const question = ask({ key: `/${i >> 2}`, authority: ['one', 'two', ''][i % 3] });
    assert.equal(together.pick(question), make(origins).pick(question));
  }
});

test('another key is added to the name alone', () => {
  const origins = weighted(1, 1, 1, 1, 1);
  const balancer = make(origins, { key: 'address' });
  for (const key of ['192.0.2.1', '192.0.2.2', '2001:db8::1']) {
    const scores = origins.map((one) => (crc32(key) + crc32(one.name)) >>> 0);
    assert.equal(balancer.pick(ask({ key })), origins[scores.indexOf(Math.max(...scores))]);
  }
});

test('requests without the cookie are not one client', () => {
  const origins = weighted(1, 1, 1);
  for (const count of tally(make(origins, { key: 'cookie:sid' }), origins, times(900))) assert.ok(count > 200);
});

test('backups take no part in the election of the primaries', () => {
  const primaries = weighted(1, 1, 1);
  const backups = ['10.1.0.1', '10.1.0.2'].map((host) => origin(host, { backup: true }));
  const alone = make(primaries);
  const together = make([...backups, ...primaries]);
  for (const url of URLS.slice(0, 500)) assert.equal(together.pick(url), alone.pick(url));
  assert.equal(together.pick({ ...URLS[0], usable: without(...primaries).usable })?.backup, true);
});
