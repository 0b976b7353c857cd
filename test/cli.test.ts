/** What the command says to wrong words: what happened and what to do, in a line, without a stack, and with exit code 2. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { codecs } from '../src/codec/index.ts';
import { root, run } from '../scripts/tools.ts';
import { QUIET, startNode } from './support/program.ts';

const WRONG: readonly (readonly [words: string, says: RegExp])[] = [
  ['chek', /^sluice: "chek" is neither a command nor a port; did you mean sluice check\?\n$/],
  ['proxy.yaml', /^sluice: .*; a config is run by: sluice run proxy\.yaml\n$/],
  [
    'http://localhost:3000',
    /^sluice: .*; servers elsewhere are given by: sluice proxy --to http:\/\/localhost:3000\n$/,
  ],
  ['3000 99999', /^sluice: "99999" is neither a command nor a port/],
  ['run nosuch.yaml', /^sluice: there is no file nosuch\.yaml\n$/],
  ['run README.md', /^sluice: README\.md: the end of the name does not tell the format/],
  ['check', /^sluice: no config in this folder: it is called sluice\.config\.\{ts,/],
  ['proxy', /^sluice: required option '--to <url\.\.\.>' not specified\n/],
  ['proxy --to 3000 --from 80x', /^sluice: --from: the port is missing, as in 80x:8080\n$/],
  ['proxy --to 3000 --balance least-bussy', /^sluice: --balance: expected .*; did you mean "least-busy"\?\n$/],
  [
    'proxy --to dialin://example.com',
    /^sluice: --to: dialin origins are not in this release, which speaks http, https, fastcgi, [a-z0-9, ]+\n$/,
  ],
  ['proxy --to 3000 --balnce first', /^sluice: unknown option '--balnce'\n\(Did you mean --balance\?\)\n/],
  ['proxy --to 3000 --threads x', /^sluice: option '--threads <n>' argument 'x' is invalid/],
];

describe('wrong words', { concurrency: 3 }, () => {
  for (const [words, says] of WRONG) {
    test(`sluice ${words}`, async () => {
      const { code, output } = await run('node', [QUIET, 'src/cli.ts', ...words.split(' ')]);
      assert.match(output, says);
      assert.doesNotMatch(output, /^ {4}at /m);
      assert.equal(code, 2);
    });
  }
});

test('help and version are no errors', async () => {
  for (const words of [[], ['--help'], ['help', 'proxy'], ['--version'], ['schema']]) {
    const { code, output } = await run('node', [QUIET, 'src/cli.ts', ...words]);
    assert.equal(code, 0, output);
    assert.notEqual(output, '');
  }
});

test('proxy --help names every protocol that origins may speak', async () => {
  const { output } = await run('node', [QUIET, 'src/cli.ts', 'proxy', '--help']);
  for (const { schemes } of codecs) assert.match(output, new RegExp(`\\b${schemes[0]}:`), schemes[0]);
});

test('a config may import sluice by its name where no package of that name is', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const config = `import { defineConfig } from 'sluice';\nexport default defineConfig({ upstreams: { app: { origins: [3000] } } });\n`;
  writeFileSync(join(folder, 'sluice.config.mts'), config);
  const cli = join(root, 'src', 'cli.ts');
  const check = startNode(t, [cli, 'check'], { cwd: folder });
  assert.equal(await check.ended, 0);
  assert.equal(check.output(), 'sluice.config.mts: good. 1 listener, 1 route, 1 upstream with 1 origin.\n');
});

test('what a config names is looked for: files are warned of, accounts are errors', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const cli = join(root, 'src', 'cli.ts');
  const file = join(folder, 'sluice.config.yaml');
  const check = async (spawn: string): Promise<[unknown, string]> => {
    writeFileSync(file, `upstreams:\n  app:\n    origins:\n      spawn: ${spawn}\n`);
    const { code, output } = await run('node', [QUIET, cli, 'check', file]);
    return [code, output.replaceAll(`${folder}/`, '')];
  };
  const [warned, why] = await check('{ command: /bin/shh }');
  assert.equal(warned, 0, why);
  assert.match(
    why,
    /^sluice\.config\.yaml:4:25: warning: .*spawn\.command: \/bin\/shh does not exist; did you mean \/bin\/sh\?$/m,
  );
  assert.match(why, /^sluice\.config\.yaml: good\. .* 1 origin\. 1 warning\.$/m);
  const [refused, wrong] = await check('{ command: sh, user: no-such-user }');
  assert.equal(refused, 2);
  assert.match(wrong, /^sluice\.config\.yaml:4:35: upstreams\.app\.origins\.spawn\.user: no user no-such-user/m);
  assert.match(wrong, /1 thing that cannot work on this machine/);
});
