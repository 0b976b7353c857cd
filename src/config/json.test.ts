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
