import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { pinned } from './machine.ts';

const startPatience = 15_000;
const stopPatience = 3_000;
const running = new Set<ChildProcess>();

/** A run that is interrupted must not leave servers behind. */
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

export interface Child {
  readonly pid: number;
  alive(): boolean;
  /** The last lines of what it wrote to stderr. */
  complaint(): string;
  stop(): Promise<void>;
}

/** Starts a server on one core. Its standard output goes to `stdout`, in append mode so that the file can be emptied under it. */
function startChild(cpu: number, command: readonly string[], stdout?: string): Child {
  const [program = '', ...args] = pinned(cpu, command);
  const out = stdout === undefined ? undefined : openSync(stdout, 'a');
  const child = spawn(program, args, { stdio: ['ignore', out ?? 'ignore', 'pipe'] });
  if (out !== undefined) closeSync(out);
  running.add(child);
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4_000);
  });
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', (error) => {
      stderr += error.message;
      resolve();
    });
  }).then(() => {
    running.delete(child);
  });
  return {
    pid: child.pid ?? 0,
    alive: () => running.has(child),
    complaint: () => stderr.trim().split('\n').slice(-6).join(' / '),
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), stopPatience);
      await gone;
      clearTimeout(late);
    },
  };
}

/** Waits until the server accepts connections; fails with its own words when it ends before that. */
async function waitForPort(child: Child, port: number): Promise<void> {
  const deadline = Date.now() + startPatience;
  while (Date.now() < deadline) {
    if (!child.alive()) throw new Error(`ended at start: ${child.complaint() || 'no message'}`);
    if (await accepts(port)) return;
    await sleep(50);
  }
  await child.stop();
  throw new Error(`did not listen on port ${port} within ${startPatience / 1000} s: ${child.complaint()}`);
}

/** Starts a server and waits until it listens: what every subject and both origins need. */
export async function serve(cpu: number, port: number, command: readonly string[], stdout?: string): Promise<Child> {
  const child = startChild(cpu, command, stdout);
  await waitForPort(child, port);
  return child;
}

/** The system names a free port; nobody else asks for it in the moment until the subject does. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'));
        else resolve(address.port);
      });
    });
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
