import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTraceparent } from './trace.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const GOOD = `00-${TRACE}-${SPAN}-01`;

test('a valid traceparent', () => {
  assert.deepEqual(parseTraceparent(GOOD), { traceId: TRACE, spanId: SPAN, flags: 1 });
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-00`)?.flags, 0);
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-03`)?.flags, 3);
});

test('flags that nobody knows are not passed on', () => {
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-ff`)?.flags, 3);
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-fc`)?.flags, 0);
});

test('of a later version the known part is read, and what follows it left out', () => {
  for (const more of ['', '-', '-what-the-future-will-be-like']) {
    assert.deepEqual(parseTraceparent(`cc-${TRACE}-${SPAN}-01${more}`), { traceId: TRACE, spanId: SPAN, flags: 1 });
  }
  assert.equal(parseTraceparent(`cc-${TRACE}-${SPAN}-01.more`), null);
});

test('anything else is not valid', () => {
  const wrong = [
    '',
    '00',
    `${GOOD}-`,
    `${GOOD}-more`,
    `${GOOD}, ${GOOD}`,
    ` ${GOOD}`,
    GOOD.toUpperCase(),
    GOOD.replace('00-', 'ff-'),
    GOOD.replace('00-', '0-'),
    GOOD.replace('00-', '0x-'),
    GOOD.replace(TRACE, '0'.repeat(32)),
    GOOD.replace(SPAN, '0'.repeat(16)),
    GOOD.replace(TRACE, TRACE.slice(1)),
    GOOD.replace(TRACE, `${TRACE}0`),
    GOOD.replace(SPAN, SPAN.replace('b', 'g')),
    GOOD.slice(0, -1),
    GOOD.replaceAll('-', '_'),
  ];
  for (const value of wrong) assert.equal(parseTraceparent(value), null, value);
});
