import { load, showProblems } from '../config/index.ts';
import { systemClock } from '../core/clock.ts';
import type { Sluice } from '../sluice.ts';
import { explain } from './explain.ts';

/** Reads the config again on SIGHUP, and with `watching` whenever its file changes. A wrong one changes nothing. */
export async function reloadOn(sluice: Sluice, file: string, watching: boolean): Promise<void> {
  // One after the other, or what was read first could be put in force last.
  let turn = Promise.resolve();
  const again = (why: string): void => {
    turn = turn.then(async () => {
      sluice.say('info', 'reload', `${why}: reading ${file}`);
      await reload(sluice, file).catch((error: unknown) => sluice.report(error));
    });
  };
  if (process.platform !== 'win32') process.on('SIGHUP', () => again('SIGHUP'));
  if (!watching) return;
  const { watchConfig } = await import('../control/watch.ts');
  await watchConfig(file, systemClock, () => again('the file has changed'));
}

async function reload(sluice: Sluice, file: string): Promise<void> {
  const checked = await load(file);
  if (checked.config === undefined) {
    for (const problem of checked.problems) sluice.say('error', problem.code, showProblems([problem]));
    sluice.refused(checked.problems[0].message);
    return sluice.say('error', 'reload-refused', 'the config is wrong, nothing was changed');
  }
  try {
    await sluice.reload(checked.config);
  } catch (error) {
    sluice.say('error', 'reload-refused', `nothing was changed: ${explain(error as NodeJS.ErrnoException)}`);
  }
}
