import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../core/clock.ts';
import type { Answer, Found } from './found.ts';
import type { ResolverOptions } from './options.ts';

/** Share by which times vary, so that names and processes that began together do not stay together. */
const JITTER = 0.1;

/** Milliseconds until a name that failed is asked for again; it doubles up to `retry`. */
const FIRST_RETRY = 1000;

export interface NamesOptions extends Pick<ResolverOptions, 'least' | 'most' | 'retry'> {
  /** Must not reject; `before` is what the name leads to as far as known. */
  readonly resolve: (name: string, before: readonly Found[]) => Promise<Answer>;
  /** The addresses of a name are others than before. */
  readonly changed: (name: string, records: readonly Found[]) => void;
  /** Something to tell the operator, once when it begins and once when it is over. */
  readonly said: (level: 'error' | 'warn' | 'info', code: NamesCode, message: string) => void;
}

/**
 * `name-failed`: nobody could say where it leads · `name-empty`: it leads nowhere · `name-partial`: some of it could not
 * be asked for · `name-resolved`: all is well again · `internal`: a defect.
 */
type NamesCode = 'name-failed' | 'name-empty' | 'name-partial' | 'name-resolved' | 'internal';

interface Entry {
  readonly name: string;
  /** The last good set; empty until there was one. */
  records: readonly Found[];
  /** Wall time of the last answer that was good; 0 before the first. */
  goodAt: number;
  /** Its answer came, or its failure. */
  asked: boolean;
  /** What the operator has been told: all is well, part of it cannot be asked for, or none of it. */
  state: 'good' | 'partial' | 'bad';
  /** Answers in a row that were not wholly good. */
  failures: number;
  /** Ends the waiting for the next question. */
  cancel: (() => void) | null;
}

/** Where names lead, kept up to date: each is asked for when its TTL is over, one question at a time. */
export class Names {
  #options: NamesOptions;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  /** Names that are being asked for, those that nobody wants any more included. */
  readonly #asking = new Set<string>();
  readonly #waiters = new Set<() => void>();
  #closed = false;

