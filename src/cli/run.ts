import { advice, type Checked, findConfig, load, showProblems } from '../config/index.ts';
import type { Config } from '../config/config.ts';
import type { Source } from '../config/place.ts';
import { die, EXIT_USAGE } from './exit.ts';
import { answerToOwnName } from './own-name.ts';
import { serve } from './serve.ts';

/** `sluice run [FILE]` */
export async function run(
  file: string | undefined,
  options: { readonly watch: boolean; readonly takeover: boolean },
): Promise<void> {
  const { config, name } = await read(file);
  await serve(config, { file: name, ...options });
}

/** `sluice check [FILE]` */
export async function checkFile(file: string | undefined): Promise<void> {
  const { config, source, name } = await read(file);
  const found = await advice(config, source);
  const wrong = found.filter(({ warning }) => warning !== true).length;
  if (found.length > 0) process.stderr.write(`${showProblems(found)}\n\n`);
  if (wrong > 0) return die(EXIT_USAGE, `${name}: ${count(wrong, 'thing')} that cannot work on this machine`);
  const upstreams = Object.values(config.upstreams);
  const origins = upstreams.reduce((count, { origins: list }) => count + list.length, 0);
  process.stdout.write(
    `${name}: good. ${count(config.listen.length, 'listener')}, ${count(config.routes.length, 'route')}, ` +
      `${count(upstreams.length, 'upstream')} with ${count(origins, 'origin')}.` +
      `${found.length === 0 ? '' : ` ${count(found.length, 'warning')}.`}\n`,
  );
}

async function read(file: string | undefined): Promise<{ config: Config; source?: Source | undefined; name: string }> {
  const found = file ?? (await findConfig('.'));
  if (typeof found !== 'string') return fail(found);
  answerToOwnName();
  const checked = await load(found);
  if (checked.config === undefined) return fail(checked);
  return { config: checked.config, source: checked.source, name: found };
}

function fail(checked: Extract<Checked, { config?: undefined }>): never {
  const { length } = checked.problems;
  const summary = length === 1 ? '' : `\n\n${length} problems; nothing was started.`;
  return die(EXIT_USAGE, showProblems(checked.problems) + summary);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
