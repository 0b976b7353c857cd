import { Exposition, type Histogram, type Labels, type MetricType } from './exposition.ts';
import type {
  AnswerFigures,
  Figures,
  ListenerFigures,
  OriginFigures,
  OriginState,
  PoolFigures,
  ProcessFigures,
  RouteFigures,
  ThreadFigures,
  UpstreamFigures,
} from './figures.ts';

/** One number of a subject, or one for each value of a label of its own; `undefined`: not known, and left out. */
type Reading = number | Histogram | undefined | readonly (readonly [value: string, number: number])[];

interface Metric<Subject> {
  /** By the conventions of Prometheus: https://prometheus.io/docs/practices/naming/. */
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** A label beside those of the group. */
  readonly label?: string;
  read(subject: Subject): Reading;
}

/** Metrics about the same kind of thing, which are told apart by the same labels. */
export interface Group {
  readonly title: string;
  readonly about: string;
  readonly labels: readonly string[];
  readonly metrics: readonly Omit<Metric<never>, 'read'>[];
  write(figures: Figures, into: Exposition): void;
}

const STATES: readonly OriginState[] = ['up', 'full', 'down', 'draining'];

const byClass = ({ answers }: { readonly answers: AnswerFigures }): Reading => Object.entries(answers);
const CLASS = 'By the class of the status that the client got: 1xx to 5xx, or none.';

