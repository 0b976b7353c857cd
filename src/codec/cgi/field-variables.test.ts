import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { requestOf } from '../../../test/support/request.ts';
import { tellFields, tellLines } from './field-variables.ts';

function told(fields: ReturnType<typeof requestOf>['fields'], from = 0, elsewhere: string[] = []): string[] | false {
  const all: string[] = [];
  const done = tellFields(fields, (name, value) => void all.push(`${name}=${value}`), from, elsewhere);
  return done ? all : (assert.deepEqual(all, []), false);
}

test('names that are remembered do not keep the heads that they came in', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 300; i++) {
    const one = [`X-Some-Long-Name-${i}: 1`, `X-SOME-OTHER-${i}: 2`, `X-Padding: ${'x'.repeat(60_000)}`];
    assert.equal((told(requestOf('GET / HTTP/1.1', ...one).fields) as string[]).length, 3);
  }
  collect();
  const grown = process.memoryUsage().heapUsed - before;
  assert.ok(grown < 6_000_000, `${grown} bytes for 600 names`);
});

test('lines that are told elsewhere are left out, and nothing is told when another field is the same variable', () => {
  const { fields } = requestOf('GET / HTTP/1.1', 'A: 1', 'a: 2');
  const first = 'X-B: 3\r\n';
  fields.added = `${first}X-C: 4\r\n`;
  assert.deepEqual(told(fields), ['HTTP_A=1, 2', 'HTTP_X_B=3', 'HTTP_X_C=4']);
  assert.deepEqual(told(fields, first.length, ['HTTP_X_B']), ['HTTP_A=1, 2', 'HTTP_X_C=4']);
  assert.equal(told(fields, first.length, ['HTTP_X_C']), false);
  assert.equal(told(fields, 0, ['HTTP_A']), false);
  const lines: string[] = [];
  tellLines(fields.added, (name, value) => void lines.push(`${name}=${value}`));
  assert.deepEqual(lines, ['HTTP_X_B=3', 'HTTP_X_C=4']);
});
