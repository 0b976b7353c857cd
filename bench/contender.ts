import { createReadStream, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Case, Round, Target } from './case.ts';
import type { Origin } from './origins/origin.ts';
import { envOf } from './subject-env.ts';
import type { RunningSubject, Subject } from './subject.ts';

/** A log line may sit in a buffer for a second before it is written. */
const logDelay = 1_200;
const settle = 300;
/** Share of the requests that must be in the access log; the last few may still be on their way to it. */
const mostLines = 0.99;

/** One subject while one case runs: started when it is needed, started again when it died. */
export class Contender {
  readonly name: string;
  readonly rounds: Round[] = [];
  /** Why it takes no part. */
  absent: string | undefined;
  readonly #case: Case;
  readonly #origin: number;
  readonly #start: () => Promise<RunningSubject>;
  readonly #accessLog: string | undefined;
  #running: RunningSubject | undefined;

  private constructor(
    name: string,
    test: Case,
    origin: Origin,
    start: () => Promise<RunningSubject>,
    accessLog?: string,
  ) {
    this.name = name;
    this.#case = test;
    this.#origin = origin.port;
    this.#start = start;
    this.#accessLog = accessLog;
  }

  static of(subject: Subject, test: Case, origin: Origin, parentDir: string): Contender {
    const env = envOf(subject, origin, join(parentDir, test.name));
    const contender = new Contender(subject.name, test, origin, async () => subject.start(env), env.accessLog);
    contender.absent = subject.missing() ?? unspoken(subject, origin);
    return contender;
  }

  /** No proxy at all: what the load generator and the origin take by themselves. */
  static direct(test: Case, origin: Origin): Contender {
    const running = { ...origin, alive: () => true, complaint: () => '', stop: async () => {} };
    return new Contender('direct', test, origin, async () => running);
  }

  /** Starts it and brings it to speed; a subject that cannot even do that takes no part. */
  async prepare(): Promise<void> {
    try {
      await this.#ready();
    } catch (error) {
      this.absent = `did not start: ${String(error)}`;
    }
  }

  async round(seconds: number): Promise<Round> {
    const round = await this.#measure(seconds).catch((error: unknown) => ({ figures: {}, errors: [String(error)] }));
    this.rounds.push(round);
    if (this.#case.fresh) await this.stop();
    return round;
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }

  async #measure(seconds: number): Promise<Round> {
    const target = await this.#ready();
    this.#emptyLog();
    await sleep(settle);
    const round = await this.#watched(this.#case.measure(target, seconds));
    await sleep(logDelay);
    return { ...round, errors: [...round.errors, ...(await this.#logErrors(round))] };
  }

  async #ready(): Promise<Target> {
    if (this.#running?.alive() !== true) {
      this.#running = await this.#start();
      await this.#watched(this.#case.warm(this.#target(this.#running)));
    }
    return this.#target(this.#running);
  }

  #target(running: RunningSubject): Target {
    return { pid: running.pid, port: running.port, origin: this.#origin };
  }

  /** When the process ends meanwhile, its own last words tell more than what its clients ran into. */
  async #watched<Result>(work: Promise<Result>): Promise<Result> {
    const result = await work.catch((error: unknown) => {
      throw this.#deathNote() ?? error;
    });
    const dead = this.#deathNote();
    if (dead !== undefined) throw dead;
    return result;
  }

  #deathNote(): Error | undefined {
    return this.#running?.alive() === false ? new Error(`the process ended: ${this.#running.complaint()}`) : undefined;
  }

  async #logErrors({ figures }: Round): Promise<string[]> {
    if (this.#accessLog === undefined) return [];
    const lines = await countLines(this.#accessLog);
    const wanted = figures['requests'] ?? 1;
    return lines < wanted * mostLines ? [`logged ${lines} of ${wanted} requests`] : [];
  }

  /** Every subject appends, so the file can be emptied under it; a long run would otherwise fill the disk. */
  #emptyLog(): void {
    if (this.#accessLog !== undefined && exists(this.#accessLog)) truncateSync(this.#accessLog);
  }
}

function unspoken(subject: Subject, { protocol }: Origin): string | undefined {
  return subject.speaks.includes(protocol) ? undefined : `does not speak ${protocol} to origins`;
}

async function countLines(file: string): Promise<number> {
  if (!exists(file)) return 0;
  let lines = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>)
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
  return lines;
}

function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}
