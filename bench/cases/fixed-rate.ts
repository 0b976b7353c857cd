import type { Case, Target } from '../case.ts';
import type { RateJob, RateSummary } from '../load/fixed-rate.ts';
import { runLoad } from '../load/run-load.ts';
import { cpuTime, cpuUsed } from '../usage.ts';

const perSecond = 5_000;
const connections = 64;
/** Percent. When the machine has more else to do than this, the percentiles of what is left say little. */
const tooBlind = 50;

/** What a user feels: the latency at a rate every contender is offered alike, whether it keeps up or not. */
export const rate: Case = {
  name: 'rate',
  title: `Latency at a fixed ${perSecond.toLocaleString('en')} requests/s: small GET, ${connections} connections, open loop`,
  origin: 'fast',
  fresh: false,
  direct: true,
  columns: [
    { key: 'p50', title: 'p50 µs', digits: 0 },
    { key: 'p99', title: 'p99 µs', digits: 0 },
    { key: 'p999', title: 'p99.9 µs', digits: 0 },
    { key: 'total', title: 'CPU µs/req', digits: 1 },
    { key: 'late99', title: 'sent late, p99 µs', digits: 0 },
    { key: 'blind', title: 'left out %', digits: 1 },
  ],
  missing: () => undefined,
  ratio: 'p99',
  warm: warmUp,
  async measure(target, seconds) {
    const before = cpuTime(target.pid);
    const { answered, failed, ...summary } = await load({ port: target.port, rate: perSecond, seconds, connections });
    const used = cpuUsed(before, cpuTime(target.pid));
    const errors: string[] = [];
    if (failed > 0) errors.push(`${failed} requests failed or were not answered within 2 s after the end`);
    if (summary.blind > tooBlind)
      errors.push(`the load generator was off its core ${summary.blind.toFixed(0)} % of the time`);
    return { figures: { ...summary, requests: answered, total: used.total / answered }, errors };
  },
};

/** Three seconds of small GETs at a rate that everyone can follow: enough to fill pools and to compile what is hot. */
export async function warmUp(target: Target): Promise<void> {
  await load({ port: target.port, rate: 1_000, seconds: 2, connections });
}

function load(job: RateJob): Promise<RateSummary> {
  return runLoad('fixed-rate.ts', job);
}
