import type { Board } from './core/board.ts';
import type { Clock } from './core/clock.ts';
import { BOUNDS, ERROR_SLOTS, HISTOGRAM, METER, RETRY_REASONS } from './core/meter.ts';
import type { Origin } from './core/origin.ts';
import type { Histogram } from './observe/exposition.ts';
import type { AnswerFigures, Figures, OriginFigures, UpstreamFigures } from './observe/figures.ts';
import type { Sluice } from './sluice.ts';

const SECONDS = BOUNDS.map((ms) => ms / 1000);

/** What the threads have counted, added up for the metrics. */
export function figuresOf(sluice: Sluice, version: string, clock: Clock): Figures {
  const { shared, config, threads } = sluice;
  const [connections, inFlight, requests] = [shared.connections(), shared.holders(), shared.counted(METER.requests)];
  const cpu = process.cpuUsage();
  const listeners = config.listen.map((_, index) => shared.listener(index));
  return {
    process: {
      version,
      node: process.versions.node,
      started: sluice.started / 1000,
      memory: process.memoryUsage.rss(),
      cpu: (cpu.user + cpu.system) / 1e6,
      loaded: sluice.loaded / 1000,
      loadedWell: sluice.reloads.refusal === null,
      reloads: { done: sluice.reloads.done, refused: sluice.reloads.refused },
    },
    listeners: listeners.map((board, index) => ({
      name: config.listen[index].name,
      connections: board.sum(METER.held),
      opened: board.sum(METER.opened),
      refused: board.sum(METER.refused),
      answers: answers(board),
      bytesIn: board.sum(METER.bytesIn),
      bytesOut: board.sum(METER.bytesOut),
      duration: histogram(board, METER.total),
    })),
    routes: config.routes.map(({ name }, index) => {
      const known = name ?? `#${index + 1}`;
      const board = shared.route(known);
      return { name: known, answers: answers(board), duration: histogram(board, METER.total) };
    }),
    upstreams: Object.entries(config.upstreams).map(([name, { queue }]) => {
      return upstream(name, queue.size, shared.upstream(name), shared.origins.get(name) ?? [], sluice, clock.now());
    }),
    threads: threads.map(({ state, restarts }, id) => ({
      id,
      serving: state === 'serving',
      restarts,
      connections: connections[id],
      inFlight: inFlight[id],
      requests: requests[id],
    })),
    errors: Object.fromEntries(
      [...ERROR_SLOTS].map(([code, slot]) => [code, shared.counted(slot).reduce((sum, count) => sum + count, 0)]),
    ),
  };
}

function upstream(
  name: string,
  size: number,
  board: Board,
  origins: readonly Origin[],
  sluice: Sluice,
  now: number,
): UpstreamFigures {
  const waits = Array.from({ length: board.threads }, (_, thread) => board.row(thread)[METER.oldest]);
  const oldest = Math.min(...waits.filter((since) => since > 0));
  const retries = board.sums(METER.retries, RETRY_REASONS.length);
  return {
    name,
    answers: answers(board),
    inFlight: origins.reduce((sum, { inFlight }) => sum + inFlight, 0),
    duration: histogram(board, METER.total),
    queue: {
      length: board.sum(METER.waiting),
      size,
      oldest: oldest === Infinity ? 0 : Math.max(0, now - oldest) / 1000,
      waited: histogram(board, METER.queue),
    },
    retries: Object.fromEntries(RETRY_REASONS.map((reason, index) => [reason, retries[index]])),
    origins: origins.map((one) => origin(one, sluice.weightOf(name, one))),
    pools: sluice.children.poolsOf(name).map(({ state, ...pool }) => ({ ...pool, stopped: state === 'stopped' })),
  };
}

function origin({ name, state, inFlight, board }: Origin, weight: number): OriginFigures {
  return {
    name,
    state,
    weight,
    inFlight,
    answers: answers(board),
    errors: board.sum(METER.failed),
    ejections: board.sum(METER.ejections),
    connections: board.sum(METER.connections),
    idle: board.sum(METER.idle),
    opened: board.sum(METER.opened),
    // An origin gets what clients send.
    bytesOut: board.sum(METER.bytesIn),
    bytesIn: board.sum(METER.bytesOut),
    connect: histogram(board, METER.connect),
    firstByte: histogram(board, METER.first),
  };
}

function answers(board: Board): AnswerFigures {
  const [informational, success, redirection, client, server, none] = board.sums(METER.answers, 6);
  return { '1xx': informational, '2xx': success, '3xx': redirection, '4xx': client, '5xx': server, none };
}

function histogram(board: Board, slot: number): Histogram {
  const numbers = board.sums(slot, HISTOGRAM);
  return { bounds: SECONDS, counts: numbers.slice(0, -1), sum: numbers[HISTOGRAM - 1] / 1000 };
}
