import assert from 'node:assert/strict';
import test from 'node:test';
import { z } from 'zod';
import { ask, seeded, tally, times, weighted, without } from '../../test/support/origins.ts';
import type { Origin } from '../core/origin.ts';
import type { Balancer } from './balancer.ts';
import { sticky } from './sticky.ts';

const SECRET = 'a secret for tests, long enough';

type Given = z.input<typeof sticky.options>;

function make(origins: readonly Origin[], given: Given = { secret: SECRET }): Balancer {
  const balancer = sticky.create(sticky.options.parse(given), seeded());
  balancer.update(origins);
  return balancer;
}

/** What a client sends back. */
function cookie(balancer: Balancer, origin: Origin): string {
  const stamp = balancer.stamp?.('', origin);
  return /^[^=]+=([^;]+);/.exec(stamp ?? '')?.[1] ?? assert.fail(`no cookie in ${stamp}`);
}

function stays(balancer: Balancer, key: string, origins: readonly Origin[]): boolean {
  return Math.max(...tally(balancer, origins, times(100, ask({ key })))) === 100;
}

test('a client with a cookie stays, and is not stamped again', () => {
  const origins = weighted(1, 1, 1, 1);
  const balancer = make(origins);
  assert.equal(balancer.key, 'cookie:sluice');
  for (const home of origins) {
    const key = cookie(balancer, home);
    home.inFlight = 100;
    for (let i = 0; i < 50; i++) assert.equal(balancer.pick(ask({ key })), home);
    assert.equal(balancer.stamp?.(key, home), undefined);
    home.inFlight = 0;
  }
});

test('strangers are spread over all by weight and load', () => {
  const origins = weighted(1, 3);
  const counts = tally(make(origins), origins, times(4000));
  assert.ok(Math.abs(counts[0] - 1000) < 150, counts.join(' '));
});

test('when the home is not usable, another one serves, stamps, and becomes the home', () => {
  const origins = weighted(1, 1, 1);
  const balancer = make(origins);
  const key = cookie(balancer, origins[0]);
  const other = balancer.pick({ ...without(origins[0]), key }) as Origin;
  assert.notEqual(other, origins[0]);
  assert.notEqual(balancer.stamp?.(key, other), undefined);
  assert.equal(balancer.pick(ask({ key: cookie(balancer, other) })), other);
});

test('a forged, changed, cut, extended or foreign cookie is a stranger', () => {
  const origins = weighted(1, 1, 1, 1);
  const balancer = make(origins);
  const key = cookie(balancer, origins[0]);
  const foreign = cookie(make(origins, { secret: 'the secret of somebody else' }), origins[0]);
  const flipped = Array.from(key, (letter, i) => key.slice(0, i) + (letter === 'A' ? 'B' : 'A') + key.slice(i + 1));
  const half = key.slice(0, 8) + cookie(balancer, origins[1]).slice(8);
  for (const bad of [...flipped, half, foreign, key.slice(1), `${key}A`, `"${key}"`, origins[0].name, '0', '']) {
    assert.equal(stays(balancer, bad, origins), false, bad);
    assert.match(String(balancer.stamp?.(bad, origins[0])), /^sluice=/);
  }
});

test('the cookie does not reveal the address', () => {
  const [one] = weighted(1);
  const value = cookie(make([one]), one);
  assert.match(value, /^[\w-]{32}$/);
  for (const text of [value, Buffer.from(value, 'base64url').toString('latin1')]) assert.doesNotMatch(text, /10\.0/);
});

test('the same secret makes the same cookies in every process; none makes them the same within one', () => {
  const origins = weighted(1, 1);
  assert.equal(cookie(make(origins), origins[0]), cookie(make(origins), origins[0]));
  assert.equal(cookie(make(origins, {}), origins[0]), cookie(make(origins, {}), origins[0]));
  assert.notEqual(cookie(make(origins, {}), origins[0]), cookie(make(origins), origins[0]));
});

test('cookies survive a change of membership, except those of who left', () => {
  const origins = weighted(1, 1, 1, 1);
  const balancer = make(origins);
  const keys = origins.map((one) => cookie(balancer, one));
  const rest = origins.slice(1).toReversed();
  balancer.update(rest);
  for (const one of rest) assert.equal(balancer.pick(ask({ key: keys[origins.indexOf(one)] })), one);
  assert.equal(stays(balancer, keys[0], origins), false);
  assert.equal(balancer.stamp?.('', origins[0]), undefined);
});

test('the attributes of the cookie', () => {
  const [one] = weighted(1);
  const attributes = (given: Given): string =>
    String(make([one], { secret: SECRET, ...given }).stamp?.('', one)).replace(/=[\w-]{32};/, '=…;');
  assert.equal(attributes({}), 'sluice=…; Path=/; HttpOnly; SameSite=Lax');
  assert.equal(
    attributes({ cookie: '__Host-node', maxAge: '2h', secure: true, httpOnly: false, sameSite: 'strict' }),
    '__Host-node=…; Path=/; Max-Age=7200; Secure; SameSite=Strict',
  );
  assert.equal(attributes({ path: '/app', maxAge: 1 }), 'sluice=…; Path=/app; Max-Age=1; HttpOnly; SameSite=Lax');
  assert.equal(attributes({ sameSite: 'none' }), 'sluice=…; Path=/; Secure; HttpOnly; SameSite=None');
});

test('options that would break the field are refused', () => {
  for (const given of [
    { cookie: 'a b' },
    { cookie: '' },
    { cookie: 'a=b' },
    { path: 'app' },
    { path: '/a; Domain=example.org' },
    { path: '/a\r\nX: y' },
    { secret: 'short' },
    { by: 'ip' },
    { domain: 'example.org' },
  ])
    assert.equal(sticky.options.safeParse(given).success, false, JSON.stringify(given));
});

test('by address: no cookie, the same origin for the same client, spread over all', () => {
  const origins = weighted(1, 1, 2);
  const balancer = make(origins, { by: 'address' });
  assert.equal(balancer.key, 'address');
  assert.equal(balancer.stamp, undefined);
  const clients = Array.from({ length: 8000 }, (_, i) => ask({ key: `192.0.${i >> 8}.${i & 255}` }));
  const counts = tally(balancer, origins, clients);
  for (const [i, due] of [2000, 2000, 4000].entries()) assert.ok(Math.abs(counts[i] - due) < 5 * Math.sqrt(due));
  assert.deepEqual(tally(make(origins, { by: 'address' }), origins, clients), counts);
});
