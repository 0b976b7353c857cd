import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readJson } from './json.ts';
import type { Place } from './place.ts';

/** Every value in the tree stands where the tree says. */
function agrees(text: string, place: Place, value: unknown): void {
  assert.deepEqual(JSON.parse(text.slice(place.value.start, place.value.end)), value);
  if (typeof value !== 'object' || value === null) return;
  const entries = Object.entries(value);
  assert.equal(place.parts.size, entries.length);
  for (const [key, inner] of entries) {
    const part = place.parts.get(key);
    assert.ok(part !== undefined);
    if (part.key !== undefined) assert.equal(JSON.parse(text.slice(part.key.start, part.key.end)), key);
    agrees(text, part, inner);
  }
}

test('reads what JSON.parse reads, and knows where it stands', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(undefined, 1, '\t'), (json, indent) => {
      const value: unknown = JSON.parse(json);
      const text = ` \r\n${JSON.stringify(value, null, indent)}\n`;
      const reading = readJson(text);
      assert.deepEqual(reading.problems, []);
      assert.deepEqual(reading.value, value);
      assert.ok(reading.root !== undefined);
      agrees(text, reading.root, value);
    }),
    { numRuns: 500 },
  );
});

test('refuses what JSON.parse refuses', () => {
  fc.assert(
    fc.property(
      fc.json({ maxDepth: 3 }),
      fc.nat(),
      fc.constantFrom('', ',', '"', '}', ']', ':', '\\', '\n', '0', 'e', '/'),
      (json, at, char) => {
        // One character replaced, taken away or put in.
        const place = at % (json.length + 1);
        const broken = json.slice(0, place) + char + json.slice(place + (at % 2));
        let good = true;
        try {
          JSON.parse(broken);
        } catch {
          good = false;
        }
        const reading = readJson(broken);
        assert.equal(reading.root !== undefined, good, broken);
        if (!good) assert.equal(reading.problems.filter(({ code }) => code !== 'config/duplicate-key').length, 1);
      },
    ),
    { numRuns: 3000 },
  );
});

test('says what is wrong where', () => {
  const known: [string, number, RegExp][] = [
    ['', 0, /holds nothing/],
    [' \n', 2, /holds nothing/],
    ['{"a":', 5, /ends where a value/],
    ['{"a" 1}', 5, /colon/],
    ['{"a": 1', 0, /not closed by a }/],
    ['[1, [2, 3]', 0, /not closed by a \]/],
    ['[1,', 0, /not closed by a \]/],
    ['[1 2]', 3, /comma or \]/],
    ['[1,]', 2, /no comma after the last/],
    ['{"a": tru}', 6, /text stands in double quotes/],
    ['[01]', 1, /expected a value/],
    ['[+1]', 1, /expected a value/],
    ['{a: 1}', 1, /key in double quotes/],
    ["{'a': 1}", 1, /key in double quotes/],
    ["['a']", 1, /double quotes only/],
    ['["a]', 1, /no closing quote/],
    ['["a\nb"]', 1, /no closing quote/],
    ['["\\x"]', 1, /escape or a control/],
    ['["\t"]', 1, /escape or a control/],
    ['{} {}', 3, /ends before this/],
    ['{} // x', 3, /no comments/],
    ['# x\n{}', 0, /no comments/],
  ];
  for (const [text, at, message] of known) {
    const { problems, root } = readJson(text);
    assert.equal(root, undefined, text);
    assert.match(problems[0]?.message ?? '', message, text);
    assert.equal(problems[0]?.span.start, at, text);
  }
});

test('a byte order mark is no error', () => {
  assert.deepEqual(readJson('\uFEFF{"a":1}').value, { a: 1 });
});

test('__proto__ is a key like others', () => {
  const { value } = readJson('{"__proto__": {"polluted": true}}');
  assert.deepEqual(Object.keys(value as object), ['__proto__']);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

test('depth is bounded', () => {
  assert.match(readJson('['.repeat(100_000)).problems[0]?.message ?? '', /nested too deeply/);
  assert.equal(readJson('['.repeat(100) + ']'.repeat(100)).root !== undefined, true);
});
