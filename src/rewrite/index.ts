import type { Clock } from '../core/clock.ts';
import type { Tracer } from '../core/trace.ts';
import { forwarded, forwardedStandard } from './forwarded.ts';
import { hopByHop } from './hop-by-hop.ts';
import type { Pass } from './pass.ts';
import { requestId } from './request-id.ts';
import { trace } from './trace.ts';
import { via } from './via.ts';

/** Which optional passes run. */
export interface RewriteOptions {
  /** Send `Forwarded` (RFC 7239) besides the `X-Forwarded-*` fields. */
  readonly forwarded: boolean;
  /** The name for `Via`, or false. */
  readonly via: string | false;
  /** Send `X-Request-Id`. */
  readonly requestId: boolean;
  /** Take part in W3C Trace Context, and whose word about it counts. */
  readonly trace: 'off' | 'on' | 'trusted';
  /** The share of new traces that is marked as sampled. */
  readonly traceSample: number;
}

/**
 * All passes in the order they run. Hop-by-hop is first: what it takes out, nobody else may see.
 *
 * @param tracer names the spans; with one, traces are taken part in whatever `trace` says
 */
export function passes(options: RewriteOptions, clock: Clock, tracer: Tracer | null = null): readonly Pass[] {
  const list: Pass[] = [hopByHop, forwarded];
  if (options.forwarded) list.push(forwardedStandard);
  if (options.requestId) list.push(requestId(clock));
  if (options.trace !== 'off' || tracer !== null) {
    list.push(trace(options.trace === 'trusted', options.traceSample, tracer));
  }
  if (options.via !== false) list.push(via(options.via));
  return list;
}
