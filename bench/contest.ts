import type { Case, Round } from './case.ts';
import { Contender } from './contender.ts';
import type { Origins } from './origins/index.ts';
import type { Subject } from './subject.ts';

/** All rounds of one subject in one case, or why there are none. */
export interface Entry {
  readonly subject: string;
  readonly rounds: readonly Round[];
  readonly absent: string | undefined;
}

export interface CaseResult {
  readonly case: Case;
  readonly entries: readonly Entry[];
}

export interface Plan {
  readonly subjects: readonly Subject[];
  readonly origins: Origins;
  /** Where the subjects keep their files. */
  readonly dir: string;
  readonly rounds: number;
  readonly seconds: number;
  /** Told after every round. */
  say(text: string): void;
}

/**
 * Rounds alternate (A B C, B C A, C A B …) instead of measuring one subject after the other, so that a slow phase of the
 * machine hits everyone, and nobody always runs first.
 */
export async function runCase(test: Case, plan: Plan): Promise<CaseResult> {
  const origin = await plan.origins.get(test.origin);
  // What Node's proxies cannot speak needs no line each.
  const subjects = plan.subjects.filter(({ speaks, fromNpm }) => fromNpm !== true || speaks.includes(origin.protocol));
  const contenders = subjects.map((subject) => Contender.of(subject, test, origin, plan.dir));
  if (test.direct) contenders.unshift(Contender.direct(test, origin));
  try {
    if (!test.fresh) for (const one of contenders) if (one.absent === undefined) await one.prepare();
    const able = contenders.filter((one) => one.absent === undefined);
    for (let round = 0; round < plan.rounds; round++) {
      for (let turn = 0; turn < able.length; turn++) {
        const one = able[(round + turn) % able.length];
        const found = await one.round(plan.seconds);
        plan.say(`${test.name} ${round + 1}/${plan.rounds} ${one.name}: ${inWords(found, test)}`);
      }
    }
  } finally {
    for (const one of contenders) await one.stop();
  }
  return { case: test, entries: contenders.map(({ name, rounds, absent }) => ({ subject: name, rounds, absent })) };
}

function inWords(round: Round, test: Case): string {
  const figures = test.columns.flatMap(({ key, title, digits }) => {
    const value = round.figures[key];
    return value === undefined ? [] : [`${value.toFixed(digits)} ${title}`];
  });
  return [...figures, ...round.errors.map((error) => `ERROR ${error}`)].join(', ');
}
