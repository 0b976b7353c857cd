/** The rules of the architecture page ("what may import what"), held against src/; and against small sources that break them. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { root } from '../scripts/tools.ts';
import { breaches, longFiles, report, ROOMS, TIME_EXCEPTIONS, TOO_LONG, type Sources } from './support/architecture.ts';
import { blank, lineOf } from './support/source.ts';

function read(...patterns: string[]): Sources {
  const paths = globSync(patterns, { cwd: root, exclude: ['**/node_modules/**'] }).map((path) =>
    path.replaceAll('\\', '/'),
  );
  return new Map(paths.toSorted().map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

const house = read('src/**/*.ts');

describe('the house', () => {
  test('no file of src/ breaks a rule', (t) => {
    for (const [file, count] of longFiles(house)) t.diagnostic(`${file} has ${count} lines; is it still one idea?`);
    const found = breaches(house);
    assert.ok(found.length === 0, `${found.length} rules broken\n${found.map(report).join('\n')}`);
  });

  test('all source runs as it is on the oldest Node we support, which has no `using`', () => {
    for (const [file, text] of read('{src,test,demo,scripts,examples}/**/*.ts')) {
      const at = blank(text).search(/(?<![.\w$])using\s+[\w$]+\s*=/);
      assert.ok(
        at === -1,
        `${file}:${lineOf(text, at)}: declares with \`using\`, which Node 22 cannot parse: call t.after or finally`,
      );
    }
  });

  test('every exception to the rule of time still names a file', () => {
    for (const file of Object.keys(TIME_EXCEPTIONS))
      assert.ok(house.has(file), `${file} is gone: remove its exception`);
  });
});

/** The rules broken by the given files, as `file:line rule`. */
function broken(files: Record<string, string>): string[] {
  return breaches(new Map(Object.entries(files))).map(({ file, line, rule }) => `${file}:${line} ${rule}`);
}

