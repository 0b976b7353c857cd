import { isDeepStrictEqual } from 'node:util';
import type { AdminOptions } from './admin/options.ts';
import { AdminServer, type AdminTools } from './admin/server.ts';

/** Milliseconds between two attempts to get an address that the process before this one is about to leave. */
const AGAIN = 250;

/** What becomes of the admin interface with another config. */
interface Prepared {
  commit(): Promise<void>;
  abort(): Promise<void>;
}

const NOTHING: Prepared = { commit: () => Promise.resolve(), abort: () => Promise.resolve() };

/** The admin interface of a running proxy, as the config has it: off, or at one address. */
export class Administration {
  readonly #tools: AdminTools;
  #options: AdminOptions | null = null;
  #server: AdminServer | null = null;
  #closed = false;
  /** What waits for its address. A config that comes meanwhile is tried at once, and takes its place. */
  #waiting: AdminOptions | null = null;

  constructor(tools: AdminTools) {
    this.#tools = tools;
  }

  /** Where it listens; `null`: nowhere. */
  get url(): string | null {
    return this.#server?.url ?? null;
  }

  /** Rejects with the system's error, or with what is wrong with the token. */
  async open(options: AdminOptions | null, takeover: boolean): Promise<void> {
    if (options === null) return;
    try {
      await (await this.prepare(options)).commit();
    } catch (error) {
      if (!takeover || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      this.#tools.say('info', 'admin-waits', 'the process before this one has the admin address until it ends');
      this.#waiting = options;
      this.#tools.clock.after(AGAIN, () => void this.#again(options), 'idle');
    }
  }

  /** Does what can fail of going over to other options; nothing in force is touched before `commit`. */
  async prepare(options: AdminOptions | null): Promise<Prepared> {
    const [before, server] = [this.#options, this.#server];
    if (server !== null && options !== null && isDeepStrictEqual(options.address, before?.address)) {
      // Also when nothing has changed in the config: the token's file may hold another one.
      await server.update(options);
      const abort = (): Promise<void> => (before === null ? Promise.resolve() : server.update(before));
      return { commit: () => Promise.resolve(void (this.#options = options)), abort };
    }
    if (options === null && server === null) {
      return { ...NOTHING, commit: () => Promise.resolve(void (this.#waiting = null)) };
    }
    const fresh = options === null ? null : new AdminServer(options, this.#tools);
    await fresh?.open();
    return {
      commit: async () => {
        this.#options = options;
        this.#server = fresh;
        this.#waiting = null;
        if (fresh !== null) this.#tools.say('info', 'admin', `listening on ${fresh.url}`);
        // It may be the one that has asked for this: its answer comes first.
        void server?.close().catch((error: unknown) => this.#tools.say('error', 'internal', String(error)));
        return Promise.resolve();
      },
      abort: async () => fresh?.close(),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#server?.close();
  }

  async #again(options: AdminOptions): Promise<void> {
    if (this.#closed || this.#waiting !== options) return;
    try {
      await (await this.prepare(options)).commit();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
        this.#tools.clock.after(AGAIN, () => void this.#again(options), 'idle');
      } else {
        this.#tools.say('error', 'admin-failed', `the admin interface cannot be opened: ${(error as Error).message}`);
      }
    }
  }
}
