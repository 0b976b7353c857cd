/** What is known of one error: see core/errors.ts, which has them all. */
export type Side = 'client' | 'origin' | 'sluice';
type RetryRule = 'always' | 'idempotent' | 'never';

export interface ErrorRow {
  readonly side: Side;
  /** The status the client is answered with, when the answer has not begun. */
  readonly status: number;
  readonly proxy: string;
  readonly retry: RetryRule;
  readonly about: string;
  /** It is the same the next time, until somebody mends it: nobody waits for an origin that rests because of it. */
  readonly lasts: boolean;
}

/** @param lasts `lasts`: see `ErrorRow` */
export function row(
  side: Side,
  status: number,
  proxy: string,
  retry: RetryRule,
  about: string,
  lasts?: 'lasts',
): ErrorRow {
  return { side, status, proxy, retry, about, lasts: lasts !== undefined };
}
