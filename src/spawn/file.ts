import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { sep } from 'node:path';
import type { Command, Unstartable } from '../core/program.ts';

/**
 * The file that a command runs, as Node wants it; or why it is not run. Looked at before each start: what the shell says
 * of a file that is not there could be the program's own words just as well.
 *
 * @param others it will run as somebody else, of whom access(2) knows nothing
 */
export function fileOf({ program, below }: Command, others: boolean): string | Unstartable {
  const path = Buffer.from(program, 'latin1').toString();
  const folder = Buffer.from(below, 'latin1').toString();
  const missing = below === '' ? 'program-missing' : 'script-missing';
  const forbidden = below === '' ? 'program-missing' : 'script-forbidden';
  // A name that is not UTF-8 would be another file's.
  if (Buffer.from(path).latin1Slice() !== program) return { code: missing, detail: 'its name is not UTF-8' };
  try {
    if (below !== '' && !realpathSync(path).startsWith(realpathSync(folder) + sep)) {
      return { code: forbidden, detail: `${path} is a link that leads out of ${folder}` };
    }
    const stat = statSync(path);
    if (!stat.isFile()) return { code: missing, detail: `${path} is not a file` };
    if ((stat.mode & 0o111) === 0) return { code: forbidden, detail: `${path} is not executable` };
    if (!others) accessSync(path, constants.X_OK);
    return path;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return { code: code === 'EACCES' ? forbidden : missing, detail: `${code} ${path}` };
  }
}
