import type { RecordView } from '../control/views.ts';
import type { Clock } from '../core/clock.ts';
import { errors } from '../core/errors.ts';
import { shownTarget } from '../core/target.ts';
import type { Exchange } from '../core/exchange.ts';
import { Ring } from './ring.ts';

export interface LedgerOptions {
  /** Requests kept that failed: so many with an error of the 5xx kind, and as many with one of the 4xx kind. */
  readonly recent: number;
  readonly slow: {
    /** Milliseconds from a request's head to its answer's, after which it is slow. */
    readonly over: number;
    readonly keep: number;
  };
}

/** A record with its place among all records, as two may end within one millisecond. */
interface Entry {
  readonly nth: number;
  readonly record: RecordView;
}

/** Characters kept of a text that a client chose: nobody can fill the memory with what is remembered of them. */
const MOST = { id: 200, method: 32, host: 255, target: 1024, client: 64, detail: 500, name: 200 };

/**
 * The last requests that failed or were slow, for whoever looks for the cause. An ordinary request pays three
 * comparisons. Slow is told by the head of the answer, so that long downloads and WebSockets are not; and what clients do
 * wrong has a place of its own, so that a stranger who scans for holes cannot push out an origin's failures.
 *
 * Queries are left out, `/path?…`: they hold tokens and personal data, and what is kept here is read by more people than
 * the access log is. No field of a request is kept but Host and X-Request-Id.
 */
export class Ledger {
  readonly #clock: Clock;
  #over: number;
  readonly #faults: Ring<Entry>;
  readonly #refused: Ring<Entry>;
  readonly #slow: Ring<Entry>;
  #count = 0;

  constructor({ recent, slow }: LedgerOptions, clock: Clock) {
    this.#clock = clock;
    this.#over = slow.over;
    this.#faults = new Ring(recent);
    this.#refused = new Ring(recent);
    this.#slow = new Ring(slow.keep);
  }

  /** Goes over to other options; the newest records stay. */
  update({ recent, slow }: LedgerOptions): void {
    this.#over = slow.over;
    this.#faults.resize(recent);
    this.#refused.resize(recent);
    this.#slow.resize(slow.keep);
  }

  /** Looks at an exchange that is over. */
  done(exchange: Exchange): void {
    const { error, status } = exchange;
    if (error !== '') this.#add(errors[error].status < 500 ? this.#refused : this.#faults, exchange, 'error');
    else if (status >= 500) this.#add(this.#faults, exchange, 'error');
    else if (exchange.answered - exchange.started > this.#over) this.#add(this.#slow, exchange, 'slow');
  }

  /** Newest first. */
  records(most: number): RecordView[] {
    return this.#all()
      .slice(0, most)
      .map(({ record }) => record);
  }

  /** The newest with this id. */
  find(id: string): RecordView | undefined {
    return this.#all().find(({ record }) => record.id === id)?.record;
  }

  #all(): Entry[] {
    return [this.#faults, this.#refused, this.#slow]
      .flatMap((ring) => ring.oldestFirst())
      .toSorted((a, b) => b.nth - a.nth);
  }

  #add(ring: Ring<Entry>, exchange: Exchange, why: RecordView['why']): void {
    ring.add({ nth: this.#count++, record: recordOf(exchange, why, this.#clock) });
  }
}

function recordOf(exchange: Exchange, why: RecordView['why'], clock: Clock): RecordView {
  const { request, front } = exchange;
  const total = clock.now() - exchange.started;
  return {
    id: own(exchange.id, MOST.id),
    at: new Date(clock.wall() - total).toISOString(),
    why,
    method: own(request.method, MOST.method),
    host: request.fields.text === '' ? '' : own(request.authority, MOST.host),
    target: own(shownTarget(request.target), MOST.target),
    client: own(exchange.remote, MOST.client),
    listener: front.client.listener,
    route: own(exchange.route, MOST.name),
    upstream: exchange.upstream,
    origin: exchange.origin?.name ?? '',
    status: exchange.status,
    error: exchange.error,
    detail: own(exchange.errorDetail, MOST.detail),
    attempts: exchange.attempts,
    queue: span(exchange.started, exchange.assigned),
    connect: span(exchange.assigned, exchange.connected),
    first: span(exchange.connected, exchange.answered),
    total: Math.max(0, round(total)),
    ledger: (exchange.trail ?? []).map((line) => own(line, MOST.detail)),
  };
}

/** A copy, cut to length: what is cut out of a head keeps all of the head in memory. */
function own(text: string, most: number): string {
  const short = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  return Buffer.from(short).toString();
}

function span(from: number, to: number): number | null {
  return from === 0 || to === 0 ? null : Math.max(0, round(to - from));
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
