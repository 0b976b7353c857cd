import type { Exchange } from './exchange.ts';

/** Who asked for this request, from its `traceparent` (W3C Trace Context Level 2 §3.2). Ids in lower-case hex. */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  /** `SAMPLED` and `RANDOM`, and nothing else. */
  readonly flags: number;
}

/** The caller may have recorded this trace. */
export const SAMPLED = 1;
/** The last 56 bits of the trace id are random, so that samplers may decide by them. */
export const RANDOM = 2;

/** What records spans somewhere, seen from the line. Must not throw. */
export interface Tracer {
  /**
   * Begins the exchange's span and fills in its `traceId`, `spanId` and `span`.
   *
   * @param parent null when there is none that counts: a trace begins here
   * @param state `tracestate` of the parent; '' without one
   * @returns the flags to send on, or -1 when nothing was begun
   */
  begin(exchange: Exchange, parent: TraceParent | null, state: string): number;
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);

/** One `traceparent`; null when it is not valid. Of versions that are not known yet only the known part is read, §4.3. */
export function parseTraceparent(value: string): TraceParent | null {
  const match = FORM.exec(value);
  if (match === null) return null;
  const [, version, traceId, spanId, flags, more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return null;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return null;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) & (SAMPLED | RANDOM) };
}
