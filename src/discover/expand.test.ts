import assert from 'node:assert/strict';
import test from 'node:test';
import { originName } from '../core/origin.ts';
import { originSchema, type ConfiguredOrigin, type OriginInput } from '../upstream/options.ts';
import { expand, namesOf, type Known } from './expand.ts';
import type { Found } from './found.ts';

const schema = originSchema(['http']);
const origins = (...inputs: OriginInput[]): ConfiguredOrigin[] => inputs.map((input) => schema.parse(input));
const host = (...ips: string[]): Found[] => ips.map((ip) => ({ ip, family: ip.includes(':') ? 6 : 4 }));
const service = (...texts: string[]): Found[] =>
  texts.map((text) => {
    const [priority, weight, port, ip = ''] = text.split(' ');
    return { ip, family: 4, port: Number(port), weight: Number(weight), priority: Number(priority), target: 't' };
  });
const known = (sets: Record<string, Found[]>): Known => new Map(Object.entries(sets));
const names = (list: ReturnType<typeof expand>): string[] => list.map(({ address }) => originName(address));

test('a name becomes an origin for each address, with its options, and says its name', () => {
  const [configured] = origins({ url: 'http://App.Example:3000', weight: 2, backup: true, maxConnections: 7 });
  const [first, second] = expand([configured], known({ 'app.example': host('10.0.0.1', 'fd00::1') }));
  assert.deepEqual(first, {
    url: 'http://App.Example:3000',
    address: { scheme: 'http', host: 'app.example', port: 3000, ip: '10.0.0.1' },
    weight: 2,
    backup: true,
    maxConnections: 7,
  });
  assert.equal(originName(second.address), '[fd00::1]:3000');
});

test('addresses, localhost, sockets and `resolve: no` stay what they are and need no name', () => {
  const list = origins(
    'http://127.0.0.1:1',
    '[::1]:2',
    'localhost:3',
    'app.localhost.:4',
    'unix:/run/a.sock',
    { url: 'app.example:5', resolve: 'no' },
    6,
  );
  assert.deepEqual(namesOf(list), []);
  const expanded = expand(list, known({ localhost: host('10.0.0.1'), 'app.example': host('10.0.0.2') }));
  assert.deepEqual(names(expanded), [
    '127.0.0.1:1',
    '[::1]:2',
    'localhost:3',
    'app.localhost.:4',
    'unix:/run/a.sock',
    'app.example:5',
    '127.0.0.1:6',
  ]);
  assert.ok(expanded.every((one) => !('resolve' in one)));
});

test('the names to resolve, each once, whatever their ports', () => {
  const list = origins('a.example:1', 'A.Example:2', 'srv:_http._tcp.a.example', '10.0.0.1:3', 'b');
  assert.deepEqual(namesOf(list), ['a.example', 'srv:_http._tcp.a.example', 'b']);
});

test('a name that is not known yet gives no origin, the others go on', () => {
  assert.deepEqual(names(expand(origins('a.example:1', '10.0.0.1:1', 'srv:s.example'), new Map())), ['10.0.0.1:1']);
  assert.deepEqual(expand(origins('a.example:1'), new Map()), []);
});

test('the order is that of the config and of the sets; one address is one origin, as a primary if it can be', () => {
  const list = origins({ url: 'b.example:1', backup: true, weight: 3 }, 'a.example:1', '10.0.0.2:1', 'a.example:2');
  const sets = known({ 'a.example': host('10.0.0.1', '10.0.0.2'), 'b.example': host('10.0.0.2', '10.0.0.3') });
  const expanded = expand(list, sets);
  assert.deepEqual(names(expanded), ['10.0.0.2:1', '10.0.0.3:1', '10.0.0.1:1', '10.0.0.1:2', '10.0.0.2:2']);
  assert.deepEqual([expanded[0].backup, expanded[0].url], [false, 'a.example:1']);
  assert.deepEqual(expand(list, sets), expanded);
});

test('`one` takes the first address and stays with it while the name has it', () => {
  const list = origins({ url: 'a.example:1', resolve: 'one' });
  const step = (before: ReturnType<typeof expand>, ...ips: string[]) =>
    expand(list, known({ 'a.example': host(...ips) }), before);
  const first = step([], '10.0.0.5', '10.0.0.6');
  assert.deepEqual(names(first), ['10.0.0.5:1']);
  const second = step(first, '10.0.0.1', '10.0.0.5');
  assert.deepEqual(names(second), ['10.0.0.5:1']);
  assert.deepEqual(second, first, 'a reload finds nothing to change');
  assert.deepEqual(names(step(second, '10.0.0.1', '10.0.0.6')), ['10.0.0.1:1']);
  assert.deepEqual(step(second), []);
});

test('SRV: ports and weights of the records, the lowest priority first, the others in reserve', () => {
  const [configured] = origins({ url: 'srv:_http._tcp.App.Example', weight: 2 });
  const records = service('10 5 3001 10.0.0.1', '10 15 3002 10.0.0.1', '20 0 3003 10.0.0.2', '30 1 3004 10.0.0.3');
  const expanded = expand([configured], known({ 'srv:_http._tcp.app.example': records }));
  assert.deepEqual(
    expanded.map(({ address, weight, backup }) => [originName(address), address.host, weight, backup]),
    [
      ['10.0.0.1:3001', 'app.example', 10, false],
      ['10.0.0.1:3002', 'app.example', 30, false],
      ['10.0.0.2:3003', 'app.example', 2, true],
      ['10.0.0.3:3004', 'app.example', 2, true],
    ],
  );
  assert.ok(
    expanded.every(({ address }) => address.srv === undefined),
    'each can be dialled',
  );
});

test('SRV: weight 0 is hardly anything beside others, and as good as any among its like', () => {
  const weights = (...records: string[]) =>
    expand(origins('srv:s.example'), known({ 'srv:s.example': service(...records) })).map(({ weight }) => weight);
  assert.deepEqual(weights('0 0 1 10.0.0.1', '0 0 1 10.0.0.2'), [1, 1]);
  assert.deepEqual(weights('0 0 1 10.0.0.1', '0 60 1 10.0.0.2', '5 0 1 10.0.0.3'), [0.01, 60, 1]);
});

test('SRV: `one` has no reserve, and is none by its priority', () => {
  const list = origins({ url: 'srv:s.example', resolve: 'one' });
  const first = expand(list, known({ 'srv:s.example': service('5 1 1 10.0.0.1', '9 1 1 10.0.0.2') }));
  assert.deepEqual(names(first), ['10.0.0.1:1']);
  const second = expand(list, known({ 'srv:s.example': service('1 1 1 10.0.0.9', '5 1 1 10.0.0.1') }), first);
  assert.deepEqual(names(second), ['10.0.0.1:1']);
  assert.equal(second[0].backup, false);
});