describe('the checker finds', () => {
  test('a room that imports a room it may not', () => {
    assert.deepEqual(broken({ 'src/core/a.ts': `// one\nimport { b } from '../route/b.ts';` }), [
      'src/core/a.ts:2 core/ may import no other room, not route/b.ts',
    ]);
    assert.deepEqual(broken({ 'src/route/a.ts': `export { b } from '../upstream/b.ts';` }), [
      'src/route/a.ts:1 route/ may import only core/, codec/cgi/options.ts, not upstream/b.ts',
    ]);
    assert.deepEqual(broken({ 'src/upstream/a.ts': `import type { B } from '../balance/random.ts';` }), [
      'src/upstream/a.ts:1 upstream/ may import only core/, wire/, balance/balancer.ts, codec/codec.ts, codec/cgi/options.ts, spawn/children/options.ts, not balance/random.ts',
    ]);
    assert.equal(broken({ 'src/listen/a.ts': `await import('../codec/fastcgi.ts');` }).length, 1);
    assert.equal(broken({ 'src/config/a.ts': `import { b } from '../balance/random.ts';` }).length, 1);
    assert.equal(broken({ 'src/core/a.ts': `import { b } from '../../bench/b.ts';` }).length, 1);
    assert.equal(broken({ 'src/core/a.ts': `import { b } from '../sluice.ts';` }).length, 1);
  });

  test('a room that nobody gave a rule', () => {
    assert.deepEqual(broken({ 'src/helpers/a.ts': `import { b } from '../core/b.ts';` }), [
      'src/helpers/a.ts:1 src/helpers/ has no rule',
    ]);
    assert.deepEqual(broken({ 'src/extra.ts': `import { b } from './core/b.ts';` }), [
      'src/extra.ts:1 src/extra.ts has no rule',
    ]);
  });

  test('code imported where only types may be', () => {
    assert.deepEqual(broken({ 'src/proxy/a.ts': `import { type B } from '../listen/b.ts';` }), [
      'src/proxy/a.ts:1 proxy/ may import only core/, route/, rewrite/, upstream/, observe/, not listen/b.ts',
    ]);
    assert.deepEqual(broken({ 'src/proxy/a.ts': `import type { B } from '../listen/b.ts';` }), []);
  });

  test('a package outside its room', () => {
    assert.deepEqual(broken({ 'src/core/a.ts': `import { z } from 'zod';` }), [
      'src/core/a.ts:1 core/ may import no package, not zod',
    ]);
    assert.deepEqual(broken({ 'src/core/kind.ts': `import { z } from 'zod';` }), []);
    assert.equal(broken({ 'src/files/a.ts': `import { RE2JS } from 're2js';` }).length, 1);
    assert.deepEqual(broken({ 'src/route/a.ts': `import { RE2JS } from 're2js';` }), []);
    assert.deepEqual(broken({ 'src/observe/a.ts': `import x from '@scope/name/sub.js';` }), [
      'src/observe/a.ts:1 observe/ may import of packages only zod, @opentelemetry/api, not @scope/name',
    ]);
  });

  test('sockets and processes outside their rooms', () => {
    assert.deepEqual(broken({ 'src/proxy/a.ts': `import { connect } from 'node:net';` }), [
      'src/proxy/a.ts:1 imports node:net, but sockets are opened only in listen/, upstream/dial.ts, discover/dns-client.ts, check/, admin/, spawn/children/',
    ]);
    assert.equal(broken({ 'src/upstream/pool.ts': `import tls from 'node:tls';` }).length, 1);
    assert.equal(broken({ 'src/observe/a.ts': `import http from 'node:http';` }).length, 1);
    assert.equal(broken({ 'src/listen/a.ts': `import { spawn } from 'node:child_process';` }).length, 1);
    assert.deepEqual(
      broken({
        'src/upstream/dial.ts': `import net from 'node:net';`,
        'src/listen/a.ts': `import { createServer } from 'node:tls';`,
        'src/spawn/a.ts': `import { spawn } from 'node:child_process';`,
        'src/core/a.ts': `import type { Socket } from 'node:net';`,
      }),
      [],
    );
  });

  test('input and output in a pure room', () => {
    assert.deepEqual(broken({ 'src/core/a.ts': `import { createHash } from 'node:crypto';` }), [
      'src/core/a.ts:1 core/ may import of node: only buffer, not node:crypto',
    ]);
    assert.equal(broken({ 'src/route/a.ts': `import fs from 'node:fs';` }).length, 1);
    assert.deepEqual(
      broken({
        'src/observe/a.ts': `import fs from 'node:fs';`,
        'src/core/a.ts': `import { Buffer } from 'node:buffer';`,
      }),
      [],
    );
  });

  test('time, timers and randomness outside core/clock.ts', () => {
    for (const use of [
      'setTimeout(a, 1)',
      'const t = setInterval',
      'setImmediate(a)',
      'globalThis.setTimeout(a)',
      'Date.now()',
      'new Date()',
      'new Date;',
      'Math.random()',
      'performance.now()',
      'process.hrtime.bigint()',
    ]) {
      assert.equal(broken({ 'src/proxy/a.ts': `\n${use}` })[0]?.startsWith('src/proxy/a.ts:2 uses '), true, use);
      assert.deepEqual(broken({ 'src/core/clock.ts': use, 'src/proxy/a.test.ts': use, 'src/cli.ts': use }), [], use);
    }
    for (const use of ['socket.setTimeout(1)', 'new Date(wall)', '// Date.now()', 'clock.now()', `'Math.random()'`]) {
      assert.deepEqual(broken({ 'src/proxy/a.ts': use }), [], use);
    }
    assert.equal(
      broken({ 'src/observe/a.ts': `import { setTimeout as pause } from 'node:timers/promises';` }).length,
      1,
    );
  });

  test('a file that is too long', () => {
    const text = (count: number): string => '\n'.repeat(count);
    assert.deepEqual(broken({ 'src/core/a.ts': text(TOO_LONG), 'src/core/a.test.ts': text(TOO_LONG * 2) }), []);
    assert.deepEqual(broken({ 'src/core/a.ts': text(TOO_LONG + 1) }), [
      'src/core/a.ts:501 has 501 lines; a file has at most 500',
    ]);
    assert.deepEqual(longFiles(new Map([['src/core/a.ts', text(351)]])), [['src/core/a.ts', 351]]);
  });

  test('a plug-in that is not in its list', () => {
    const balance = {
      'src/balance/index.ts': `import { a } from './a.ts';`,
      'src/balance/balancer.ts': '',
      'src/balance/a.ts': `import { ring } from './ring.ts';`,
      'src/balance/ring.ts': '',
      'src/balance/a.test.ts': `import { lost } from './lost.ts';`,
    };
    assert.deepEqual(broken(balance), []);
    assert.deepEqual(broken({ ...balance, 'src/balance/lost.ts': '' }), [
      'src/balance/lost.ts:1 is not in the list src/balance/index.ts, and no other file uses it',
    ]);
  });

  test('nothing where the rules are kept, and the composition root may import every room', () => {
    const all = Object.keys(ROOMS).map((room) => `import '../src/${room}/index.ts';`.replace('../src', '.'));
    assert.deepEqual(
      broken({
        'src/sluice.ts': [...all, `import net from 'node:net';`, `import { z } from 'zod';`].join('\n'),
        'src/cli.ts': `import { Command } from 'commander';`,
        'src/config/check.ts': `import { balancers } from '../balance/index.ts';\nimport { o } from '../listen/options.ts';`,
        'src/listen/http1.ts': `import { h } from '../codec/http1/head.ts';`,
      }),
      [],
    );
  });
});
