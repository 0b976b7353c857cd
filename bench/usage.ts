import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** CPU time a process has used so far, in microseconds. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
  readonly total: number;
}

const microsecondsPerTick = 10_000; // USER_HZ is 100 on every Linux that Node runs on

/**
 * The total comes from schedstat of every thread, which counts nanoseconds; the split into user and system from stat,
 * which only counts ticks. So JIT, garbage collection and log threads are all included.
 */
export function cpuTime(pid: number): CpuTime {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const user = Number(fields[11]) * microsecondsPerTick;
  const system = Number(fields[12]) * microsecondsPerTick;
  let total = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) total += threadTime(pid, task);
  return { user, system, total };
}

export function cpuUsed(before: CpuTime, after: CpuTime): CpuTime {
  const total = after.total - before.total;
  const user = after.user - before.user;
  const ticks = user + after.system - before.system;
  const share = ticks === 0 ? 0 : user / ticks;
  return { user: total * share, system: total * (1 - share), total };
}

/** Resident bytes, from the exact roll-up rather than the per-CPU counters behind statm. */
export function residentBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Rss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
}

export interface OpenFiles {
  /** Kept connections to the origin, which a proxy has good reason to keep. */
  readonly toOrigin: number;
  /** Everything else: listeners, files, connections of clients, and sockets that nobody knows any more. */
  readonly others: number;
}

export function openFiles(pid: number, origin: number): OpenFiles {
  const toOrigin = socketsTo(origin);
  let kept = 0;
  const descriptors = readdirSync(`/proc/${pid}/fd`);
  for (const descriptor of descriptors) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${descriptor}`))?.[1];
    if (inode !== undefined && toOrigin.has(inode)) kept++;
  }
  return { toOrigin: kept, others: descriptors.length - kept };
}

/** Inodes of the sockets whose other end is this port of 127.0.0.1. */
function socketsTo(port: number): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  const columns = rows.map((row) => row.trim().split(/\s+/));
  return new Set(columns.filter((row) => row[2]?.endsWith(suffix)).map((row) => row[9] ?? ''));
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed between readdir and readlink
  }
}

/** Connections this machine has accepted since it started, of which a benchmark of connections must see enough. */
export function connectionsAccepted(): number {
  const [names, values] = readFileSync('/proc/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'));
  const column = names?.split(' ').indexOf('PassiveOpens') ?? -1;
  return Number(values?.split(' ')[column] ?? 0);
}

function threadTime(pid: number, task: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1000;
  } catch {
    return 0; // the thread ended between readdir and read
  }
}
