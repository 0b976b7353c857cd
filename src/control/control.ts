import type { Config } from '../config/config.ts';
import type {
  Explanation,
  OriginView,
  PlanView,
  PoolView,
  RecordView,
  Status,
  UpstreamView,
  WaitingView,
} from './views.ts';

/** Why the control plane did not do what it was asked. Nothing was changed. */
export class ControlError extends Error {
  readonly code: 'not-found' | 'conflict' | 'invalid' | 'unavailable';
  /** Every fault, when there are several: a config's. */
  readonly problems: readonly string[];

  constructor(code: ControlError['code'], message: string, problems: readonly string[] = []) {
    super(message);
    this.name = 'ControlError';
    this.code = code;
    this.problems = problems;
  }
}

export interface NewOrigin {
  /** As in a config. */
  readonly url: string;
  readonly weight?: number | undefined;
  readonly backup?: boolean | undefined;
  readonly maxConnections?: number | undefined;
}

export interface OriginChange {
  /** `draining` finishes what it has and takes nothing new; `up` undoes that. */
  readonly state?: 'draining' | 'up' | undefined;
  readonly weight?: number | undefined;
}

/** Who asks, for the audit line in the log: `token`, `socket`, with the peer's address; default `program`. */
export type Operator = string;

/**
 * The running proxy as operators see it and change it. Everything that changes something is atomic over threads, leaves
 * one audit line, and throws `ControlError` when it did nothing. `ttl` is in milliseconds; without it a change stays
 * until the next reload of the config.
 */
export interface Control {
  status(): Promise<Status>;
  /** The config in force with everything filled in; secrets are replaced by `***`. */
  config(): Promise<Config>;
  upstreams(): Promise<UpstreamView[]>;
  addOrigin(upstream: string, origin: NewOrigin, ttl?: number, who?: Operator): Promise<OriginView>;
  changeOrigin(
    upstream: string,
    origin: string,
    change: OriginChange,
    ttl?: number,
    who?: Operator,
  ): Promise<OriginView>;
  removeOrigin(upstream: string, origin: string, ttl?: number, who?: Operator): Promise<void>;
  /** Replaces the processes that sluice has started for an upstream, each when its successor is ready. Does not wait for it. */
  restart(upstream: string, who?: Operator): Promise<PoolView[]>;
  /** Reads the config again, or takes this one: the text of a YAML or JSON file. */
  reload(text?: string, who?: Operator): Promise<PlanView>;
  /** What a reload with this text would do. */
  plan(text: string): Promise<PlanView>;
  /** The requests in an upstream's queue, longest wait first, at most `most`. */
  waiting(upstream: string, most: number): Promise<WaitingView[]>;
  /** The last failed and slow requests, newest first. */
  records(most: number): Promise<RecordView[]>;
  record(id: string): Promise<RecordView>;
  /** What would happen to a request; nothing is sent. `client`: its IP address, default 127.0.0.1. */
  explain(
    method: string,
    url: string,
    fields: readonly (readonly [string, string])[],
    client?: string,
  ): Promise<Explanation>;
  /** In the Prometheus text format 0.0.4. */
  metrics(): Promise<string>;
}
