import type { Clock } from '../core/clock.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Origin } from '../core/origin.ts';
import type { Wheel } from '../core/wheel.ts';
import type { Pass } from '../rewrite/pass.ts';
import type { Table } from '../route/table.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Hooks } from './hooks.ts';
import type { SpoolFile } from './spool.ts';

/** Everything the line needs: one immutable snapshot per config. A request keeps the one it began with. */
export interface Rooms {
  readonly clock: Clock;
  readonly wheel: Wheel;
  readonly table: Table;
  readonly passes: readonly Pass[];
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly hooks: Hooks | null;
  /** For a body that is gathered; '' is the system's folder. */
  temporaryFile(folder: string): SpoolFile;
  defect(error: unknown): void;
  /** Chunked bodies are gathered before they are sent there: its origins want to know their length. */
  gathers(upstream: Upstream): boolean;
  /** It may say of a request that it has not begun with it, after all of it was sent. */
  turnsAway(origin: Origin): boolean;
  /** An origin has answered within a request that goes on: counts it for its upstream. */
  asked(exchange: Exchange): void;
  /** An application has something to say while it answers this exchange. */
  note(exchange: Exchange, line: string): void;
}
