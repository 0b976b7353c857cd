import assert from 'node:assert/strict';
import test from 'node:test';
import { balancers, defaultBalancer, findBalancer } from './index.ts';

test('a policy is found by its name and by what others call it', () => {
  for (const kind of balancers) assert.equal(findBalancer(kind.name), kind);
  for (const alias of ['sqf', 'fair', 'least-connections', 'least-connection'])
    assert.equal(findBalancer(alias)?.name, 'least-busy');
  assert.equal(findBalancer('static')?.name, 'first');
  assert.equal(findBalancer(defaultBalancer), balancers[0]);
  for (const name of ['', 'Hash', 'random', 'constructor', '__proto__']) assert.equal(findBalancer(name), undefined);
});

test('no name means two policies', () => {
  const names = balancers.flatMap((kind) => [kind.name, ...('aliases' in kind ? kind.aliases : [])]);
  assert.deepEqual(names.toSorted(), [...new Set(names)].toSorted());
});
