/** A process that takes another one's place: who is ended, and who is not. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { root } from '../scripts/tools.ts';
import { check } from '../src/config/index.ts';
import type { Config } from '../src/config/config.ts';
import { companions, predecessors } from '../src/cli/takeover.ts';
import { type Program, QUIET, startNode } from './support/program.ts';

const linux = process.platform === 'linux' ? {} : { skip: 'takes /proc' };

/** Starts a sluice that answers every request with this status. */
function run(t: TestContext, address: string, status: number, ...words: string[]): Program {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-takeover-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'proxy.json');
  writeFileSync(file, JSON.stringify({ listen: address, log: { access: 'off' }, routes: [{ respond: { status } }] }));
  return startNode(t, [QUIET, join(root, 'src', 'cli.ts'), 'run', file, ...words]);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function status(url: string): Promise<number> {
  return (await fetch(url, { headers: { connection: 'close' } })).status;
}

test(
  '--takeover ends the sluice of the same address, and not the one that has the same port of another',
  linux,
  async (t) => {
    const port = await freePort();
    const old = run(t, `127.0.0.1:${port}`, 201);
    const neighbour = run(t, `127.0.0.2:${port}`, 202);
    await Promise.all([old.until(/listening on/), neighbour.until(/listening on/)]);
    const fresh = run(t, `127.0.0.1:${port}`, 203, '--takeover');
    await fresh.until(/took over from process/);
    assert.equal(await old.ended, 0);
    assert.equal(await status(`http://127.0.0.1:${port}`), 203);
    assert.equal(await status(`http://127.0.0.2:${port}`), 202);
    assert.doesNotMatch(neighbour.output(), /SIGTERM/);
  },
);

test('a program that is no sluice is nobody’s predecessor, nor is a sluice that has left', linux, async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const other = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen({ port: ${port}, host: '127.0.0.2' }, () => console.log('listens'))`,
  ]);
  t.after(() => other.kill());
  await new Promise((resolve) => other.stdout.once('data', resolve));
  const { config } = check({ listen: `127.0.0.1:${port}`, routes: [{ respond: { status: 200 } }] });
  assert.deepEqual(await predecessors(config as Config), []);
  assert.deepEqual(await companions([other.pid ?? 0, 999_999]), []);
});
