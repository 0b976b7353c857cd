import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { canonical, MOST_ADDRESSES, orderly, type Found } from './found.ts';
import { parseHosts } from './hosts.ts';

test('addresses in their one spelling; those that lead nowhere are none', () => {
  const good: [string, string, number][] = [
    ['10.0.0.1', '10.0.0.1', 4],
    ['FD00:0:0:0::1', 'fd00::1', 6],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1', 6],
    ['::ffff:10.0.0.1', '10.0.0.1', 4],
    ['::1', '::1', 6],
    ['127.0.0.1', '127.0.0.1', 4],
  ];
  for (const [text, ip, family] of good) assert.deepEqual(canonical(text), { ip, family }, text);
  const bad = ['0.0.0.0', '0.1.2.3', '::', '::ffff:0.0.0.0', '224.0.0.1', '255.255.255.255', 'fe80::1', 'febf::1'];
  for (const text of [...bad, 'ff02::1', 'fd00::1%eth0', '10.0.0', 'app', '']) {
    assert.equal(canonical(text), undefined, text);
  }
});

test('one order whatever order they came in, no duplicates, and an end', () => {
  const record = fc.record(
    {
      ip: fc.constantFrom('10.0.0.1', '10.0.0.2', '9.0.0.1'),
      family: fc.constant(4 as const),
      port: fc.constantFrom(80, 81),
      weight: fc.constantFrom(0, 1),
      priority: fc.constantFrom(0, 1),
      target: fc.constantFrom('a', 'b'),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(record, { maxLength: 20 }), (records) => {
      const sorted = orderly(records);
      assert.deepEqual(orderly(records.toReversed()), sorted);
      assert.equal(new Set(sorted.map(({ ip, port }) => `${ip} ${port}`)).size, sorted.length);
      assert.ok(sorted.every((one, i) => i === 0 || (sorted[i - 1].priority ?? 0) <= (one.priority ?? 0)));
    }),
  );
  const many = Array.from({ length: 5000 }, (_, i): Found => ({ ip: `10.0.${i >> 8}.${i & 255}`, family: 4 }));
  assert.equal(orderly(many).length, MOST_ADDRESSES);
});

test('the hosts file: comments, several names, any case, lines that are none', () => {
  const names = parseHosts(
    '127.0.0.1\tlocalhost A.b. # c d\r\n# 10.0.0.1 a.b\n\n  ::1  a.b\nx y\n10.0.0.9\n0.0.0.0 ad\n',
  );
  assert.deepEqual(names.get('a.b'), [
    { ip: '127.0.0.1', family: 4 },
    { ip: '::1', family: 6 },
  ]);
  assert.deepEqual([...names.keys()], ['localhost', 'a.b', 'y', 'ad']);
  assert.deepEqual(names.get('ad'), []);
});
