import { Worker } from 'node:worker_threads';
import type { Config } from '../config/config.ts';
import type { RecordView } from '../control/views.ts';
import type { BoardMap } from '../control/boards.ts';
import { type Clock, LONGEST_TIMER } from '../core/clock.ts';
import type { Bound, Turned } from '../data-plane.ts';
import type { Messages } from '../observe/messages.ts';
import type { Waiting } from '../upstream/backlog.ts';
import { type Call, fromFailure, type Plane, type Ports, type Saying, type ThreadStart } from './plane.ts';

/** Milliseconds a thread may take for what is asked of it. One that takes longer hangs, and everything would wait for it. */
const PATIENCE = 10_000;
/** Milliseconds to begin and bind, which on a busy machine takes seconds. */
const BEGINNING = 60_000;

/** A thread has ended while something was asked of it. */
export class ThreadGone extends Error {
  readonly code = 'thread-died';
}

/** Who hears what a thread says by itself. */
export interface Listening {
  readonly clock: Clock;
  readonly say: Messages['say'];
  readonly turned: Turned;
  /** Hears, once, why the thread has ended by itself. */
  readonly died: (why: string) => void;
}

interface Asked {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

const SCRIPT = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url);

/** A data plane in a thread of its own. */
export class RemotePlane implements Plane {
  /** What the thread has begun with. */
  readonly config: Config;
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #calls = new Map<number, Asked>();
  #ids = 0;
  #why: string | null = null;
  /** The thread has ended, or is being ended. */
  over = false;
  #hangs = false;

  /** @param script what runs in the thread; another one in tests only */
  constructor(start: ThreadStart, { clock, say, turned, died }: Listening, script: URL = SCRIPT) {
    this.config = start.config;
    this.#clock = clock;
    this.#worker = new Worker(script, { workerData: start, name: `sluice ${start.place.thread}` });
    this.#worker.on('message', (saying: Saying) => {
      if (saying.kind === 'say') return say(...saying.words);
      if (saying.kind === 'turned') return turned(...saying.turn);
      const waiting = this.#calls.get(saying.id);
      this.#calls.delete(saying.id);
      if (saying.kind === 'result') waiting?.resolve(saying.value);
      else waiting?.reject(fromFailure(saying.failure));
    });
    // Out of memory, above all: what is thrown inside is caught there.
    this.#worker.on('error', (error) => (this.#why = error instanceof Error ? error.message : String(error)));
    this.#worker.on('exit', (code) => {
      const wanted = this.over;
      this.over = true;
      this.#why ??= `ended with code ${code}`;
      this.#forget();
      if (!wanted) died(this.#why);
    });
  }

  open(ports: Ports): Promise<Bound> {
    return this.#callWithin(BEGINNING, 'open', ports) as Promise<Bound>;
  }

  prepare(config: Config, boards: BoardMap, ports: Ports): Promise<Bound> {
    return this.#call('prepare', config, boards, ports) as Promise<Bound>;
  }

  async commit(): Promise<void> {
    await this.#call('commit');
  }

  async abort(): Promise<void> {
    await this.#call('abort');
  }

  async reopenLogs(): Promise<void> {
    await this.#call('reopenLogs');
  }

  waiting(upstream: string, most: number): Promise<Waiting[]> {
    return this.#call('waiting', upstream, most) as Promise<Waiting[]>;
  }

  records(most: number): Promise<RecordView[]> {
    return this.#call('records', most) as Promise<RecordView[]>;
  }

  /** Ends the thread as well. */
  async close(grace: number, handover = false): Promise<void> {
    try {
      await this.#callWithin(grace + PATIENCE, 'close', grace, handover);
    } catch (error) {
      if (!(error instanceof ThreadGone)) throw error;
    } finally {
      await this.end();
    }
  }

  /** Ends the thread, whatever it does. */
  async end(): Promise<void> {
    this.over = true;
    await this.#worker.terminate();
  }

  /** Ends the thread as a defect would: its end comes unexpected. */
  async kill(why?: string): Promise<void> {
    this.#why ??= why ?? null;
    await this.#worker.terminate();
  }

  #call(call: Call['call'], ...args: unknown[]): Promise<unknown> {
    return this.#callWithin(PATIENCE, call, ...args);
  }

  /** Rejects with `ThreadGone` when the thread has ended, or does so meanwhile; one that does not answer in time is ended. */
  #callWithin(patience: number, call: Call['call'], ...args: unknown[]): Promise<unknown> {
    if (this.over || this.#hangs) return Promise.reject(this.#gone());
    const id = ++this.#ids;
    return new Promise((resolve, reject) => {
      const cancel = this.#within(patience, () => this.#hung(call, patience));
      const settle =
        <Value>(end: (value: Value) => void) =>
        (value: Value): void => {
          cancel();
          end(value);
        };
      this.#calls.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.#worker.postMessage({ id, call, args } satisfies Call);
    });
  }

  /** In two halves: a process that was stopped for a while must not take its threads for hung when it goes on. */
  #within(ms: number, late: () => void): () => void {
    if (ms > LONGEST_TIMER) return () => {};
    let cancel = this.#clock.after(ms / 2, () => (cancel = this.#clock.after(ms / 2, late, 'idle')), 'idle');
    return () => cancel();
  }

  /** It may be so busy that not even its end comes soon: nobody waits for that. */
  #hung(call: string, patience: number): void {
    this.#hangs = true;
    this.#why ??= `hung: "${call}" was not done within ${patience / 1000} s`;
    this.#forget();
    void this.#worker.terminate();
  }

  #forget(): void {
    for (const call of this.#calls.values()) call.reject(this.#gone());
    this.#calls.clear();
  }

  #gone(): ThreadGone {
    return new ThreadGone(`the thread is gone: ${this.#why ?? 'it was ended'}`);
  }
}
