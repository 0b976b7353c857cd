/** Figures of a proxy that has been at work, with names that nobody should have chosen. */
import type { Histogram } from '../../src/observe/exposition.ts';
import type { AnswerFigures, Figures, OriginFigures } from '../../src/observe/figures.ts';

export const HOSTILE = 'a"b\\c\nd} 1\nevil_total 1 é😀';

const bounds = [0.005, 0.05, 0.5, 5];
const histogram = (...counts: number[]): Histogram => ({ bounds, counts, sum: 4.25 });
const answers: AnswerFigures = { '1xx': 1, '2xx': 20, '3xx': 3, '4xx': 4, '5xx': 5, none: 6 };

function origin(name: string, state: OriginFigures['state']): OriginFigures {
  return {
    name,
    state,
    weight: 0.5,
    inFlight: 2,
    answers,
    errors: 7,
    ejections: 1,
    connections: 3,
    idle: 1,
    opened: 30,
    bytesOut: 100,
    bytesIn: 2 ** 40,
    connect: histogram(1, 2, 3, 0, 0),
    firstByte: histogram(0, 0, 0, 0, 9),
  };
}

export function figures(): Figures {
  return {
    process: {
      version: '0.1.0',
      node: '24.1.0',
      started: 1_795_255_200.5,
      memory: 100_000_000,
      cpu: 12.25,
      handles: 40,
      loaded: 1_795_255_300,
      loadedWell: false,
      reloads: { done: 3, refused: 1 },
    },
    listeners: ['127.0.0.1:8080', 'unix:/run/sluice.sock', HOSTILE].map((name) => ({
      name,
      connections: 5,
      opened: 50,
      refused: 1,
      answers,
      bytesIn: 10,
      bytesOut: 20,
      duration: histogram(10, 20, 5, 4, 0),
    })),
    routes: ['/api/*', HOSTILE].map((name) => ({ name, answers, duration: histogram(1, 1, 1, 1, 1) })),
    upstreams: ['app', HOSTILE].map((name, i) => ({
      name,
      answers,
      inFlight: 4,
      duration: histogram(1, 0, 0, 0, 0),
      queue: { length: 2, size: i === 0 ? 100 : Infinity, oldest: 0.25, waited: histogram(0, 0, 0, 0, 0) },
      retries: { 'connect-refused': 3, 'origin-closed': 1 },
      origins: [origin('127.0.0.1:3000', 'up'), origin('127.0.0.1:3001', 'down'), origin(HOSTILE, 'draining')],
      pools: ['workers', HOSTILE].map((pool) => ({
        name: pool,
        stopped: i === 1,
        children: { starting: 1, ready: 2 },
        starts: 9,
        crashes: 2,
        restarts: { crash: 2, operator: 1 },
      })),
    })),
    threads: [0, 1].map((id) => ({
      id,
      serving: id === 0,
      restarts: id,
      connections: 2,
      inFlight: 1,
      requests: 1000,
      ...(id === 0 ? { busy: 0.125 } : {}),
    })),
    errors: { 'no-route': 2, 'origin-closed': 1 },
  };
}
