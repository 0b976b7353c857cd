import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BlockWriter } from './block-writer.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { nameOf } from './names.ts';

test('what is remembered of names and values does not keep the heads that they came in', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const encoder = new HpackEncoder();
  const into = new BlockWriter();
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 300; i++) {
    const first = `X-Some-Long-Name-${i}: some-long-value-${i}`;
    const head = Buffer.from(`${first}\r\n${'x'.repeat(60_000)}`).latin1Slice();
    const name = nameOf(head.slice(0, first.indexOf(':')));
    assert.equal(name.text, `x-some-long-name-${i}`);
    // The second time it is put into the table.
    for (let time = 0; time < 2; time++) encoder.field(name, head.slice(first.indexOf(':') + 2, first.length), into);
  }
  assert.ok(encoder.size > 3000);
  collect();
  const grown = process.memoryUsage().heapUsed - before;
  assert.ok(grown < 3_000_000, `${grown} bytes for 300 fields`);
});