/** Every metric there is, in the order it is written. docs/metrics.md is made from it. */
export const GROUPS: readonly Group[] = [
  group<ListenerFigures>('Listeners', 'What clients see.', ['listener'], (figures) => named(figures.listeners), [
    counter('sluice_requests_total', `Requests that are over. ${CLASS}`, byClass, 'class'),
    histogram(
      'sluice_request_duration_seconds',
      'From the head of a request to the end of its answer.',
      (one) => one.duration,
    ),
    counter('sluice_received_bytes_total', 'Bytes of request bodies, without framing.', (one) => one.bytesIn),
    counter('sluice_sent_bytes_total', 'Bytes of answer bodies, without framing.', (one) => one.bytesOut),
    gauge('sluice_connections', 'Client connections that are open.', (one) => one.connections),
    counter('sluice_connections_opened_total', 'Client connections that were accepted.', (one) => one.opened),
    counter(
      'sluice_connections_refused_total',
      'Client connections that were turned away because there were too many.',
      (one) => one.refused,
    ),
  ]),
  group<RouteFigures>(
    'Routes',
    'Requests by the route that they took.',
    ['route'],
    (figures) => named(figures.routes),
    [
      counter('sluice_route_requests_total', `Requests that are over. ${CLASS}`, byClass, 'class'),
      histogram(
        'sluice_route_duration_seconds',
        'From the head of a request to the end of its answer.',
        (one) => one.duration,
      ),
    ],
  ),
  group<UpstreamFigures>(
    'Upstreams',
    'Requests by where they were sent, and those that wait.',
    ['upstream'],
    (figures) => named(figures.upstreams),
    [
      counter('sluice_upstream_requests_total', `Requests that are over. ${CLASS}`, byClass, 'class'),
      histogram(
        'sluice_upstream_duration_seconds',
        'From the head of a request to the end of its answer.',
        (one) => one.duration,
      ),
      gauge('sluice_upstream_in_flight', 'Requests that are with an origin.', (one) => one.inFlight),
      gauge('sluice_upstream_queue_length', 'Requests that wait for an origin.', ({ queue }) => queue.length),
      gauge('sluice_upstream_queue_limit', 'Requests that may wait at most.', ({ queue }) => queue.size),
      gauge(
        'sluice_upstream_queue_oldest_seconds',
        'How long the first in the queue has waited.',
        ({ queue }) => queue.oldest,
      ),
      histogram(
        'sluice_upstream_queue_seconds',
        'How long requests waited until they got an origin.',
        ({ queue }) => queue.waited,
      ),
      counter(
        'sluice_retries_total',
        'Requests that were sent once more, by the code of the error that was the reason.',
        ({ retries }) => Object.entries(retries),
        'reason',
      ),
    ],
  ),
  group<OriginFigures>(
    'Origins',
    'The servers behind.',
    ['upstream', 'origin'],
    ({ upstreams }) =>
      upstreams.flatMap(({ name, origins }) =>
        origins.map((origin): readonly [readonly string[], OriginFigures] => [[name, origin.name], origin]),
      ),
    [
      counter('sluice_origin_requests_total', `Requests that it answered or failed to. ${CLASS}`, byClass, 'class'),
      counter('sluice_origin_errors_total', 'Attempts that failed.', (one) => one.errors),
      gauge(
        'sluice_origin_state',
        '1 for the state it is in: up, full, down or draining; 0 for the others.',
        (one) => STATES.map((state) => [state, state === one.state ? 1 : 0]),
        'state',
      ),
      counter('sluice_ejections_total', 'Times it was taken out because it failed.', (one) => one.ejections),
      gauge('sluice_origin_weight', 'Its weight in force.', (one) => one.weight),
      gauge('sluice_origin_in_flight', 'Requests that are with it.', (one) => one.inFlight),
      gauge('sluice_origin_connections', 'Connections to it, idle ones included.', (one) => one.connections),
      gauge('sluice_origin_idle_connections', 'Connections to it that carry nothing and are kept.', (one) => one.idle),
      counter('sluice_origin_connections_opened_total', 'Connections that were made to it.', (one) => one.opened),
      counter('sluice_origin_sent_bytes_total', 'Bytes of request bodies sent to it.', (one) => one.bytesOut),
      counter('sluice_origin_received_bytes_total', 'Bytes of answer bodies it sent.', (one) => one.bytesIn),
      histogram('sluice_origin_connect_seconds', 'How long making a connection took.', (one) => one.connect),
      histogram(
        'sluice_origin_first_byte_seconds',
        'From a connection that is ready to the head of the answer.',
        (one) => one.firstByte,
      ),
    ],
  ),
  group<PoolFigures>(
    'Children',
    'Processes that sluice starts itself, by their upstream and the name of their `spawn`. Each is an origin as well.',
    ['upstream', 'pool'],
    ({ upstreams }) =>
      upstreams.flatMap(({ name, pools }) =>
        pools.map((pool): readonly [readonly string[], PoolFigures] => [[name, pool.name], pool]),
      ),
    [
      gauge(
        'sluice_children',
        'How many are in each state: starting, ready, draining, ending.',
        ({ children }) => Object.entries(children),
        'state',
      ),
      gauge(
        'sluice_children_stopped',
        '1 when too many in a row have crashed and none is started any more, else 0.',
        (one) => (one.stopped ? 1 : 0),
      ),
      counter('sluice_child_starts_total', 'How many were started.', (one) => one.starts),
      counter(
        'sluice_child_crashes_total',
        'How many ended without being asked to, or were never ready.',
        (one) => one.crashes,
      ),
      counter(
        'sluice_child_restarts_total',
        'How many were replaced, by the reason: crash, requests, age, memory, operator, watch, config.',
        ({ restarts }) => Object.entries(restarts),
        'reason',
      ),
    ],
  ),
  group<readonly [string, number]>(
    'Errors',
    'Requests that ended with an error of [docs/errors.md](errors.md).',
    ['code'],
    ({ errors }) => Object.entries(errors).map((one): readonly [readonly string[], typeof one] => [[one[0]], one]),
    [counter('sluice_errors_total', 'Requests that ended with this error.', ([, count]) => count)],
  ),
  group<ThreadFigures>(
    'Threads',
    '',
    ['thread'],
    ({ threads }) => threads.map((one): readonly [readonly string[], ThreadFigures] => [[String(one.id)], one]),
    [
      gauge('sluice_thread_serving', '1 when it accepts connections, else 0.', (one) => (one.serving ? 1 : 0)),
      counter('sluice_thread_restarts_total', 'Times it died and was replaced.', (one) => one.restarts),
      gauge('sluice_thread_connections', 'Client connections that are open.', (one) => one.connections),
      gauge('sluice_thread_in_flight', 'Requests it works on.', (one) => one.inFlight),
      counter('sluice_thread_requests_total', 'Requests that are over.', (one) => one.requests),
      gauge(
        'sluice_thread_busy_ratio',
        'The share of time in which its event loop was busy, 0 to 1, since the last scrape.',
        (one) => one.busy,
      ),
    ],
  ),
  group<ProcessFigures>(
    'Process',
    'Those that begin with `process_` are named as every Prometheus client library names them.',
    [],
    (figures) => [[[], figures.process]],
    [
      gauge('sluice_config_last_reload_successful', '1 when the last reload was done, 0 when it was refused.', (one) =>
        one.loadedWell ? 1 : 0,
      ),
      gauge(
        'sluice_config_loaded_timestamp_seconds',
        'When the config in force was taken up, in Unix time.',
        (one) => one.loaded,
      ),
      counter(
        'sluice_config_reloads_total',
        'Reloads that were asked for, done or refused.',
        ({ reloads }) => Object.entries(reloads),
        'result',
      ),
      counter('process_cpu_seconds_total', 'Processor time used.', (one) => one.cpu),
      gauge('process_resident_memory_bytes', 'Memory in use.', (one) => one.memory),
      gauge('process_open_fds', 'Open file descriptors.', (one) => one.handles),
      gauge('process_start_time_seconds', 'When the process was started, in Unix time.', (one) => one.started),
    ],
  ),
  group<ProcessFigures>(
    'Build',
    '',
    ['version', 'node'],
    ({ process }) => [[[process.version, process.node], process]],
    [gauge('sluice_build_info', 'Always 1; the labels tell what runs.', () => 1)],
  ),
];

