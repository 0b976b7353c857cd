import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { watch } from 'chokidar';
import type { Clock } from '../core/clock.ts';

/** Milliseconds of quiet after a change: an editor or a volume writes in several steps. */
const QUIET = 100;

/**
 * Watches a config and says when its text has changed. The folder is what is watched: editors replace the file, and
 * Kubernetes swaps a symbolic link beside it, and neither is seen by who watches the file itself.
 *
 * @returns ends the watching
 */
export async function watchConfig(file: string, clock: Clock, changed: () => void): Promise<() => Promise<void>> {
  let before = await fingerprint(file);
  let cancel: (() => void) | null = null;
  const watcher = watch(dirname(file), { depth: 0, ignoreInitial: true });
  watcher.on('all', () => {
    cancel?.();
    cancel = clock.after(QUIET, () => void compare(), 'idle');
  });
  await new Promise<void>((resolve) => watcher.once('ready', () => resolve()));
  return async () => {
    cancel?.();
    await watcher.close();
  };

  async function compare(): Promise<void> {
    const now = await fingerprint(file);
    // A file that is gone is on its way to be replaced, or a mistake that must not stop anything.
    if (now === before || now === null) return;
    before = now;
    changed();
  }
}

async function fingerprint(file: string): Promise<string | null> {
  try {
    return createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  } catch {
    return null;
  }
}
