/** sluice's command as a process that can be asked and told things from inside: see servers/inside.ts. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { QUIET } from '../support/program.ts';
import { root } from '../../scripts/tools.ts';
import { residentBytes, until } from './stage.ts';

export interface Inside {
  readonly pid: number;
  /** What it has written. */
  output(): string;
  /** The exit code. */
  readonly ended: Promise<number | null>;
  /** Goes over to the config in its file; how many things have changed. */
  reload(): Promise<number>;
  kill(thread: number): Promise<void>;
  holds(): Promise<Held>;
}

export interface Held {
  /** MiB of resident memory. */
  readonly resident: number;
  /** MiB of all threads' heaps that somebody holds: after a collection. */
  readonly heap: number;
  /** Open file descriptors of the process, those of all threads. */
  readonly descriptors: number;
  /** Active handles of the main thread. */
  readonly handles: number;
}

const preload = fileURLToPath(new URL('servers/inside.ts', import.meta.url));

/** Starts `sluice run FILE`, and waits until it listens. */
export async function startInside(t: TestContext, file: string, ...flags: string[]): Promise<Inside> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, [QUIET, `--import=${preload}`, 'src/cli.ts', 'run', file, ...flags], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  const take = (piece: Buffer): void => void (output += piece.toString());
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  const asked = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  child.on('message', ({ id, value, error }: { id: number; value?: unknown; error?: string }) => {
    if (error === undefined) asked.get(id)?.resolve(value);
    else asked.get(id)?.reject(new Error(error));
    asked.delete(id);
  });
  let over = false;
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      over = true;
      for (const one of asked.values()) one.reject(new Error(`sluice ended: ${output}`));
      resolve(code);
    });
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let ids = 0;
  const ask = (ask: string, more: object = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++ids;
      asked.set(id, { resolve, reject });
      child.send({ id, ask, ...more }, (error) => error !== null && reject(error));
    });
  await until('sluice listens', () => {
    if (over) throw new Error(`sluice ended: ${output}`);
    return output.includes('listening on');
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    output: () => output,
    ended,
    reload: async () => (await ask('reload', { file })) as number,
    kill: async (thread) => void (await ask('kill', { thread })),
    async holds() {
      const handles = (await ask('handles')) as number;
      const heap = Math.round(((await ask('heap')) as number) / 104_857.6) / 10;
      const descriptors = readdirSync(`/proc/${pid}/fd`).length;
      return { resident: Math.round(residentBytes(pid) / 1_048_576), heap, descriptors, handles };
    },
  };
}