/** The figures in Prometheus' text format. */
export function showMetrics(figures: Figures): string {
  const exposition = new Exposition();
  for (const one of GROUPS) one.write(figures, exposition);
  return exposition.text;
}

type Subjects<Subject> = (figures: Figures) => readonly (readonly [values: readonly string[], subject: Subject])[];

function group<Subject>(
  title: string,
  about: string,
  labels: readonly string[],
  subjects: Subjects<Subject>,
  metrics: readonly Metric<Subject>[],
): Group {
  return {
    title,
    about,
    labels,
    metrics,
    write(figures, into) {
      const rows = subjects(figures).map(([values, subject]): readonly [Labels, Subject] => [
        labels.map((label, i) => [label, values[i]]),
        subject,
      ]);
      for (const metric of metrics) into.family(metric.name, metric.type, metric.help, series(metric, rows));
    },
  };
}

function* series<Subject>(
  metric: Metric<Subject>,
  rows: readonly (readonly [Labels, Subject])[],
): Generator<readonly [Labels, number | Histogram]> {
  for (const [labels, subject] of rows) {
    const reading = metric.read(subject);
    if (reading === undefined) continue;
    if (typeof reading === 'number' || 'counts' in reading) yield [labels, reading];
    else for (const [value, number] of reading) yield [[...labels, [metric.label ?? '', value]], number];
  }
}

function named<Subject extends { readonly name: string }>(
  subjects: readonly Subject[],
): readonly (readonly [readonly string[], Subject])[] {
  return subjects.map((one) => [[one.name], one]);
}

function counter<Subject>(
  name: string,
  help: string,
  read: (subject: Subject) => Reading,
  label?: string,
): Metric<Subject> {
  return metric(name, 'counter', help, read, label);
}

function gauge<Subject>(
  name: string,
  help: string,
  read: (subject: Subject) => Reading,
  label?: string,
): Metric<Subject> {
  return metric(name, 'gauge', help, read, label);
}

function histogram<Subject>(name: string, help: string, read: (subject: Subject) => Histogram): Metric<Subject> {
  return metric(name, 'histogram', help, read);
}

function metric<Subject>(
  name: string,
  type: MetricType,
  help: string,
  read: (subject: Subject) => Reading,
  label?: string,
): Metric<Subject> {
  return { name, type, help, read, ...(label === undefined ? {} : { label }) };
}
