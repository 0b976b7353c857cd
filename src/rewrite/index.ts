import type { Clock } from '../core/clock.ts';
import { forwarded, forwardedStandard } from './forwarded.ts';
import { hopByHop } from './hop-by-hop.ts';
import type { Pass } from './pass.ts';
import { requestId } from './request-id.ts';
import { via } from './via.ts';

/** Which optional passes run. */
export interface RewriteOptions {
  /** Send `Forwarded` (RFC 7239) besides the `X-Forwarded-*` fields. */
  readonly forwarded: boolean;
  /** The name for `Via`, or false. */
  readonly via: string | false;
  /** Send `X-Request-Id`. */
  readonly requestId: boolean;
}

/** All passes in the order they run. Hop-by-hop is first: what it takes out, nobody else may see. */
export function passes(options: RewriteOptions, clock: Clock): readonly Pass[] {
  const list: Pass[] = [hopByHop, forwarded];
  if (options.forwarded) list.push(forwardedStandard);
  if (options.requestId) list.push(requestId(clock));
  if (options.via !== false) list.push(via(options.via));
  return list;
}
