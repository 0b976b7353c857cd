import { mkdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Case, Round } from './case.ts';
import type { Origin, Origins } from './origins.ts';
import type { RunningSubject, Subject } from './subject.ts';

/** All rounds of one subject in one case, or why there are none. */
export interface Entry {
  readonly subject: string;
  readonly rounds: readonly Round[];
  readonly absent?: string;
}

export interface CaseResult {
  readonly case: Case;
  readonly entries: readonly Entry[];
}

/** What a contender is while a case runs: started when needed, started again after it died. */
interface Contender {
  readonly name: string;
  readonly accessLog: string | undefined;
  start(): Promise<RunningSubject>;
  running: RunningSubject | undefined;
  readonly rounds: Round[];
  absent: string | undefined;
}

export interface Plan {
  readonly subjects: readonly Subject[];
  readonly origins: Origins;
  readonly dir: string;
  readonly rounds: number;
  readonly seconds: number;
  say(text: string): void;
}

/** A log line may sit in a buffer for a second before it is written. */
const logDelay = 1_200;
const settle = 300;

/**
 * Rounds alternate (A B C, B C A, C A B …) instead of measuring one subject after the other, so that a slow phase of the
 * machine hits everyone, and nobody always runs first.
 */
export async function runCase(test: Case, plan: Plan): Promise<CaseResult> {
  const contenders = plan.subjects.map((subject) => contender(subject, test, plan));
  if (test.direct) contenders.unshift(direct(plan.origins[test.origin]));
  try {
    for (const one of contenders) if (one.absent === undefined && !test.fresh) await prepare(one, test);
    for (let round = 0; round < plan.rounds; round++) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const one = contenders[(round + turn) % contenders.length];
        if (one === undefined || one.absent !== undefined) continue;
        const result = await runRound(one, test, plan.seconds);
        one.rounds.push(result);
        plan.say(`${test.name} ${round + 1}/${plan.rounds} ${one.name}: ${inWords(result, test)}`);
      }
    }
  } finally {
    await Promise.all(contenders.map(async (one) => one.running?.stop()));
  }
  return {
    case: test,
    entries: contenders.map(({ name, rounds, absent }) => ({
      subject: name,
      rounds,
      ...(absent === undefined ? {} : { absent }),
    })),
  };
}

async function runRound(one: Contender, test: Case, seconds: number): Promise<Round> {
  try {
    if (test.fresh) {
      await one.running?.stop();
      one.running = undefined;
    }
    if (one.running === undefined || !one.running.alive()) await prepare(one, test);
    if (one.running === undefined) return { figures: {}, errors: [one.absent ?? 'did not start'] };
    emptyLog(one);
    await sleep(settle);
    const round = await test.measure(one.running, seconds);
    const errors = [...round.errors];
    if (!one.running.alive()) errors.push('the process ended');
    await sleep(logDelay);
    if (one.accessLog !== undefined && sizeOf(one.accessLog) === 0) errors.push('wrote no access log');
    if (test.fresh) {
      await one.running.stop();
      one.running = undefined;
    }
    return { figures: round.figures, errors };
  } catch (error) {
    return { figures: {}, errors: [error instanceof Error ? error.message : String(error)] };
  }
}

async function prepare(one: Contender, test: Case): Promise<void> {
  try {
    one.running = await one.start();
    await test.warm(one.running);
  } catch (error) {
    await one.running?.stop();
    one.running = undefined;
    one.absent = `did not start: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function contender(subject: Subject, test: Case, plan: Plan): Contender {
  const dir = join(plan.dir, test.name, subject.name.replaceAll(/[^a-zA-Z0-9-]/g, '_'));
  const accessLog = join(dir, 'access.log');
  return {
    name: subject.name,
    accessLog,
    start() {
      mkdirSync(dir, { recursive: true });
      return subject.start({ dir, accessLog, origin: plan.origins[test.origin].port });
    },
    running: undefined,
    rounds: [],
    absent: subject.missing(),
  };
}

function direct(origin: Origin): Contender {
  const running: RunningSubject = { ...origin, alive: () => true, stop: async () => {} };
  return {
    name: 'direct',
    accessLog: undefined,
    start: async () => running,
    running: undefined,
    rounds: [],
    absent: undefined,
  };
}

/** Every subject appends, so the file can be emptied under it; a long run would otherwise fill the disk. */
function emptyLog(one: Contender): void {
  if (one.accessLog !== undefined && sizeOf(one.accessLog) > 0) truncateSync(one.accessLog);
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function inWords(round: Round, test: Case): string {
  const figures = test.columns
    .filter((column) => round.figures[column.key] !== undefined)
    .map((column) => `${round.figures[column.key]?.toFixed(column.digits)} ${column.title}`);
  return [...figures, ...round.errors.map((error) => `ERROR ${error}`)].join(', ');
}
