import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

/** Resident memory in bytes of all processes of these groups. What cannot be looked at counts as nothing. */
export async function memoryOf(groups: ReadonlySet<number>): Promise<Map<number, number>> {
  // Containers often have no ps.
  const all = process.platform === 'linux' ? await fromProc(groups) : await fromPs();
  const sums = new Map<number, number>();
  for (const [group, bytes] of all) if (groups.has(group)) sums.set(group, (sums.get(group) ?? 0) + bytes);
  return sums;
}

type Sizes = (readonly [group: number, bytes: number])[];

async function fromProc(groups: ReadonlySet<number>): Promise<Sizes> {
  const sizes: Sizes = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'latin1').catch(() => '');
    // The name is in parentheses and may hold anything; behind it come state, parent and group (proc(5)).
    const group = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
    if (!groups.has(group)) continue;
    const status = await readFile(`/proc/${entry}/status`, 'latin1').catch(() => '');
    sizes.push([group, Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024]);
  }
  return sizes;
}

function fromPs(): Promise<Sizes> {
  return new Promise((resolve) => {
    execFile('ps', ['-A', '-o', 'pgid=', '-o', 'rss='], { maxBuffer: 16 * 1024 * 1024 }, (_, output) => {
      const rows = output.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
      resolve(rows.filter((row) => row.length === 2).map(([group, kib]) => [group, kib * 1024] as const));
    });
  });
}
