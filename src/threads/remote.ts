import { Worker } from 'node:worker_threads';
import type { Config } from '../config/config.ts';
import type { RecordView } from '../control/views.ts';
import type { BoardMap } from '../control/boards.ts';
import type { Bound, Turned } from '../data-plane.ts';
import type { Messages } from '../observe/messages.ts';
import type { Waiting } from '../upstream/backlog.ts';
import { type Call, fromFailure, type Plane, type Saying, type ThreadStart } from './plane.ts';

/** A thread has ended while something was asked of it. */
export class ThreadGone extends Error {
  readonly code = 'thread-died';
}

/** Who hears what a thread says by itself. */
export interface Listening {
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
  readonly #calls = new Map<number, Asked>();
  #ids = 0;
  #why: string | null = null;
  /** The thread has ended, or is being ended. */
  over = false;

  constructor(start: ThreadStart, { say, turned, died }: Listening) {
    this.config = start.config;
    this.#worker = new Worker(SCRIPT, { workerData: start, name: `sluice ${start.place.thread}` });
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
      for (const call of this.#calls.values()) call.reject(new ThreadGone('the thread has ended'));
      this.#calls.clear();
      if (!wanted) died(this.#why ?? `ended with code ${code}`);
    });
  }

  open(ports: readonly number[]): Promise<Bound> {
    return this.#call('open', ports) as Promise<Bound>;
  }

  prepare(config: Config, boards: BoardMap, ports: readonly number[]): Promise<Bound> {
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
  async close(grace: number): Promise<void> {
    try {
      await this.#call('close', grace);
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
  async kill(): Promise<void> {
    await this.#worker.terminate();
  }

  #call(call: Call['call'], ...args: unknown[]): Promise<unknown> {
    if (this.over) return Promise.reject(new ThreadGone('the thread has ended'));
    const id = ++this.#ids;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#worker.postMessage({ id, call, args } satisfies Call);
    });
  }
}
