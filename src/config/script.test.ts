import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findSpan, type Place } from './place.ts';
import type { PropertyPath } from './problems.ts';
import { placesInScript } from './script.ts';

/** The text at a path. */
function at(text: string, path: PropertyPath, what: 'key' | 'value' = 'value'): string {
  const root = placesInScript(text);
  assert.ok(root !== undefined);
  const { start, end } = findSpan(root, path, what, text);
  return text.slice(start, end);
}

test('keys in each of their forms', () => {
  const text = `export default { plain: 1, 'in-quotes': 2, "double": 3, 4: 5, $x_1: 6, short };`;
  assert.equal(at(text, ['plain']), '1');
  assert.equal(at(text, ['in-quotes']), '2');
  assert.equal(at(text, ['in-quotes'], 'key'), `'in-quotes'`);
  assert.equal(at(text, ['double']), '3');
  assert.equal(at(text, ['4']), '5');
  assert.equal(at(text, ['$x_1']), '6');
  assert.equal(at(text, ['short']), 'short');
});

test('values of every kind are passed over whole', () => {
  const values = [
    `'a, } b'`,
    '"\\", }"',
    '`a, } ${`b, ${"}"} }`} c`',
    '/[/}]\\/,}/g',
    '`a\\`, } ${b}`',
    '4 / 2',
    'f(1, { a: [2] })',
    '(a, b) => ({ a, b })',
    'async () => { return { c: 1 }; }',
    '[1, 2].map((x) => x / 2)',
    'a ? { b: 1 } : [2, 3]',
    'x! as unknown as string',
    '{ a: 1 } satisfies object',
    '/* } */ 1 // , }\n',
  ];
  for (const value of values) {
    const text = `export default { before: ${value}, after: 7 };`;
    assert.equal(at(text, ['after']), '7', value);
    assert.equal(at(text, ['before'], 'key'), 'before', value);
  }
});

test('through calls, constants, spreads and types', () => {
  const text = `
    // export default { x: 'comment' };
    const note = "export default { x: 'text' }";
    const upstream: { x: number, y: string[] } = { x: 1, y: ['a', 'b'] }, more = 2;
    let other = { z: 3 };
    function f() { const upstream = { x: 'inner' }; return upstream; }
    export default defineConfig({ app: upstream, list: [upstream, { ...other, y: 4 }], ...other });
  `;
  assert.equal(at(text, ['app', 'x']), '1');
  assert.equal(at(text, ['app', 'y', 1]), `'b'`);
  assert.equal(at(text, ['list', 0, 'x']), '1');
  assert.equal(at(text, ['list', 1, 'z']), '3');
  assert.equal(at(text, ['list', 1, 'y']), '4');
  assert.equal(at(text, ['z']), '3');
});

test('a name for the whole config, and the CommonJS way', () => {
  assert.equal(at(`const config = { a: 1 };\nexport default config;`, ['a']), '1');
  assert.equal(at(`const config: C<'a'> = define({ a: 1 });\nexport default config satisfies C;`, ['a']), '1');
  assert.equal(at(`module.exports = { a: 1 };`, ['a']), '1');
});

test('getters, methods and computed keys are passed over', () => {
  const text = `export default { get a() { return { b: 1 }; }, c() { return 2; }, [d + '}']: 3, async *e() {}, f: 4 };`;
  assert.equal(at(text, ['f']), '4');
});

test('what is not there is shown at the nearest thing that is', () => {
  const text = `export default { a: { b: make() } };`;
  assert.equal(at(text, ['a', 'b', 'c', 'd']), 'b');
  assert.equal(at(text, ['x']), '{ a: { b: make() } }');
});

test('names that lead to one another end somewhere', () => {
  assert.equal(at(`const a = b;\nconst b = a;\nexport default { c: a, d: 1 };`, ['d']), '1');
  assert.equal(at(`const a = { ...a, b: a };\nexport default { c: a, d: 1 };`, ['d']), '1');
});

test('without a default export there is no tree', () => {
  assert.equal(placesInScript(`export const config = {};`), undefined);
  assert.equal(placesInScript(''), undefined);
});

test('finds every value of an object literal', () => {
  const leaf = fc.oneof(fc.integer(), fc.boolean(), fc.string(), fc.constant(null));
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('any')),
      fc.dictionary(fc.string({ maxLength: 5 }), tie('any'), { noNullPrototype: true }),
    ),
  })).any;
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 2), (given, indent) => {
      const literal = JSON.stringify(given, null, indent);
      const text = `export default ${literal};`;
      const root = placesInScript(text);
      assert.ok(root !== undefined);
      check(text, root, given);
    }),
    { numRuns: 500 },
  );

  function check(text: string, place: Place, given: unknown): void {
    assert.deepEqual(JSON.parse(text.slice(place.value.start, place.value.end)), given);
    for (const [key, inner] of Object.entries(given ?? {})) {
      // Keys with escapes are known by their text.
      const part = place.parts.get(Array.isArray(given) ? key : JSON.stringify(key).slice(1, -1));
      if (typeof given === 'string') continue;
      assert.ok(part !== undefined, key);
      check(text, part, inner);
    }
  }
});

test('no text makes it fail or hang', () => {
  const pieces = [
    'export default ',
    '{',
    '}',
    '[',
    ']',
    '(',
    ')',
    'a',
    ':',
    ',',
    '...',
    '`',
    '${',
    "'",
    '/',
    '//',
    '/*',
    '*/',
    '\n',
    '=',
    'const a = ',
    ';',
    '\\',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 40 }), (parts) => {
      placesInScript(parts.join(''));
    }),
    { numRuns: 5000 },
  );
});
