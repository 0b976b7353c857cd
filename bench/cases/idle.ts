import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Case } from '../case.ts';
import type { IdleJob } from '../load/idle.ts';
import { loadCpu, pinned } from '../machine.ts';
import { benchDir, nodeProgram } from '../programs.ts';
import { residentBytes } from '../usage.ts';
import { warmUp } from './fixed-rate.ts';

const connections = 5_000;
/** Time for garbage collectors and allocators to give back what a burst has left. */
const settle = 3_000;

/** What a connection costs that has been used once and is kept open: the greater part of a public proxy's connections. */
export const idle: Case = {
  name: 'idle',
  title: `Memory of ${connections.toLocaleString('en')} idle keep-alive connections, one request each`,
  origin: 'fast',
  fresh: true,
  direct: false,
  columns: [
    { key: 'each', title: 'KiB per connection', digits: 2 },
    { key: 'before', title: 'MiB before', digits: 1 },
    { key: 'after', title: 'MiB with them', digits: 1 },
  ],
  missing: () => undefined,
  ratio: 'each',
  warm: warmUp,
  async measure(target) {
    await sleep(settle);
    const before = residentBytes(target.pid);
    const { opened, stillOpen, after } = await holdConnections({ port: target.port, connections }, async () => {
      await sleep(settle);
      return residentBytes(target.pid);
    });
    const errors: string[] = [];
    if (opened < connections) errors.push(`only ${opened} of ${connections} connections could be opened and kept`);
    else if (stillOpen < opened) errors.push(`${opened - stillOpen} connections were closed while idle`);
    const mebibyte = 1024 * 1024;
    return {
      figures: { each: (after - before) / opened / 1024, before: before / mebibyte, after: after / mebibyte },
      errors,
    };
  },
};

interface Held {
  readonly opened: number;
  readonly stillOpen: number;
  readonly after: number;
}

/** The connections are another process's, so that opening them does not disturb this one's core and file limit. */
async function holdConnections(job: IdleJob, meanwhile: () => Promise<number>): Promise<Held> {
  const command = [nodeProgram(), join(benchDir, 'load/idle.ts'), JSON.stringify(job)];
  const [file = '', ...args] = pinned(loadCpu, command);
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const count = async (): Promise<number> => Number((await lines.next()).value ?? 0);
    const opened = await count();
    const after = await meanwhile();
    child.stdin.write('\n');
    return { opened, stillOpen: await count(), after };
  } finally {
    const gone = once(child, 'exit');
    child.stdin.end();
    await gone;
  }
}
