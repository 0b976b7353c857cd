import type { OriginView, Status, UpstreamView } from '../control/views.ts';
import { plain, showBytes, showMs, table, type Column } from './table.ts';

/** What was seen at one moment. */
export interface Sample {
  /** Milliseconds on a monotonic scale. */
  readonly at: number;
  readonly status: Status;
  readonly upstreams: readonly UpstreamView[];
}

interface Row {
  readonly upstream: UpstreamView;
  /** `null`: the row is about the whole upstream. */
  readonly origin: OriginView | null;
}

/**
 * The lines of one frame: a head, and a row for each upstream and origin. Rates come from the difference to the sample
 * before; without one, or when another process answers now, they are not known.
 *
 * @param width columns of the terminal, Infinity for none
 */
export function frame(now: Sample, before: Sample | null, width: number): string[] {
  const same = before !== null && before.status.pid === now.status.pid && before.status.started === now.status.started;
  const rate = rates(now, same ? before : null);
  const rows = now.upstreams.flatMap((upstream): Row[] => [
    { upstream, origin: null },
    ...upstream.origins.map((origin) => ({ upstream, origin })),
  ]);
  const columns: Column<Row>[] = [
    { title: 'NAME', text: ({ upstream, origin }) => (origin === null ? upstream.name : `  ${nameOf(origin)}`) },
    { title: 'STATE', text: ({ origin }) => origin?.state ?? '' },
    { title: 'REQ/S', right: true, text: (row) => rate(row, ({ upstream, origin }) => (origin ?? upstream).requests) },
    { title: 'ERR/S', right: true, text: (row) => rate(row, failures) },
    { title: 'BUSY', right: true, text: ({ upstream, origin }) => String((origin ?? upstream).inFlight) },
    {
      title: 'QUEUE',
      right: true,
      text: ({ upstream, origin }) => (origin === null ? String(upstream.queue.length) : ''),
    },
    { title: 'P99', right: true, text: ({ upstream, origin }) => showMs((origin ?? upstream).latency.p99) },
    {
      title: 'P50',
      right: true,
      spare: true,
      text: ({ upstream, origin }) => showMs((origin ?? upstream).latency.p50),
    },
    {
      title: 'P90',
      right: true,
      spare: true,
      text: ({ upstream, origin }) => showMs((origin ?? upstream).latency.p90),
    },
    {
      title: 'WEIGHT',
      right: true,
      spare: true,
      text: ({ origin }) => (origin === null ? '' : String(origin.effectiveWeight)),
    },
    {
      title: 'REQUESTS',
      right: true,
      spare: true,
      text: ({ upstream, origin }) => String((origin ?? upstream).requests),
    },
  ];
  return [...heads(now.status, now.upstreams, width), '', ...table(columns, rows, width)];
}

function heads(
  { version, pid, state, threads, listeners, memory }: Status,
  upstreams: readonly UpstreamView[],
  width: number,
): string[] {
  const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
  const serving = threads.filter((thread) => thread.state === 'serving').length;
  const connections = sum(listeners.map((one) => one.connections));
  const waiting = sum(upstreams.map(({ queue }) => queue.length));
  return [
    `sluice ${version}  ${state}  process ${pid}  ${showBytes(memory)}`,
    `threads ${serving}/${threads.length}  connections ${connections}  waiting ${waiting}`,
  ].map((line) => cut(plain(line), width));
}

/** An address says nothing about a process that sluice has started. */
function nameOf({ name, child }: OriginView): string {
  return child === null ? name : `${child.name} (${child.pid})`;
}

/** Requests that failed, as clients or the line saw it. */
function failures({ upstream, origin }: Row): number {
  return origin === null ? upstream.answers['5xx'] + upstream.answers.none : origin.answers['5xx'] + origin.errors;
}

/** How fast a counter grows, as text. Rows are the same when they have the same names: places in the list change. */
function rates(now: Sample, before: Sample | null): (row: Row, counter: (row: Row) => number) => string {
  const seconds = before === null ? 0 : (now.at - before.at) / 1000;
  const was = new Map<string, Row>();
  for (const upstream of before?.upstreams ?? []) {
    was.set(JSON.stringify([upstream.name]), { upstream, origin: null });
    for (const origin of upstream.origins) was.set(JSON.stringify([upstream.name, origin.name]), { upstream, origin });
  }
  return (row, counter) => {
    const names = row.origin === null ? [row.upstream.name] : [row.upstream.name, row.origin.name];
    const old = was.get(JSON.stringify(names));
    if (old === undefined || seconds <= 0) return '-';
    const grown = counter(row) - counter(old);
    // An origin that was taken out and came back counts from 0.
    if (grown < 0) return '-';
    const speed = grown / seconds;
    return speed >= 10 || speed === 0 ? String(Math.round(speed)) : speed.toFixed(1);
  };
}

export function cut(line: string, width: number): string {
  return line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line;
}
