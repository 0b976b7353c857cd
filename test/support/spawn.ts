/** Real children for tests: what they run, and what is left of them. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { SpawnInput } from '../../src/spawn/children/options.ts';
import type { ConfigInput } from '../../src/config/index.ts';

/** A folder of the test's own. */
export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-spawn-'));
  t.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

/** Written by each process that is started by a test, so that it can be found whoever has become its parent. */
const MARK = 'SLUICE_TEST_MARK';

/**
 * An application: it answers with its process id. `/sleep/MS` answers late, `/exit/CODE` ends it, `/mark` answers what is in
 * TEXT. Environment: DELAY milliseconds before it listens, STUBBORN ignores TERM, FORK leaves a child of its own behind, DAEMON is a
 * script for a shell in a session of its own.
 */
const APP = `
const { spawn } = require('node:child_process');
const { createServer } = require('node:http');
const { PORT, SOCKET, LISTEN_FDS, LISTEN_PID, DELAY, STUBBORN, FORK, DAEMON, TEXT } = process.env;
if (STUBBORN) process.on('SIGTERM', () => console.log('no'));
if (FORK) spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], { stdio: 'inherit' });
if (DAEMON) spawn('/bin/sh', ['-c', DAEMON], { detached: true, stdio: 'ignore' }).unref();
const server = createServer((request, response) => {
  const [, what, value] = request.url.split('/');
  if (what === 'exit') return process.exit(Number(value));
  const text = what === 'mark' ? String(TEXT) : String(process.pid);
  setTimeout(() => response.end(text), what === 'sleep' ? Number(value) : 0);
});
server.keepAliveTimeout = 60000;
const where = LISTEN_FDS ? { fd: 3 } : PORT ? { port: PORT, host: '127.0.0.1' } : SOCKET ? { path: SOCKET } : { fd: 0 };
if (LISTEN_FDS && LISTEN_PID !== String(process.pid)) throw new Error('LISTEN_PID is ' + LISTEN_PID);
setTimeout(() => server.listen(where, () => console.log('listening')), Number(DELAY ?? 0));
`;

/** The application as a `spawn`. */
export function app(t: TestContext, given: Partial<SpawnInput> = {}): SpawnInput {
  const path = join(folder(t), 'app.cjs');
  writeFileSync(path, APP);
  return { command: process.execPath, args: [path], ...given, env: { [MARK]: markOf(t), ...given.env } };
}

/** What the processes of one test have in their environment. */
function markOf(t: TestContext): string {
  return `${t.name} ${process.pid}`;
}

/** An upstream of that, in a config. */
export function before(spawn: SpawnInput, upstream: object = {}, origin: object = {}): ConfigInput<'app'> {
  return { listen: '127.0.0.1:0', upstreams: { app: { origins: [{ ...origin, spawn }], ...upstream } } };
}

/** The processes of this test that are there, zombies not counted. Linux only: elsewhere there seem to be none. */
export function alive(t: TestContext): number[] {
  if (process.platform !== 'linux') return [];
  const wanted = `${MARK}=${markOf(t)}`;
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(wanted);
      } catch {
        return false;
      }
    });
}
