import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test, type TestContext } from 'node:test';
import { configNames, findConfig, load, showProblem } from './index.ts';

const GOOD = 'upstreams: { app: { origins: [3000] } }\n';

/** A folder with files, gone when the test ends. */
function folder(t: TestContext, files: Record<string, string> = {}): string {
  const made = mkdtempSync(join(tmpdir(), 'sluice-load-'));
  t.after(() => rmSync(made, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(made, name), text);
  return made;
}

async function problemOf(path: string, hide: string): Promise<string> {
  const { problems } = await load(path);
  assert.equal(problems?.length, 1);
  const [first] = problems;
  return `${first.code} ${showProblem(first)}`.replaceAll(hide, 'HERE');
}

test('finds the config of a folder by each of its names', async (t) => {
  for (const name of configNames) {
    const here = folder(t, { [name]: GOOD, 'other.yaml': '', 'sluice.config.yaml.bak': '' });
    assert.equal(await findConfig(here), join(here, name));
  }
});

test('several configs in a folder', async (t) => {
  const here = folder(t, { 'sluice.config.ts': '', 'sluice.config.yaml': '', 'sluice.config.json': '' });
  assert.equal(
    await problemOf(here, here),
    'config/ambiguous-file HERE has sluice.config.ts and sluice.config.yaml and sluice.config.json: give the name of one, or remove the other',
  );
});

test('no config in a folder, and one with another name', async (t) => {
  const empty = folder(t);
  assert.equal(
    await problemOf(empty, empty),
    'config/not-found no config in HERE: it is called sluice.config.{ts,mts,js,mjs,yaml,yml,json}',
  );
  const near = folder(t, { 'sluice.yaml': GOOD });
  assert.match(await problemOf(near, near), /is sluice\.yaml meant\? Give its name$/);
  const here = await findConfig('.');
  assert.ok(typeof here === 'object');
  assert.match(here.problems[0].message, /^no config in this folder/);
});

test('the file of the name is not there', async (t) => {
  const here = folder(t, { 'proxy.yaml': GOOD });
  assert.equal(
    await problemOf(join(here, 'proxi.yaml'), here),
    'config/not-found there is no file HERE/proxi.yaml; did you mean HERE/proxy.yaml?',
  );
  assert.equal(await problemOf(join(here, 'x.json'), here), 'config/not-found there is no file HERE/x.json');
  assert.equal(
    await problemOf(join(here, 'proxy.yaml', 'x'), here),
    'config/not-found there is no file HERE/proxy.yaml/x',
  );
});

test('an ending that says nothing about the format', async (t) => {
  const here = folder(t, { 'sluice.conf': GOOD });
  assert.match(
    await problemOf(join(here, 'sluice.conf'), here),
    /^config\/unknown-format HERE\/sluice\.conf: the end of/,
  );
});

test('a file that may not be read', { skip: process.getuid?.() === 0 }, async (t) => {
  const here = folder(t, { 'a.yaml': GOOD });
  chmodSync(join(here, 'a.yaml'), 0);
  assert.equal(await problemOf(join(here, 'a.yaml'), here), 'config/unreadable HERE/a.yaml: no permission to read it');
});

test('a folder stands for the config in it', async (t) => {
  const here = folder(t, { 'sluice.config.yml': GOOD });
  assert.equal((await load(here)).problems, undefined);
});

test('a relative path is shown as it was given', async (t) => {
  const here = folder(t, { 'a.json': '{}' });
  const path = relative('.', join(here, 'a.json'));
  const { problems } = await load(path);
  assert.equal(problems?.[0].file, path);
});

test('a script that has changed is read again', async (t) => {
  const here = folder(t);
  mkdirSync(join(here, 'a#b?c d'));
  const path = join(here, 'a#b?c d', 'sluice.config.ts');
  const ports: unknown[] = [];
  for (const port of [3000, 3001]) {
    writeFileSync(path, `export default { upstreams: { app: { origins: [${port}] } } } as const;`);
    utimesSync(path, port, port);
    ports.push((await load(path)).config?.upstreams['app']?.origins[0]?.address.port);
  }
  assert.deepEqual(ports, [3000, 3001]);
});

test('faults of a module that the script imports', async (t) => {
  const here = folder(t, {
    'a.ts': `import { origins } from './part.ts';\nexport default { upstreams: { app: { origins } } };\n`,
    'part.ts': `// nosuch.ts\nexport { origins } from './nosuch.ts';\n`,
    'b.ts': `import { origins } from './throws.ts';\nexport default { upstreams: { app: { origins } } };\n`,
    'throws.ts': `export const origins: string[] = [];\nthrow new RangeError('not today');\n`,
  });
  assert.equal(
    (await problemOf(join(here, 'a.ts'), here)).split('\n')[0],
    'config/failed HERE/a.ts:1:1: there is no module HERE/nosuch.ts, which HERE/part.ts imports',
  );
  assert.equal(
    (await problemOf(join(here, 'b.ts'), here)).split('\n')[0],
    'config/failed HERE/b.ts:1:1: the script failed: RangeError: not today',
  );
});

test('a config called sluice.conf is found, but not read', async (t) => {
  const here = folder(t, { 'sluice.conf': GOOD });
  assert.match(await problemOf(here, here), /is sluice\.conf meant\? Give its name$/);
});
