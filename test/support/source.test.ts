import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blank, imports } from './source.ts';

const named = (source: string): string[] =>
  imports(source).map((found) => `${found.line} ${found.typeOnly ? 'type ' : ''}${found.specifier}`);

test('every form of import is seen, on its line, with its kind', () => {
  const source = [
    `import a from './a.ts';`,
    `import { b, type B } from './b.ts';`,
    `import * as c from "./c.ts";`,
    `import d, { e } from './d.ts';`,
    `import './bare.ts';`,
    `import type { F } from './f.ts';`,
    `import type G from './g.ts';`,
    `import type * as H from './h.ts';`,
    `import type from './type.ts';`,
    `import {`,
    `  i,`,
    `  // a comment with 'quotes'`,
    `} from './i.ts';`,
    `export { j } from './j.ts';`,
    `export * from './k.ts';`,
    `export * as l from './l.ts';`,
    `export type { M } from './m.ts';`,
    `const n = await import('./n.ts');`,
    `type O = typeof import('./o.ts');`,
    `const p = require('node:net'), q = process.getBuiltinModule('node:tls');`,
    `import json from './x.json' with { type: 'json' };`,
  ].join('\n');
  assert.deepEqual(named(source), [
    '1 ./a.ts',
    '2 ./b.ts',
    '3 ./c.ts',
    '4 ./d.ts',
    '5 ./bare.ts',
    '6 type ./f.ts',
    '7 type ./g.ts',
    '8 type ./h.ts',
    '9 ./type.ts',
    '10 ./i.ts',
    '14 ./j.ts',
    '15 ./k.ts',
    '16 ./l.ts',
    '17 type ./m.ts',
    '18 ./n.ts',
    '19 type ./o.ts',
    '20 node:net',
    '20 node:tls',
    '21 ./x.json',
  ]);
});

test('what only looks like an import is none', () => {
  const source = [
    `// import a from './a.ts';`,
    `/* import b from './b.ts'; */`,
    `const c = "import d from './d.ts'";`,
    'const e = `import f from "./f.ts"; ${g ? `import("./h.ts")` : import.meta.url}`;',
    `const i = /import j from '.\\/j.ts'/;`,
    `object.import('./k.ts');`,
    `export const l = 'from', m = { from: './n.ts' };`,
    `export interface P { from: string }`,
    `import { q } from './q.ts';`,
  ].join('\n');
  assert.deepEqual(named(source), ['9 ./q.ts']);
});

test('blanking keeps length and lines, and knows a division from a regular expression', () => {
  const source = 'a = b / c; // x\nd = e(/[/"]`/g, "f\\"g") / `h${ { i: `j${k}` } }l`;\nm = /* n\n */ o / p / q;';
  const code = blank(source);
  assert.equal(code.length, source.length);
  assert.equal(code, 'a = b / c;     \nd = e(/     /g, "    ") / ` ${ { i: ` ${k}` } } `;\nm =     \n    o / p / q;');
});

test('an unfinished comment, string or template does not hang the reader', () => {
  for (const source of ['/* a', "'a", '`a', '`a${b', '/a', "'a\\", '`a\\'])
    assert.equal(blank(source).length, source.length, source);
});
