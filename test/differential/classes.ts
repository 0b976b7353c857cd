/**
 * Every way in which sluice and llhttp are known to differ, who is right, and why. A difference that is in no row fails the
 * test; README.md is this table, for people.
 */
import { isError, type Parting } from './compare.ts';

export interface Class {
  readonly name: string;
  /** `both` where the RFC leaves it open. */
  readonly right: 'sluice' | 'llhttp' | 'both';
  readonly source: string;
  readonly why: string;
  /** What sluice makes of it: a word of `Parting`, an error code, or `refuses` for any error. */
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
  /** What the bytes have, for it to be this. */
  readonly where?: RegExp;
}

export function classOf(classes: readonly Class[], { ours, theirs, text }: Parting): Class | undefined {
  const is = (wanted: readonly string[], word: string): boolean =>
    wanted.includes(word) || (isError(word) && wanted.includes('refuses'));
  return classes.find((one) => is(one.ours, ours) && is(one.theirs, theirs) && (one.where?.test(text) ?? true));
}

/** What a row may say of either side, in short. */
export const ANY = ['takes', 'ends', 'waits', 'refuses'];
export const LETS_PASS = ['takes', 'ends', 'waits'];
export const TAKES = ['takes', 'ends'];
