import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg, release } from 'node:os';
import { findProgram } from './programs.ts';

/** The proxy has a core for itself; load generator and origin share the other one. */
export const proxyCpu = 0;
export const loadCpu = 1;

const taskset = findProgram('taskset');
const cores = availableParallelism(); // before pinning, which lowers it
export const canPin = taskset !== undefined && cores > 1;

/** taskset replaces itself by the command, so the child's pid is the pid of the program that is measured. */
export function pinned(cpu: number, command: readonly string[]): readonly string[] {
  return canPin && cpu >= 0 && taskset !== undefined ? [taskset, '-c', String(cpu), ...command] : command;
}

/** The benchmark itself sleeps while a round runs; what little it does must not happen on the proxy's core. */
export function pinSelf(): void {
  if (canPin && taskset !== undefined) execFileSync(taskset, ['-a', '-c', '-p', String(loadCpu), String(process.pid)]);
}

/** Processes that wanted a core in the last minute: what a benchmark should begin with is none. */
export function otherLoad(): number {
  return loadavg()[0] ?? 0;
}

export function describeMachine(): string {
  const model = /model name\s*:\s*(.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown CPU';
  return `${model}, ${cores} cores, Linux ${release()}`;
}
