import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Exposition, type Histogram, type Labels } from './exposition.ts';

/** One family of these series, without its HELP and TYPE. */
function lines(...series: (readonly [Labels, number | Histogram])[]): string[] {
  const exposition = new Exposition();
  exposition.family('a', 'gauge', 'About a.', series);
  return exposition.text.split('\n').slice(2, -1);
}

/** Reads a label's value as the format's description says. */
function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one));
}

describe('exposition', () => {
  test('a family: help, type, and a line for each series', () => {
    const exposition = new Exposition();
    exposition.family('first_total', 'counter', 'Back\\slash, "quotes"\nand a second line.', [
      [[], 3],
      [[['x', '1']], 0.5],
    ]);
    exposition.family('second', 'gauge', 'No series.', []);
    exposition.family('third', 'gauge', '', [
      [
        [
          ['x', '1'],
          ['y', ''],
        ],
        -1e-9,
      ],
    ]);
    assert.equal(
      exposition.text,
      '# HELP first_total Back\\\\slash, "quotes"\\nand a second line.\n# TYPE first_total counter\n' +
        'first_total 3\nfirst_total{x="1"} 0.5\n' +
        '# HELP third \n# TYPE third gauge\nthird{x="1",y=""} -1e-9\n',
    );
  });

  test('numbers as Go reads them', () => {
    const numbers = [0, -0, 1, 1.5, 1e21, 1e-7, Infinity, -Infinity, NaN, 2 ** 53];
    assert.deepEqual(
      numbers.map((number) => lines([[], number])[0]),
      ['0', '0', '1', '1.5', '1e+21', '1e-7', '+Inf', '-Inf', 'NaN', '9007199254740992'].map((one) => `a ${one}`),
    );
  });

  test('whatever a label holds, it stays in its quotes and on its line, and can be read again', () => {
    const hostile = ['"', '\\', '\n', '\\n', '\\"', '"} 1\nevil 1\n#', '\r', '\0', 'é€😀', '{a="b"}', ' ', '\u2028'];
    const check = (value: string): void => {
      const written = lines([[['x', value]], 7]);
      assert.equal(written.length, 1, JSON.stringify(value));
      const match = /^a\{x="((?:[^"\\]|\\[\\"n])*)"\} 7$/s.exec(written[0]);
      assert.ok(match, written[0]);
      assert.equal(unescaped(match[1]), value);
    };
    for (const value of hostile) check(value);
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (value) => check(value.toWellFormed())));
    // Half a character cannot be UTF-8.
    assert.deepEqual(lines([[['x', 'a\ud800b']], 7]), ['a{x="a\ufffdb"} 7']);
  });

  test('a histogram: buckets added up, an infinite one, sum and count', () => {
    const histogram = { bounds: [0.1, 1], counts: [2, 0, 5], sum: 12.5 };
    assert.deepEqual(lines([[['x', '1']], histogram]), [
      'a_bucket{x="1",le="0.1"} 2',
      'a_bucket{x="1",le="1"} 2',
      'a_bucket{x="1",le="+Inf"} 7',
      'a_sum{x="1"} 12.5',
      'a_count{x="1"} 7',
    ]);
    assert.deepEqual(lines([[], { bounds: new Float64Array(), counts: new Uint32Array([4]), sum: 0 }]), [
      'a_bucket{le="+Inf"} 4',
      'a_sum 0',
      'a_count 4',
    ]);
  });

  test('series with the same labels are added up: a scraper would keep one of them', () => {
    assert.deepEqual(lines([[['x', '1']], 2], [[['x', '2']], 1], [[['x', '1']], 3]), ['a{x="1"} 5', 'a{x="2"} 1']);
    const histogram = { bounds: [1], counts: [1, 2], sum: 3 };
    assert.deepEqual(lines([[], histogram], [[], histogram]), [
      'a_bucket{le="1"} 2',
      'a_bucket{le="+Inf"} 6',
      'a_sum 6',
      'a_count 6',
    ]);
  });

  test('a family that comes twice, or has no name, is a defect', () => {
    const exposition = new Exposition();
    exposition.family('a', 'gauge', '', []);
    assert.throws(() => exposition.family('a', 'gauge', '', []), /twice/);
    for (const name of ['', '1a', 'a-b', 'a b', 'a\n']) {
      assert.throws(() => exposition.family(name, 'gauge', '', []), /not a name/, name);
    }
  });
});
