/**
 * @module sluice as a library: a reverse proxy inside your own process. Installs no signal handlers, keeps no globals,
 * and says nothing on stdout unless the config asks for an access log.
 */
import { check, type ConfigInput, showProblems, type Problem } from './config/index.ts';
import type { Config } from './config/config.ts';
import type { Control } from './control/control.ts';
import type { Change } from './control/plan.ts';
import { loadSpans, type SpanTracer } from './observe/spans.ts';
import { type HookFunctions, makeHooks } from './proxy/hooks.ts';
import { systemClock } from './core/clock.ts';
import { Sluice } from './sluice.ts';

export { defineConfig } from './config/index.ts';
export type { BalanceInput, ConfigInput, Problem, RouteInput, UpstreamInput } from './config/index.ts';
export type { HookAnswer, HookFields, HookFunctions, HookRequest, HookResponse } from './proxy/hooks.ts';
export { ControlError, type Control, type NewOrigin, type OriginChange } from './control/control.ts';
export type { Change } from './control/plan.ts';
export type {
  Explanation,
  OriginView,
  PlanView,
  PoolView,
  RecordView,
  Status,
  UpstreamView,
  WaitingView,
} from './control/views.ts';
export type { RecordedSpan, SpanTracer } from './observe/spans.ts';
export { SluiceError, type ErrorCode } from './core/errors.ts';

/** A running proxy. `await using` closes it. */
export interface RunningSluice extends AsyncDisposable {
  /** Where it listens, in the config's order: `http://127.0.0.1:8080`, `unix:/path`. */
  readonly addresses: readonly string[];
  /**
   * Goes over to another config without dropping a connection: what did not change is not touched. Throws `ConfigError`,
   * or the system's error when an address cannot be bound, and then changes nothing.
   *
   * @returns what was changed
   */
  reload(config: ConfigInput): Promise<Change[]>;
  /**
   * What operators have over HTTP, without HTTP: status, upstreams and origins, the queue, changes while it runs, plans,
   * explanations, metrics. Refusals are `ControlError`s.
   */
  readonly control: Control;
  /** Opens log files anew, after a rotation has moved them. */
  reopenLogs(): void;
  /**
   * Stops accepting, lets requests in hand end, cuts the rest after `grace` milliseconds (default: the config's
   * `timeouts.drain`, 30 s; 0 cuts at once). Resolves when everything is closed.
   */
  close(grace?: number): Promise<void>;
}

/** The config is wrong. `problems` has every fault; `message` shows them all. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(`the config is wrong:\n${showProblems(problems)}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** What the embedding program brings along, beside its hooks. */
export interface Surroundings {
  /**
   * An OpenTelemetry tracer: each request becomes one SERVER span, child of its `traceparent`, and origins get that span
   * as their parent. Needs `@opentelemetry/api` 1.9 or later installed beside sluice.
   */
  readonly tracer?: SpanTracer;
}

/**
 * Starts a proxy in this process.
 *
 *     const proxy = await createSluice({ listen: 0, upstreams: { app: { origins: ['http://127.0.0.1:3000'] } } });
 *     console.log(proxy.addresses[0]);
 *     await proxy.close();
 *
 * The access log is off unless `log.access` is set. Throws `ConfigError`, an `Error` when there is a tracer but not its
 * package, or the system's error when an address cannot
 * be bound (`EADDRINUSE`, `EACCES`).
 */
export async function createSluice<const Name extends string>(
  config: ConfigInput<Name>,
  hooks: HookFunctions = {},
  { tracer }: Surroundings = {},
): Promise<RunningSluice> {
  const checkedConfig = checked(config);
  const inProgram = Object.keys(hooks).length > 0 || tracer !== undefined;
  if (checkedConfig.threads > 1 && inProgram) throw new ConfigError([NEEDS_ONE_THREAD]);
  const spans =
    tracer === undefined && !checkedConfig.log.spans
      ? null
      : await loadSpans(tracer, systemClock, (error): void => sluice.report(error));
  const sluice: Sluice = new Sluice(checkedConfig, { hooks: makeHooks(hooks), spans });
  await sluice.open();
  return {
    get addresses() {
      return sluice.addresses;
    },
    control: sluice.operator,
    reload: async (next) => sluice.reload(checked(next)),
    reopenLogs: () => sluice.reopenLogs(),
    close: (grace) => sluice.close(grace),
    [Symbol.asyncDispose]: () => sluice.close(),
  };
}

/** Functions cannot be handed to other threads. */
const NEEDS_ONE_THREAD: Problem = {
  code: 'config/out-of-range',
  message: 'threads: hooks and a tracer belong to this thread: set `threads` to 1, or start sluice without them',
  path: ['threads'],
};

function checked(input: ConfigInput): Config {
  const { config, problems } = check({ ...input, log: { access: 'off', ...input.log } });
  if (config === undefined) throw new ConfigError(problems);
  return config;
}
