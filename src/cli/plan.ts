import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { askAdmin, type Text } from '../admin/client.ts';
import { findConfig, load, showProblems, type Checked } from '../config/index.ts';
import type { Config } from '../config/config.ts';
import { plan as planOf, showChange, type Change } from '../control/plan.ts';
import type { PlanView } from '../control/views.ts';
import { askRunning, orDie, placeOf, type PlaceWords } from './admin-place.ts';
import { die, EXIT_FAILED, EXIT_USAGE } from './exit.ts';
import { answerToOwnName } from './own-name.ts';
import { plain, print, printJson } from './table.ts';

/** As `terraform plan -detailed-exitcode` has it: something would change. */
const EXIT_CHANGES = 2;

type Words = PlaceWords & { readonly json?: true };

/** `sluice plan [FILE]`: exit code 0 for nothing to do, 2 for changes, 1 for errors. */
export async function plan(
  file: string | undefined,
  words: Words & { readonly against?: string | undefined },
): Promise<void> {
  const named = file ?? (await found());
  const made = words.against === undefined ? await asked(named, words) : await between(words.against, named);
  if (words.json === true) printJson(made);
  else print(shown(made, 'nothing would change'));
  process.exitCode = made.changes.length === 0 ? 0 : EXIT_CHANGES;
}

/** `sluice reload [FILE]` */
export async function reloadRunning(file: string | undefined, words: Words): Promise<void> {
  const body = file === undefined ? undefined : await textOf(file, EXIT_USAGE);
  const made = (await askRunning(words, 'POST', '/v1/reload', body)) as PlanView;
  if (words.json === true) printJson(made);
  else print(shown(made, 'nothing has changed'));
}

async function found(): Promise<string> {
  const name = await findConfig('.');
  return typeof name === 'string' ? name : die(EXIT_FAILED, showProblems(name.problems));
}

async function asked(file: string, words: PlaceWords): Promise<PlanView> {
  const text = await textOf(file, EXIT_FAILED);
  const place = await placeOf(words, EXIT_FAILED);
  return (await orDie(askAdmin(place, 'POST', '/v1/plan', text))) as PlanView;
}

async function between(from: string, to: string): Promise<PlanView> {
  answerToOwnName();
  const [before, after] = [configOf(await load(from)), configOf(await load(to))];
  return { changes: planOf(before, after).map((change) => ({ ...change, connections: null })) };
}

function configOf(checked: Checked): Config {
  return checked.config ?? die(EXIT_FAILED, showProblems(checked.problems));
}

/** A config as it is sent: only what needs no running. */
async function textOf(file: string, code: number): Promise<Text> {
  const types: Record<string, string> = {
    '.yaml': 'application/yaml',
    '.yml': 'application/yaml',
    '.json': 'application/json',
  };
  const type = types[extname(file)];
  if (type === undefined) {
    return die(
      code,
      `${file}: YAML and JSON can be sent to the running proxy, scripts cannot. It reads its own file again on: sluice reload. ` +
        `Two files are compared by: sluice plan ${basename(file)} --against OTHER`,
    );
  }
  try {
    return { type, text: await readFile(file, 'utf8') };
  } catch (error) {
    const { code: why, message } = error as NodeJS.ErrnoException;
    return die(code, why === 'ENOENT' ? `there is no file ${file}` : `${file}: ${message}`);
  }
}

function shown({ changes }: PlanView, nothing: string): string {
  if (changes.length === 0) return nothing;
  return changes
    .map(({ connections, ...change }) => {
      const ends =
        connections === null || connections === 0
          ? ''
          : ` (${connections} connection${connections === 1 ? '' : 's'} will end)`;
      return plain(`${showChange(change as Change)}${ends}`);
    })
    .join('\n');
}