  constructor(options: NamesOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** The last good set of each name that ever had one. */
  get known(): ReadonlyMap<string, readonly Found[]> {
    const known = new Map<string, readonly Found[]>();
    for (const { name, records } of this.#entries.values()) if (records.length > 0) known.set(name, records);
    return known;
  }

  /** These names, and no others: new ones are asked for at once, those not named any more are forgotten. */
  want(names: Iterable<string>): void {
    if (this.#closed) return;
    const wanted = new Set(names);
    for (const [name, entry] of this.#entries) {
      if (wanted.has(name)) continue;
      entry.cancel?.();
      this.#entries.delete(name);
    }
    for (const name of wanted) {
      if (this.#entries.has(name)) continue;
      const entry: Entry = { name, records: [], goodAt: 0, asked: false, state: 'good', failures: 0, cancel: null };
      this.#entries.set(name, entry);
      this.#ask(entry);
    }
    this.#wake();
  }

  /** Goes over to other options. All names are asked for again, because the servers may be others; nothing is forgotten. */
  update(options: NamesOptions): void {
    if (this.#closed) return;
    this.#options = options;
    for (const entry of this.#entries.values()) {
      entry.cancel?.();
      entry.cancel = null;
      this.#ask(entry);
    }
  }

  /** Resolves when each of the names has had its first answer or failure, or when `within` milliseconds are over. */
  ready(names: Iterable<string>, within: number): Promise<void> {
    const wanted = [...names];
    const isReady = (): boolean => this.#closed || wanted.every((name) => this.#entries.get(name)?.asked !== false);
    if (isReady()) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        cancel();
        this.#waiters.delete(look);
        resolve();
      };
      const look = (): void => {
        if (isReady()) finish();
      };
      const cancel = this.#clock.after(within, finish, 'idle');
      this.#waiters.add(look);
    });
  }

  /** Forgets everything; what is still under way is not listened to. */
  close(): void {
    this.#closed = true;
    for (const entry of this.#entries.values()) entry.cancel?.();
    this.#entries.clear();
    this.#wake();
  }

  #ask(entry: Entry): void {
    const { name } = entry;
    // Nobody hurries a question that is under way; its end asks again for who came meanwhile.
    if (this.#asking.has(name)) return;
    this.#asking.add(name);
    void this.#exchange(entry, this.#options);
  }

  async #exchange(entry: Entry, options: NamesOptions): Promise<void> {
    const { name } = entry;
    let answer: Answer;
    try {
      answer = await options.resolve(name, entry.records);
    } catch (error) {
      answer = { outcome: 'failed', why: reason(error) };
    }
    this.#asking.delete(name);
    const current = this.#entries.get(name);
    if (current === undefined) return;
    // Asked for somebody who has left, or in another way than is wanted now.
    if (current !== entry || options !== this.#options) {
      this.#ask(current);
      return;
    }
    try {
      this.#take(entry, answer);
    } catch (error) {
      options.said('error', 'internal', `${name}: ${reason(error)}`);
    }
    this.#wake();
  }

  #take(entry: Entry, answer: Answer): void {
    const before = entry.records;
    const state = answer.outcome !== 'found' ? 'bad' : answer.missing.length > 0 ? 'partial' : 'good';
    const was = entry.state;
    entry.asked = true;
    entry.state = state;
    entry.failures = state === 'good' ? 0 : entry.failures + 1;
    // First of all, so that whatever goes wrong afterwards does not end the asking.
    this.#plan(entry, answer);
    if (answer.outcome === 'found') entry.records = answer.records;
    if (was !== state) this.#tell(entry, was, answer);
    if (state === 'good') entry.goodAt = this.#clock.wall();
    if (!isDeepStrictEqual(before, entry.records)) this.#options.changed(entry.name, entry.records);
  }

  #plan(entry: Entry, answer: Answer): void {
    const { least, most, retry } = this.#options;
    const ttl = answer.outcome === 'found' ? clamp(answer.ttl, least, most) : Infinity;
    const again =
      entry.failures === 0 ? Infinity : Math.min(retry, FIRST_RETRY * 2 ** Math.min(entry.failures - 1, 30));
    const span = Math.min(ttl, again);
    const varied = span * (1 - JITTER + 2 * JITTER * this.#clock.random());
    entry.cancel = this.#clock.after(
      clamp(varied, Math.min(least, span), most),
      () => {
        entry.cancel = null;
        this.#ask(entry);
      },
      'idle',
    );
  }

  #tell({ name, records, goodAt, state }: Entry, was: Entry['state'], answer: Answer): void {
    if (answer.outcome === 'found') {
      const part = answer.missing.length === 0 ? '' : ` only in part: ${answer.missing.join(', ')}`;
      const message = `${name}: resolves${was === 'bad' || state === 'good' ? ' again' : ''}${part}; in use: ${show(records)}`;
      if (was === 'bad' || state === 'good') this.#options.said('info', 'name-resolved', message);
      else this.#options.said('warn', 'name-partial', message);
      return;
    }
    const problem = answer.outcome === 'failed' ? 'cannot be resolved' : 'leads nowhere';
    const since = goodAt === 0 ? '' : ` as of ${new Date(goodAt).toISOString()}`;
    const kept =
      records.length === 0
        ? 'it has no origins until that changes'
        : `what it had stays in use${since}: ${show(records)}`;
    const level = records.length === 0 ? 'error' : 'warn';
    this.#options.said(level, `name-${answer.outcome}`, `${name}: ${problem}: ${answer.why}; ${kept}`);
  }

  #wake(): void {
    for (const look of this.#waiters) look();
  }
}

/** Addresses for a log line: the first few, and how many more. */
function show(records: readonly Found[]): string {
  const most = 8;
  const texts = records
    .slice(0, most)
    .map(({ ip, port }) => (port === undefined ? ip : `${ip.includes(':') ? `[${ip}]` : ip}:${port}`));
  return texts.join(', ') + (records.length > most ? ` and ${records.length - most} more` : '');
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
