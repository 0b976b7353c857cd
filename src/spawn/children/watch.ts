import { resolve } from 'node:path';
import { watch } from 'chokidar';
import type { Clock } from '../../core/clock.ts';

/** Milliseconds of quiet after a change: a build or a checkout writes many files. */
const QUIET = 200;

/** What changes all the time and is no reason. */
const IGNORED = /(?:^|[\\/])(?:node_modules|\.git|__pycache__)(?:[\\/]|$)|\.(?:log|sock|swp|pyc)$|~$/;

/**
 * Watches files and folders and calls `changed` once for each burst of changes.
 *
 * @param defect hears what went wrong, such as a limit of the system on watched files
 * @returns ends the watching
 */
export function watchPaths(
  paths: readonly string[],
  cwd: string,
  clock: Clock,
  changed: () => void,
  defect: (error: Error) => void,
): () => Promise<void> {
  let cancel: (() => void) | null = null;
  const watcher = watch(
    paths.map((path) => resolve(cwd, path)),
    { ignoreInitial: true, ignored: (path) => IGNORED.test(path.slice(resolve(cwd).length)) },
  );
  watcher.on('all', () => {
    cancel?.();
    cancel = clock.after(QUIET, changed, 'idle');
  });
  watcher.on('error', (error) => defect(error as Error));
  return async () => {
    cancel?.();
    await watcher.close();
  };
}
