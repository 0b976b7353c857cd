import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Origin } from './origins/origin.ts';
import type { Subject, SubjectEnv } from './subject.ts';

/** A directory of its own for one subject, below `parentDir`; made when it starts. */
export function envOf(subject: Subject, origin: Origin, parentDir: string): SubjectEnv {
  const dir = join(parentDir, subject.name.replaceAll(/[^a-zA-Z0-9-]/g, '_'));
  mkdirSync(dir, { recursive: true });
  return { dir, accessLog: join(dir, 'access.log'), origin };
}
