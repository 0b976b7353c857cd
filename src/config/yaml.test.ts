import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findSpan } from './place.ts';
import type { PropertyPath } from './problems.ts';
import { readYaml } from './yaml.ts';

function at(text: string, path: PropertyPath, what: 'key' | 'value' = 'value'): string {
  const { root, problems } = readYaml(text);
  assert.deepEqual(problems, []);
  assert.ok(root !== undefined);
  const { start, end } = findSpan(root, path, what, text);
  return text.slice(start, end);
}

test('knows where keys and values stand, in block and flow style', () => {
  const text = `a:\n  - b: one\n    "c d": 'two'\n  - { e: [3, 4] }\n5: six\n`;
  assert.equal(at(text, ['a', 0, 'b']), 'one');
  assert.equal(at(text, ['a', 0, 'c d']), `'two'`);
  assert.equal(at(text, ['a', 0, 'c d'], 'key'), `"c d"`);
  assert.equal(at(text, ['a', 1, 'e', 1]), '4');
  assert.equal(at(text, ['5']), 'six');
});

test('a value over several lines is shown at its key', () => {
  const text = `a:\n  b: 1\n  c: 2\n`;
  assert.equal(at(text, ['a']), 'a');
});

test('follows aliases and merges; what stands in the map itself wins', () => {
  const text = `x: &x { a: 1, b: 2 }\ny: &y { b: 3, c: 4 }\nz:\n  <<: [*x, *y]\n  a: 5\nw: *x\n`;
  assert.deepEqual(readYaml(text).value, {
    x: { a: 1, b: 2 },
    y: { b: 3, c: 4 },
    z: { a: 5, b: 2, c: 4 },
    w: { a: 1, b: 2 },
  });
  assert.equal(at(text, ['z', 'a']), '5');
  assert.equal(at(text, ['z', 'b']), '2');
  assert.equal(at(text, ['z', 'c']), '4');
  assert.equal(at(text, ['w', 'b']), '2');
});

test('words that YAML 1.1 took for true and false are text', () => {
  assert.deepEqual(readYaml('a: no\nb: off\nc: yes\nd: true\n').value, { a: 'no', b: 'off', c: 'yes', d: true });
});

test('an alias inside its own anchor ends', () => {
  assert.equal(readYaml('a: &a { b: *a }\n').problems.length, 0);
});

test('aliases of aliases that would blow up are refused', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 9; i++) lines.push(`a${i}: &a${i} [${Array.from({ length: 9 }, () => `*a${i - 1}`).join(', ')}]`);
  const { problems } = readYaml(lines.join('\n'));
  assert.match(problems[0]?.message ?? '', /alias/i);
});
