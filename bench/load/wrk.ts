import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { loadCpu, pinned } from '../machine.ts';
import { benchDir, findProgram } from '../programs.ts';

const program = findProgram('wrk');
const script = join(benchDir, 'load/wrk.lua');

export interface WrkJob {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  readonly post?: number;
  readonly close?: boolean;
}

export interface WrkSummary {
  readonly requests: number;
  readonly microseconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: Readonly<Record<'connect' | 'read' | 'write' | 'status' | 'timeout', number>>;
}

export const wrkMissing = program === undefined ? 'wrk is not installed (apt install wrk)' : undefined;

export function runWrk(job: WrkJob): Promise<WrkSummary> {
  const options = ['-t1', `-c${job.connections}`, `-d${job.seconds}s`, '--timeout', '10s', '-s', script];
  const [file = '', ...args] = pinned(loadCpu, [program ?? '', ...options, `http://127.0.0.1:${job.port}${job.path}`]);
  const env: NodeJS.ProcessEnv = { ...process.env };
  if (job.post !== undefined) Object.assign(env, { BENCH_METHOD: 'POST', BENCH_BODY_BYTES: String(job.post) });
  if (job.close === true) env['BENCH_CLOSE'] = '1';
  return new Promise((resolve, reject) => {
    execFile(file, args, { env }, (error, stdout, stderr) => {
      const line = /^JSON (.*)$/m.exec(stdout)?.[1];
      if (line === undefined) reject(new Error(`wrk failed: ${error?.message ?? ''} ${stderr}`));
      else resolve(JSON.parse(line) as WrkSummary);
    });
  });
}
