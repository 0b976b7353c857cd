import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseCount, parseDuration, parseSize, showDuration } from './units.ts';

/** Is none of the three. */
const WRONG = [
  '',
  ' ',
  'x',
  's',
  '-1',
  '-1s',
  '+1',
  '1,5s',
  '1 2',
  '1.s',
  '.5s',
  '1e3',
  '0x10',
  '1s1',
  '5constructor',
  '5__proto__',
  'NaN',
  'Infinity',
];

describe('units', () => {
  test('durations', () => {
    const good: [string | number, number][] = [
      ['250', 250],
      [250, 250],
      [0, 0],
      ['0s', 0],
      ['30s', 30_000],
      ['1.5m', 90_000],
      ['2min', 120_000],
      ['1h', 3_600_000],
      ['1d', 86_400_000],
      ['20ms', 20],
      [' 30 S ', 30_000],
      ['off', Infinity],
      ['none', Infinity],
    ];
    for (const [given, ms] of good) assert.equal(parseDuration(given), ms, String(given));
    for (const given of [...WRONG, '5kb', -1, Number.NaN, Infinity, `${'9'.repeat(400)}s`]) {
      assert.equal(parseDuration(given), undefined, String(given));
    }
  });

  test('sizes', () => {
    const good: [string | number, number][] = [
      ['512', 512],
      [512, 512],
      ['64KiB', 65_536],
      ['64k', 65_536],
      ['10MB', 10_000_000],
      ['10m', 10_485_760],
      ['1 GiB', 1_073_741_824],
      ['1g', 1_073_741_824],
      ['1gb', 1_000_000_000],
      ['5b', 5],
      ['0.3333kb', 333],
      ['off', Infinity],
    ];
    for (const [given, bytes] of good) assert.equal(parseSize(given), bytes, String(given));
    for (const given of [...WRONG, '5s', -1, Number.NaN, Infinity, `${'9'.repeat(400)}k`]) {
      assert.equal(parseSize(given), undefined, String(given));
    }
  });

  test('counts', () => {
    for (const [given, count] of [
      ['12', 12],
      [12, 12],
      [-3, -3],
      ['-3', -3],
      ['off', Infinity],
    ] as const) {
      assert.equal(parseCount(given), count);
    }
    for (const given of ['1.5', 1.5, '', ' 1', '1k', 'x', Number.NaN, Infinity, 2 ** 60, '9'.repeat(400)]) {
      assert.equal(parseCount(given), undefined, String(given));
    }
  });

  test('a duration is shown in the largest unit that takes one decimal at most', () => {
    for (const [ms, text] of [
      [0, '0ms'],
      [999, '999ms'],
      [1000, '1s'],
      [1234, '1234ms'],
      [16_100, '16.1s'],
      [30_000, '30s'],
      [90_000, '1.5m'],
      [3_600_000, '1h'],
      [86_400_000, '24h'],
      [Infinity, 'off'],
    ] as const) {
      assert.equal(showDuration(ms), text);
    }
  });

  test('what is shown is read as the same', () => {
    fc.assert(
      fc.property(fc.nat(100_000_000), (ms) =>
        assert.ok(Math.abs((parseDuration(showDuration(ms)) ?? -1) - ms) < 1e-6),
      ),
    );
  });
});
