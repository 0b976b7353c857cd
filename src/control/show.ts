/** From boards to views: what the threads have counted, added up and put into words. */
import type { UpstreamConfig } from '../config/config.ts';
import type { Board } from '../core/board.ts';
import { HISTOGRAM, METER, quantile, RETRY_REASONS } from '../core/meter.ts';
import { type Origin, shownAddress } from '../core/origin.ts';
import type { Said } from './overrides.ts';
import type { OriginView, PoolView, UpstreamView } from './views.ts';

/** Wall and clock time of one moment, to tell one by the other. */
export interface Moment {
  readonly wall: number;
  readonly now: number;
}

/** What else is known of an origin. */
export interface OriginFacts {
  readonly source: OriginView['source'];
  readonly tls: OriginView['tls'];
  /** The process that it is; `since` is clock time. */
  readonly child?: { readonly name: string; readonly pid: number; readonly since: number } | undefined;
  readonly reason: { readonly why: string; readonly at: number } | undefined;
  readonly check: OriginView['check'];
  readonly override: Said | undefined;
  /** The weight in force. */
  readonly weight: number;
  /** Wall time of the proxy's start. */
  readonly started: number;
}

export function originView(origin: Origin, facts: OriginFacts, { wall, now }: Moment): OriginView {
  const { board } = origin;
  return {
    name: origin.name,
    address: shownAddress(origin.address),
    url: origin.url,
    tls: facts.tls,
    source: facts.source,
    child: facts.child === undefined ? null : childView(facts.child, { wall, now }),
    state: origin.state,
    reason: facts.reason?.why ?? (origin.unchecked ? 'waits for its first check' : ''),
    since: iso(facts.reason?.at ?? (origin.since === 0 ? facts.started : wall - now + origin.since)),
    until: origin.resting ? iso(wall - now + origin.downUntil) : null,
    weight: origin.fullWeight,
    effectiveWeight: facts.weight,
    backup: origin.backup,
    maxConnections: orNull(origin.maxConnections),
    inFlight: origin.inFlight,
    connections: board.sum(METER.connections),
    idle: board.sum(METER.idle),
    failures: origin.failures,
    requests: board.sum(METER.requests),
    answers: answersOf(board),
    errors: board.sum(METER.failed),
    latency: latencyOf(board),
    check: facts.check,
    override: overrideView(facts.override),
  };
}

export function upstreamView(
  name: string,
  { balance, queue }: UpstreamConfig,
  board: Board,
  origins: readonly OriginView[],
  pools: readonly PoolView[],
  { now }: Moment,
): UpstreamView {
  const waits = Array.from({ length: board.threads }, (_, thread) => board.row(thread)[METER.oldest]);
  const oldest = Math.min(...waits.filter((since) => since > 0));
  return {
    name,
    balance: balance.name,
    queue: {
      length: board.sum(METER.waiting),
      size: queue.size,
      oldest: oldest === Infinity ? null : Math.max(0, now - oldest),
    },
    inFlight: origins.reduce((sum, { inFlight }) => sum + inFlight, 0),
    requests: board.sum(METER.requests),
    answers: answersOf(board),
    retries: board.sums(METER.retries, RETRY_REASONS.length).reduce((sum, count) => sum + count, 0),
    latency: latencyOf(board),
    origins: [...origins],
    pools: [...pools],
  };
}

function childView(
  { name, pid, since }: NonNullable<OriginFacts['child']>,
  { wall, now }: Moment,
): OriginView['child'] {
  return { name, pid, started: iso(wall - now + since) };
}

function answersOf(board: Board): OriginView['answers'] {
  const [informational, success, redirection, client, server, none] = board.sums(METER.answers, 6);
  return {
    '1xx': informational,
    '2xx': success,
    '3xx': redirection,
    '4xx': client,
    '5xx': server,
    none,
  };
}

function latencyOf(board: Board): OriginView['latency'] {
  const counts = board.sums(METER.total, HISTOGRAM);
  return { p50: quantile(counts, 0.5), p90: quantile(counts, 0.9), p99: quantile(counts, 0.99) };
}

function overrideView(override: Said | undefined): OriginView['override'] {
  if (override === undefined) return null;
  const { drained, weight, added, until } = override;
  return {
    ...(drained === true ? { state: 'draining' as const } : {}),
    ...(weight === undefined ? {} : { weight }),
    ...(added === undefined ? {} : { added: true }),
    until: until === null ? 'reload' : iso(until),
  };
}

export function iso(wall: number): string {
  return new Date(wall).toISOString();
}

function orNull(limit: number): number | null {
  return limit === Infinity ? null : limit;
}
