/** CGI programs for a test: shell scripts in a folder of its own, and what becomes of their processes. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export interface Scripts {
  readonly folder: string;
  /** Writes a shell script; its path. The first line is there already. */
  add(name: string, ...lines: string[]): string;
  /** What scripts have written to a file here, '' while there is none. */
  read(name: string): string;
}

export function scripts(t: TestContext): Scripts {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cgi-'));
  // For programs that run as somebody else.
  chmodSync(folder, 0o755);
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return {
    folder,
    add(name, ...lines) {
      const path = join(folder, name);
      writeFileSync(path, `#!/bin/sh\n${lines.join('\n')}\n`);
      chmodSync(path, 0o755);
      return path;
    },
    read(name) {
      try {
        return readFileSync(join(folder, name), 'utf8');
      } catch {
        return '';
      }
    },
  };
}

/** Whether a process runs; one that has ended and was not waited for does not. */
export function runs(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Children of this process, those included that have ended and were not waited for, but not the keepers. */
export function children(): number[] {
  return readdirSync('/proc/self/task')
    .flatMap((task) => read(`/proc/self/task/${task}/children`).split(' ').filter(Boolean).map(Number))
    .filter((pid) => !read(`/proc/${pid}/cmdline`).includes('sluice-keeper'));
}

/** A file of /proc; '' when its process or thread has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

export function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}
