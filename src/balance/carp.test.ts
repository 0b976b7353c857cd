import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, origin, seeded, tally, times, weighted } from '../../test/support/origins.ts';
import type { Origin } from '../core/origin.ts';
import type { Balancer } from './balancer.ts';
import { carp, loadFactors, memberHash, urlHash } from './carp.ts';

function make(origins: readonly Origin[], given: { key?: string } = {}): Balancer {
  const balancer = carp.create(carp.options.parse(given), seeded());
  balancer.update(origins);
  return balancer;
}

const URLS = Array.from({ length: 20_000 }, (_, i) => ask({ key: `/articles/${i}/index.html?v=2` }));

// Duane Wessels, "Web Caching" (O'Reilly, 2001), appendix C, table C-1.
const TABLE_C1: readonly [name: string, hash: number, load: number, factor: number][] = [
  ['test1.ircache.net', 0x96010320, 1, 0.869442],
  ['test2.web-cache.com', 0x84965f0f, 1, 0.869442],
  ['test3.squid-cache.org', 0x4f5d7332, 2, 1.064844],
  ['test4.packet-pushers.com', 0xa79af670, 3, 1.242318],
];

test('member hashes of table C-1', () => {
  for (const [name, wanted] of TABLE_C1) assert.equal(memberHash(name) >>> 0, wanted, name);
});

test('load factors of table C-1, in any order of the members', () => {
  for (const table of [TABLE_C1, TABLE_C1.toReversed(), TABLE_C1.toSorted(([, a], [, b]) => a - b)]) {
    const factors = loadFactors(table.map(([, , load]) => load));
    for (const [i, [, , , wanted]] of table.entries()) assert.equal(factors[i].toFixed(6), wanted.toFixed(6));
  }
});

test('equal loads have the factor 1', () => {
  for (const factor of loadFactors([7, 7, 7])) assert.ok(Math.abs(factor - 1) < 1e-12);
});

test('load factors stay finite for a hundred origins of very different weights', () => {
  const factors = loadFactors(Array.from({ length: 100 }, (_, i) => 10 ** (i % 7)));
  for (const factor of factors) assert.ok(factor > 0 && Number.isFinite(factor));
});

test('the URL hash of the book, whole and in pieces', () => {
  assert.equal(urlHash('http://www.squid-cache.org/'), 0x16073a01);
  assert.equal(urlHash('/', urlHash('www.squid-cache.org', urlHash('http://'))), 0x16073a01);
});

test('the whole URL decides: http, Host and target', () => {
  const origins = weighted(1, 1, 1, 1, 1, 1, 1, 1);
  const balancer = make(origins);
  const whole = make(origins, { key: 'header:x' });
  for (let i = 0; i < 200; i++) {
    const [authority, target] = [`site${i % 7}.example.org`, `/${i}?q=${i}`];
    const url = `http://${authority}${target}`;
    const chosen = balancer.pick(ask({ key: target, authority }));
    assert.equal(chosen, balancer.pick(ask({ key: url, authority: 'ignored' })), 'absolute-form is the same URL');
    assert.equal(chosen, whole.pick(ask({ key: url, authority: 'ignored' })), 'other keys are hashed alone');
  }
});

test('any other key decides alone', () => {
  const origins = weighted(1, 1, 1, 1, 1, 1, 1, 1);
  for (const key of ['path', 'address', 'header:x', 'cookie:x']) {
    const balancer = make(origins, { key });
    const chosen = Array.from({ length: 50 }, (_, i) => balancer.pick(ask({ key: '/a', authority: `site${i}` })));
    assert.equal(new Set(chosen).size, 1, key);
  }
});

test('shares follow weights, as far as the draft mixes', () => {
  const origins = weighted(1, 1, 2, 3, 5);
  const counts = tally(make(origins), origins, URLS);
  for (const [i, one] of origins.entries())
    assert.ok(Math.abs(counts[i] / ((URLS.length * one.weight) / 12) - 1) < 0.4, counts.join(' '));
});

test('only the URLs of a dead origin move, and they spread over the others', () => {
  const origins = weighted(1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
  const balancer = make(origins);
  for (const dead of origins) {
    const received = new Map<Origin, number>();
    let orphans = 0;
    for (const url of URLS) {
      const before = balancer.pick(url);
      const after = balancer.pick({ ...url, usable: (one) => one !== dead }) as Origin;
      if (before !== dead) assert.equal(after, before);
      else {
        orphans++;
        received.set(after, (received.get(after) ?? 0) + 1);
      }
    }
    // The draft mixes members among each other less well than it could: now and then one is passed over.
    assert.ok(received.size >= 7);
    for (const count of received.values()) assert.ok(count < 0.4 * orphans, `${count} of ${orphans}`);
  }
});

test('requests without the cookie are not one client', () => {
  const origins = weighted(1, 1, 1);
  for (const count of tally(make(origins, { key: 'cookie:sid' }), origins, times(900))) assert.ok(count > 200);
});

test('backups do not change the factors of the primaries', () => {
  const primaries = weighted(1, 2, 3);
  const alone = make(primaries);
  const together = make([origin('10.1.0.1', { backup: true, weight: 50 }), ...primaries]);
  for (const url of URLS.slice(0, 500)) assert.equal(together.pick(url), alone.pick(url));
});
