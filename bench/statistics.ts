import type { CaseResult, Entry } from './contest.ts';
import type { Round } from './case.ts';

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

function spread(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[(sorted.length - 1) >> 1];
  const high = sorted[sorted.length >> 1];
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || min === undefined || max === undefined) return undefined;
  return { median: (low + high) / 2, min, max };
}

export function clean(round: Round): boolean {
  return round.errors.length === 0;
}

/** Medians are taken over clean rounds only; the report says how many of how many those were. */
export function figure(entry: Entry, key: string): Spread | undefined {
  return spread(entry.rounds.filter(clean).flatMap((round) => round.figures[key] ?? []));
}

/**
 * How many times another subject's figure: the median over rounds of the quotient within the same round, because
 * neighbours in time share whatever else the machine was doing.
 */
export function ratio(result: CaseResult, subject: string, other: string, key = result.case.ratio): number | undefined {
  const [mine, theirs] = [subject, other].map((name) => result.entries.find((entry) => entry.subject === name));
  const quotients = (mine?.rounds ?? []).flatMap((round, index) => {
    const peer = theirs?.rounds[index];
    if (peer === undefined || !clean(round) || !clean(peer)) return [];
    const [over, under] = [round.figures[key], peer.figures[key]];
    return over === undefined || under === undefined || under === 0 ? [] : over / under;
  });
  return spread(quotients)?.median;
}
