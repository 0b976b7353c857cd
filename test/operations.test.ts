/**
 * The commands of docs/operations.md, typed one after the other as the document has them, at a real run of
 * examples/10-control-plane. What they print has the shape that stands below them: the same lines, columns and keys, where
 * numbers, times and ids are what they happen to be. SLUICE_WRITE_DOCS=1 writes what they print into the document.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { root } from '../scripts/tools.ts';
import { showMetrics } from '../src/observe/metrics.ts';
import { figures } from './support/figures.ts';
import { blocks, steps } from './support/markdown.ts';
import { skipUnless } from './support/peer.ts';
import { ask, QUIET, startNode } from './support/program.ts';

const PAGE = join(root, 'docs', 'operations.md');
const WRITE = process.env['SLUICE_WRITE_DOCS'] === '1';
const EXAMPLE = join(root, 'examples', '10-control-plane');
const SOCKET = '/tmp/sluice-example.sock';

/** Ports of the example, in the order of their use. */
const PORTS = ['8080', '3001', '3002', '3003'];

interface Stage {
  /** Types a command in the folder of the config; what it prints, with the ports and paths of the document. */
  type(command: string): Promise<string>;
}

async function stage(t: TestContext): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-ops-'));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  // As many digits as in the document, so that columns are as wide.
  const ports = new Map(
    await Promise.all(PORTS.map(async (port): Promise<[string, string]> => [port, await freePort()])),
  );
  const socket = join(folder, 'admin.sock');
  const inside = (text: string): string =>
    slowly(text)
      .replaceAll(SOCKET, socket)
      .replaceAll(/\b(?:8080|300[123])\b/g, (port) => ports.get(port) ?? port);
  const outside = (text: string): string =>
    [...ports].reduce(
      (all, [port, own]) => all.replaceAll(new RegExp(`\\b${own}\\b`, 'g'), port),
      text.replaceAll(socket, SOCKET),
    );
  for (const name of ['sluice.config.yaml', 'next.yaml']) {
    writeFileSync(join(folder, name), inside(readFileSync(join(EXAMPLE, name), 'utf8')));
  }
  copyFileSync(join(root, 'examples', 'origin.ts'), join(folder, 'origin.ts'));
  for (const [name, port] of [
    ['red', '3001'],
    ['blue', '3002'],
    ['slow', '3003'],
  ] as const) {
    const origin = startNode(t, ['origin.ts', name, ports.get(port) ?? ''], { cwd: folder });
    await origin.until(/listens on/);
  }
  const sluice = startNode(t, [join(root, 'src', 'cli.ts'), 'run', 'sluice.config.yaml'], { cwd: folder });
  await sluice.until(/listening on/);
  for (let i = 0; i < 40; i++) await ask(`http://127.0.0.1:${ports.get('8080')}/${i}`);

  mkdirSync(join(folder, 'bin'));
  const shim = join(folder, 'bin', 'sluice');
  writeFileSync(shim, `#!/bin/sh\nexec '${process.execPath}' ${QUIET} '${join(root, 'src', 'cli.ts')}' "$@"\n`);
  chmodSync(shim, 0o755);
  const path = [join(folder, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter);
  return {
    async type(command) {
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const child = spawn('bash', ['-c', inside(command)], {
        cwd: folder,
        env: { ...env, PATH: path, LC_ALL: 'C', SLUICE_ADMIN: '', SLUICE_ADMIN_TOKEN: '' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
      const closed = once(child, 'close');
      await once(child, 'exit');
      // The rest of the pipe; a program in the background may keep it open.
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 500))]);
      return outside(text);
    },
  };
}

/** Who waits in the queue is to be there still when a busy machine has started the command that looks. */
function slowly(text: string): string {
  if (WRITE) return text;
  return text
    .replaceAll('timeout: 5s', 'timeout: 15s')
    .replaceAll('wait=7000', 'wait=21000')
    .replaceAll('sleep 7;', 'sleep 22;');
}

const given = new Set<string>();

/** A port of four digits that nobody has. */
async function freePort(): Promise<string> {
  for (;;) {
    const port = 4000 + Math.floor(Math.random() * 5900);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve((probe.address() as AddressInfo).port === port));
    });
    await new Promise((resolve) => probe.close(resolve));
    const text = String(port);
    if (!free || given.has(text) || PORTS.includes(text)) continue;
    given.add(text);
    return text;
  }
}

