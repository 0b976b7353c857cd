import assert from 'node:assert/strict';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { networkProblem, Networks, parseAddress } from './networks.ts';

const v4 = fc.ipV4();
const v6 = fc.ipV6();

test('takes what Node takes for an address, and nothing else', () => {
  const almost = fc.string({ unit: fc.constantFrom(...'0123456789abcf:.%'.split('')), maxLength: 20 });
  fc.assert(
    fc.property(fc.oneof(v4, v6, almost), (text) => {
      // A zone without a name, or behind an IPv4 address, is Node's business.
      fc.pre(!text.includes('%'));
      assert.equal(parseAddress(text) !== undefined, isIPv4(text) || isIPv6(text), text);
    }),
    { numRuns: 3000 },
  );
});

test('agrees with node:net about what lies in a network', () => {
  const list = new BlockList();
  const texts = [
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.0.2.7',
    '203.0.113.64/27',
    '2001:db8::/33',
    'fe80::/10',
    '::1',
    'fc00::/7',
  ];
  for (const text of texts) {
    const [address = '', bits] = text.split('/');
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  const networks = new Networks(texts);
  const near = fc
    .tuple(
      fc.constantFrom('10.', '172.', '192.0.2.', '203.0.113.'),
      fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }),
    )
    .map(([start, rest]) => (start + rest.join('.')).split('.').slice(0, 4).join('.'));
  fc.assert(
    fc.property(fc.oneof(v4, v6, near), (address) => {
      const expected = list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
      assert.equal(networks.has(address), expected, address);
      if (!address.includes(':')) assert.equal(networks.has(`::ffff:${address}`), expected);
    }),
    { numRuns: 3000 },
  );
});

test('each bit of a prefix counts, and no bit behind it', () => {
  for (let bits = 1; bits <= 32; bits++) {
    const networks = new Networks([`128.0.0.0/1`, `0.0.0.0/${bits}`].slice(1));
    const inside = 2 ** (32 - bits) - 1;
    const show = (value: number): string =>
      [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
    assert.equal(networks.has(show(inside)), true, `/${bits}`);
    assert.equal(networks.has(show(inside + 1)), false, `/${bits}`);
  }
});

test('the whole of one family is not the whole of the other', () => {
  assert.equal(new Networks(['0.0.0.0/0']).has('198.51.100.1'), true);
  assert.equal(new Networks(['0.0.0.0/0']).has('2001:db8::1'), false);
  assert.equal(new Networks(['::/0']).has('2001:db8::1'), true);
  assert.equal(new Networks(['::/0']).has('198.51.100.1'), false);
  assert.equal(new Networks(['::/0']).has('::ffff:198.51.100.1'), false);
});

test('names', () => {
  const loopback = new Networks(['loopback']);
  for (const address of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'])
    assert.equal(loopback.has(address), true);
  for (const address of ['128.0.0.1', '::2', '10.0.0.1', 'unix:']) assert.equal(loopback.has(address), false);
  const inside = new Networks(['private']);
  for (const address of ['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.9.9', 'fd12::1']) {
    assert.equal(inside.has(address), true, address);
  }
  for (const address of ['172.32.0.0', '192.169.0.1', '127.0.0.1', 'fe80::1', '2001:db8::1']) {
    assert.equal(inside.has(address), false, address);
  }
  assert.equal(new Networks(['unix']).has('unix:'), true);
});

test('a zone is passed over, garbage is in no network', () => {
  assert.equal(new Networks(['fe80::/10']).has('fe80::1%eth0'), true);
  for (const garbage of ['', 'localhost', '10.0.0.1 ', '10.0.0.01', '0x7f.1', '1.2.3.4%eth0']) {
    assert.equal(new Networks(['0.0.0.0/0', '::/0']).has(garbage), false, garbage);
  }
});

test('says what is wrong with a network, and what was meant', () => {
  for (const good of [
    '10.0.0.0/8',
    '10.0.0.1',
    '10.0.0.1/32',
    '::1',
    '2001:db8::/32',
    '::ffff:0:0/96',
    'loopback',
    'unix',
  ]) {
    assert.equal(networkProblem(good), undefined, good);
  }
  assert.match(networkProblem('10.1.2.3/8') ?? '', /write 10\.0\.0\.0\/8$/);
  assert.match(networkProblem('192.0.2.77/27') ?? '', /write 192\.0\.2\.64\/27$/);
  assert.match(networkProblem('2001:db8::1/32') ?? '', /write 2001:db8::\/32$/);
  assert.match(networkProblem('::1/0') ?? '', /write ::\/0$/);
  assert.match(networkProblem('10.0.0.0/33') ?? '', /at most 32 bits/);
  for (const wrong of ['', '10.0.0.0/', '10.0.0.0/x', '10.0.0.0/8/8', 'constructor', 'fe80::1%eth0', '10.0.0.0/-1']) {
    assert.notEqual(networkProblem(wrong), undefined, wrong);
  }
});
