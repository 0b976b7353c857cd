import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { manualClock } from '../../../test/support/clock.ts';
import { Lines, LONGEST_LINE, MOST_LINES } from './lines.ts';

async function read(chunks: readonly (string | Buffer)[], ms = 0): Promise<{ out: string[]; heard: string[] }> {
  const clock = manualClock();
  const out: string[] = [];
  const heard: string[] = [];
  const lines = new Lines(
    clock,
    (line) => void out.push(line),
    (line) => void heard.push(line),
  );
  const stream = new PassThrough();
  lines.read(stream);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await new Promise((resolve) => stream.once('end', resolve));
  clock.advance(ms);
  return { out, heard };
}

test('lines, however they are cut, without their ends and without empty ones', async () => {
  const text = Buffer.from('one\r\ntwo ä€😀\n\n\nthree');
  const pieces = [...text].map((byte) => Buffer.from([byte]));
  assert.deepEqual((await read(pieces)).out, ['one', 'two ä€😀', 'three']);
  assert.deepEqual((await read([text])).out, ['one', 'two ä€😀', 'three']);
});

test('a long line is cut, in memory as well, and the next one is whole', async () => {
  const long = 'x'.repeat(100_000);
  for (const chunks of [[`${long}\nnext\n`], [...Array.from({ length: 100 }, () => 'x'.repeat(1000)), '\nnext\n']]) {
    const { out } = await read(chunks);
    assert.deepEqual(
      out.map((line) => line.length),
      [LONGEST_LINE + 1, 4],
    );
    assert.equal(out[0]?.at(-1), '…');
    assert.equal(out[1], 'next');
  }
});

test('a flood is not logged, but heard, and how much of it is said', async () => {
  const { out, heard } = await read(['line\n'.repeat(50_000)], 2000);
  assert.equal(out.length, MOST_LINES + 1);
  assert.equal(out.at(-1), `… ${50_000 - MOST_LINES} more lines, which were left out`);
  assert.equal(heard.length, 50_000);
});
