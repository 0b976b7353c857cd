/**
 * What the interoperability tests stand on: a folder, loopback addresses, child processes that never outlive their test,
 * and sluice itself as a process of its own, as its users run it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { TopInput } from '../../src/config/schema.ts';

/** The long forms: a whole GiB, a whole minute. */
export const full = process.env['SLUICE_FULL'] === '1';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A folder of the test's own, gone when it ends. */
export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-interop-'));
  t.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * An address for a program that cannot be told to take any free port. Between our asking and its binding nobody else
 * gets it: it lies somewhere in 127/8, where no outgoing connection and no other test has its ports.
 */
export async function address(): Promise<Address> {
  const part = (): number => 1 + Math.floor(Math.random() * 250);
  const host = process.platform === 'linux' ? `127.${part()}.${part()}.${part()}` : '127.0.0.1';
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, host, resolve);
  });
  const bound = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return { host, port: typeof bound === 'object' && bound !== null ? bound.port : 0 };
}

/** A process that runs beside the test. */
export interface Running {
  readonly pid: number;
  /** Everything it has written so far. */
  output(): string;
  readonly ended: Promise<void>;
  /** Sends a signal; a SIGKILL to what is ended already is not an error. */
  signal(name: NodeJS.Signals): void;
}

export function start(
  t: TestContext,
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string } = {},
): Running {
  const child: ChildProcess = spawn(command, args, { cwd: options.cwd ?? root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const take = (chunk: Buffer): void => void (output += chunk.toString('latin1'));
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      output += error.message;
      resolve();
    });
    child.once('close', () => resolve());
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { pid: child.pid ?? 0, output: () => output, ended, signal: (name) => void child.kill(name) };
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly text: string;
  readonly stderr: string;
}

/** Runs a program to its end. Its exit code is for the caller to judge. */
export async function run(
  t: TestContext,
  command: string,
  args: readonly string[],
  input: Buffer | string = '',
): Promise<Ran> {
  const child = spawn(command, args, { stdio: 'pipe' });
  t.after(() => child.kill('SIGKILL'));
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  // Who stops reading early is judged by what it answers.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const stdout = Buffer.concat(out);
  return { code, stdout, text: stdout.toString('latin1'), stderr: Buffer.concat(err).toString('latin1') };
}

/** Asks until it holds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, patience = 60_000): Promise<void> {
  const end = Date.now() + patience;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${patience / 1000} s: ${what}`);
    await sleep(20);
  }
}

/** Waits for somebody to accept connections there. */
export async function listening(at: Address, process?: Running): Promise<void> {
  let over = false;
  void process?.ended.then(() => (over = true));
  await until(`a listener on ${at.host}:${at.port}`, async () => {
    if (over) throw new Error(`ended instead of listening: ${process?.output() ?? ''}`);
    return new Promise<boolean>((resolve) => {
      const socket = connect(at.port, at.host, () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  });
}

/** One line of sluice's access log. */
export interface AccessLine {
  readonly method?: string;
  readonly target?: string;
  readonly status?: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly origin?: string;
  readonly attempts: number;
  readonly queue?: number;
  readonly connect?: number;
  readonly total: number;
  readonly error?: string;
  readonly detail?: string;
}

export interface SluiceProcess extends Address, Running {
  readonly url: string;
  /** The access log so far, parsed. */
  access(): AccessLine[];
  /** How many lines it has: cheaper to ask again and again. */
  logged(): number;
  /** Lines that tell of a failure. That a client left is none. */
  failures(): AccessLine[];
  /** The error log so far. */
  errors(): string;
}

/** Starts `sluice run` with this config on a port of the system's choice. */
export async function startSluice(t: TestContext, config: TopInput): Promise<SluiceProcess> {
  const path = folder(t);
  const file = join(path, 'sluice.json');
  const access = join(path, 'access.log');
  const error = join(path, 'error.log');
  const log = { access, error, format: 'json', level: 'debug', ...config.log };
  writeFileSync(file, JSON.stringify({ ...config, listen: '127.0.0.1:0', log }));
  const child = start(t, process.execPath, ['src/cli.ts', 'run', file]);
  let over = false;
  void child.ended.then(() => (over = true));
  let port = 0;
  await until('sluice says where it listens', () => {
    if (over) throw new Error(`sluice ended: ${child.output()}`);
    port = Number(/listening on http:\/\/127\.0\.0\.1:(\d+)\b/.exec(child.output())?.[1] ?? 0);
    return port !== 0;
  });
  const lines = (): AccessLine[] =>
    readFileSync(access, 'latin1')
      .split('\n')
      // What has no line end yet is being written.
      .slice(0, -1)
      .map((line) => JSON.parse(line) as AccessLine);
  return {
    ...child,
    host: '127.0.0.1',
    port,
    url: `http://127.0.0.1:${port}`,
    access: lines,
    logged() {
      const bytes = readFileSync(access);
      let count = 0;
      for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
      return count;
    },
    failures: () => lines().filter((line) => line.error !== undefined && line.error !== 'client-gone'),
    errors: () => readFileSync(error, 'latin1'),
  };
}

/** Resident memory of a process in bytes, as the kernel counts it; 0 where there is no /proc. */
export function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
