import { setTimeout as sleep } from 'node:timers/promises';
import type { Case, Target } from '../case.ts';
import type { AbortJob, AbortSummary } from '../load/aborts.ts';
import { runLoad } from '../load/run-load.ts';
import { cpuTime, cpuUsed, openFiles, residentBytes } from '../usage.ts';
import { warmUp } from './fixed-rate.ts';

const connections = 64;
const seed = 20_26;
/** Long enough for a proxy that waits a little before it gives a connection up. */
const settle = 3_000;

/** Clients that go away at every phase of a request; a proxy that forgets one of them fills up in production. */
export const aborts: Case = {
  name: 'aborts',
  title: `Abort storm: ${connections} clients at a time that connect, ask, and reset or close at a random phase`,
  origin: 'bodies',
  fresh: true,
  direct: false,
  columns: [
    { key: 'total', title: 'CPU µs/abort', digits: 0 },
    { key: 'rate', title: 'aborts/s', digits: 0 },
    { key: 'growth', title: 'RSS growth MiB', digits: 1 },
    { key: 'leaked', title: 'fds left open', digits: 0 },
    { key: 'origin', title: 'origin connections after', digits: 0 },
  ],
  missing: () => undefined,
  ratio: 'total',
  async warm(target) {
    await warmUp(target);
    await storm({ port: target.port, seconds: 1, connections, seed });
  },
  async measure(target, seconds) {
    await sleep(settle);
    const before = { memory: residentBytes(target.pid), files: openFiles(target.pid, target.origin) };
    const cpu = cpuTime(target.pid);
    const { aborts: count, refused } = await storm({ port: target.port, seconds, connections, seed: seed + 1 });
    const used = cpuUsed(cpu, cpuTime(target.pid));
    await sleep(settle);
    const after = openFiles(target.pid, target.origin);
    const errors = await stillAnswers(target);
    if (refused > 0) errors.push(`${refused} connections were refused`);
    return {
      figures: {
        total: used.total / count,
        rate: count / seconds,
        growth: (residentBytes(target.pid) - before.memory) / 1024 / 1024,
        leaked: after.others - before.files.others,
        origin: after.toOrigin,
      },
      errors,
    };
  },
};

function storm(job: AbortJob): Promise<AbortSummary> {
  return runLoad('aborts.ts', job);
}

async function stillAnswers(target: Target): Promise<string[]> {
  try {
    const answer = await fetch(`http://127.0.0.1:${target.port}/small`, { signal: AbortSignal.timeout(2_000) });
    const body = await answer.text();
    return answer.status === 200 && body.length === 101
      ? []
      : [`answers ${answer.status} with ${body.length} bytes afterwards`];
  } catch (error) {
    return [`does not answer afterwards: ${String(error)}`];
  }
}