/** What two runs have in common. Ports stay: they tell origins apart. */
function shape(text: string): string {
  return (
    text
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, 'TIME')
      .replaceAll(/(?<=Node |"node":")[\d.]+/g, 'VERSION')
      .replaceAll(/(?<=":)\d+(?:\.\d+)?/g, 'N')
      .replaceAll(/\b[0-9a-z]{6}-[0-9a-z]+\b/g, 'ID')
      .replaceAll(/(?<![\w.:])\d+(?:\.\d+)?(?:e-\d+)?(?: ?(?:ms|s|m|h|kB|MB|GB))?\b(?![.:]\d)/g, 'N')
      // Nothing was measured yet, or in one thread only.
      .replaceAll(/(?<=\s)-(?=\s|$)/gm, 'N')
      .replaceAll(/"(p50|p90|p99|oldest|queue|connect|first)":null/g, '"$1":N')
      .replaceAll(/ +/g, ' ')
      .replaceAll(/ $/gm, '')
  );
}

test('the commands of docs/operations.md print what it shows', async (t) => {
  if (process.platform !== 'linux') return t.skip('the commands print what they print on Linux');
  if (skipUnless(t, 'bash') === undefined || skipUnless(t, 'curl') === undefined) return;
  const there = await stage(t);
  let page = readFileSync(PAGE, 'utf8');
  let last = '';
  let typed = 0;
  for (const { language, text } of blocks(page)) {
    if (language !== 'operator') continue;
    let session = '';
    for (const { command, printed } of steps(text)) {
      // The id that the document shows is that of another run: the one that was listed just now.
      const known = /^sluice requests (\S+)$/.exec(command)?.[1];
      const id = /(\S+)\n$/.exec(last)?.[1] ?? '';
      last = await there.type(known === undefined ? command : `sluice requests ${id}`);
      typed++;
      session += `$ ${known === undefined ? command : `sluice requests ${id}`}\n${last}`;
      if (!WRITE) assert.equal(shape(last), shape(printed), `$ ${command}\n${last}`);
    }
    if (WRITE) page = page.replace(`\`\`\`operator\n${text}\`\`\``, () => `\`\`\`operator\n${session}\`\`\``);
  }
  assert.ok(typed >= 20, `${typed} commands`);
  if (WRITE) writeFileSync(PAGE, page);
});

test('shape keeps what matters', () => {
  assert.equal(shape('app  127.0.0.1:3001  up  1  0.5ms  -'), 'app 127.0.0.1:3001 up N N N');
  assert.notEqual(shape('app 127.0.0.1:3001 up'), shape('app 127.0.0.1:3002 up'));
  assert.notEqual(shape('{"a":1,"b":2}'), shape('{"a":1}'));
  assert.notEqual(shape('up'), shape('down'));
  assert.equal(shape('"requests":17,"p50":null'), shape('"requests":3,"p50":0.25'));
});

test('Prometheus takes the scrape config and the queries, and sluice has their metrics', (t) => {
  const found = (kind: string): string =>
    blocks(readFileSync(PAGE, 'utf8')).find(({ language }) => language === `prometheus ${kind}`)?.text ?? '';
  const queries = found('queries').trim().split('\n');
  assert.equal(queries.length, 3);
  const page = showMetrics(figures());
  for (const query of queries) {
    for (const [name] of query.matchAll(/sluice_\w+/g)) assert.match(page, new RegExp(`^${name}[{ ]`, 'm'));
    for (const [, label = ''] of query.matchAll(/[{(,] ?(\w+)(?:=|[,)])/g))
      assert.match(page, new RegExp(`[{,]${label}="`));
  }
  const promtool = skipUnless(t, 'promtool');
  if (promtool === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), 'sluice-prometheus-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const rules = { groups: [{ name: 'sluice', rules: queries.map((expr, i) => ({ record: `panel:${i}`, expr })) }] };
  for (const [kind, text] of [
    ['config', found('config')],
    ['rules', JSON.stringify(rules)],
  ] as const) {
    const file = join(folder, `${kind}.yml`);
    writeFileSync(file, text);
    const ran: SpawnSyncReturns<string> = spawnSync(promtool, ['check', kind, file], { encoding: 'utf8' });
    assert.equal(ran.status, 0, `${ran.stdout}${ran.stderr}`);
  }
});
